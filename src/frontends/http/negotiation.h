#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "frontends/encoding/result_writer.h"

namespace tarn::frontends {

/// The result format that an Accept header (RFC 9110, 12.5.1) prefers; JSON when it is empty or takes anything;
/// nullopt when nothing that we have is acceptable.
std::optional<ResultFormat> NegotiateFormat(std::string_view accept);

enum class ContentCoding : uint8_t { kIdentity, kGzip, kZstd };

/// The coding that an Accept-Encoding header prefers; zstd before gzip at equal weight. Identity when in doubt.
ContentCoding NegotiateCoding(std::string_view accept_encoding);

}  // namespace tarn::frontends
