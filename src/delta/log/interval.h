#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// Reads the duration of a table property such as "interval 1 week" or "interval 6 hours 30 minutes" (Spark's calendar
/// interval; the first word may be missing), in milliseconds. InvalidArgument for anything else, for months and years,
/// whose length varies, and for negative durations.
Result<int64_t> ParseIntervalMillis(std::string_view text);

}  // namespace tarn::delta
