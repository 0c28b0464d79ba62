#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn {

/// Percent-encodes every byte outside [A-Za-z0-9_.-], and a leading '_' or '.', as DESIGN's names for path parts ask.
std::string EncodePathPart(std::string_view name);

/// Undoes percent-encoding; InvalidArgument for a '%' without two hex digits.
Result<std::string> PercentDecode(std::string_view text);

/// Joins with exactly one '/' between; an empty side gives the other.
std::string JoinPath(std::string_view left, std::string_view right);

}  // namespace tarn
