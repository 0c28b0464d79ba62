#pragma once

#include <cstddef>
#include <functional>

#include "base/status.h"

namespace tarn::delta {

/// Runs `work(i)` for 0 <= i < count on at most `max_threads` threads, the caller's included, and waits for them; the
/// status of the first i that failed. After a failure no more is begun.
Status RunParallel(size_t count, int max_threads, const std::function<Status(size_t)>& work);

}  // namespace tarn::delta
