#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::storage::internal {

/// "Sat, 21 Nov 2026 21:10:37 GMT" as seconds since 1970; nullopt for anything else.
std::optional<int64_t> ParseHttpDate(std::string_view text);
/// "2026-11-21T21:10:37Z", with or without a fraction, which is dropped.
std::optional<int64_t> ParseIsoTime(std::string_view text);
/// "20261121T211037Z", as requests to AWS are dated.
std::string FormatAmzDate(int64_t seconds);

}  // namespace tarn::storage::internal
