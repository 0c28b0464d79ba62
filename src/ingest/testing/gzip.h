#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tarn::ingest::testing {

/// One gzip member, by zlib.
std::string Gzip(std::string_view text, int level = 6);

/// All members, by zlib; nothing when the bytes are not whole, valid members and nothing else, or inflate to more than
/// `max_bytes`.
std::optional<std::string> Gunzip(std::string_view bytes, size_t max_bytes);

}  // namespace tarn::ingest::testing
