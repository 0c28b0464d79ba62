#include "storage/backoff.h"

#include <algorithm>

#include "base/mutex.h"

namespace tarn::storage {

bool Backoff::Wait(int64_t at_least_micros) {
  if (attempts_ >= policy_.max_attempts) return false;
  ++attempts_;
  // Jitter keeps clients that failed together from coming back together.
  const int64_t half = wait_micros_ / 2;
  const int64_t drawn = half + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(wait_micros_ - half) + 1));
  wait_micros_ = std::min(wait_micros_ * 2, policy_.max_wait_micros);
  const int64_t deadline = clock_.MonotonicMicros() + std::max(drawn, at_least_micros);
  Mutex mutex;
  CondVar never_notified;
  MutexLock lock(mutex);
  while (clock_.WaitUntil(never_notified, mutex, deadline)) {
  }
  return true;
}

}  // namespace tarn::storage
