#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// What ParseIntervalMillis takes, in words.
inline constexpr std::string_view kIntervalForm =
    "an interval such as '7 days' ('365 days' for a year: months and years vary in length)";

/// Reads the duration of a table property such as "interval 1 week" or "interval 6 hours 30 minutes" (Spark's calendar
/// interval; the first word may be missing), in milliseconds. InvalidArgument for anything else, for months and years,
/// whose length varies, and for negative durations.
Result<int64_t> ParseIntervalMillis(std::string_view text);

}  // namespace tarn::delta
