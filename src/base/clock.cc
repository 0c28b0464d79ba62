#include "base/clock.h"

#include <algorithm>
#include <chrono>

namespace tarn {

namespace {

class HostClock final : public Clock {
 public:
  int64_t WallNanos() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  int64_t MonotonicMicros() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  bool WaitUntil(CondVar& cv, Mutex& mutex, int64_t deadline_monotonic_micros) override NO_THREAD_SAFETY_ANALYSIS {
    const std::chrono::steady_clock::time_point deadline{std::chrono::microseconds(deadline_monotonic_micros)};
    return cv.wait_until(mutex, deadline) == std::cv_status::no_timeout || std::chrono::steady_clock::now() < deadline;
  }
};

}  // namespace

Clock& SystemClock() {
  static HostClock clock;
  return clock;
}

int64_t FakeClock::WallNanos() {
  MutexLock lock(mutex_);
  return wall_nanos_;
}

int64_t FakeClock::MonotonicMicros() {
  MutexLock lock(mutex_);
  return monotonic_micros_;
}

bool FakeClock::WaitUntil(CondVar& cv, Mutex& mutex, int64_t deadline_monotonic_micros) NO_THREAD_SAFETY_ANALYSIS {
  if (MonotonicMicros() >= deadline_monotonic_micros) return false;
  // Polling in real time keeps the fake free of a registry of waiters; it bounds how late an Advance is noticed.
  cv.wait_for(mutex, std::chrono::milliseconds(1));
  return MonotonicMicros() < deadline_monotonic_micros;
}

void FakeClock::Advance(int64_t micros) {
  MutexLock lock(mutex_);
  monotonic_micros_ += micros;
  wall_nanos_ += micros * 1000;
}

void FakeClock::JumpWall(int64_t micros) {
  MutexLock lock(mutex_);
  wall_nanos_ += micros * 1000;
}

}  // namespace tarn
