#pragma once

#include <cstdint>

#include "base/mutex.h"

namespace tarn {

inline constexpr int64_t kMicrosPerMilli = 1'000;
inline constexpr int64_t kMicrosPerSecond = 1'000'000;

/// The only source of time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since 1970-01-01 UTC; may jump when the host's clock is set.
  virtual int64_t WallNanos() = 0;
  /// Microseconds on a clock that never goes back; its zero has no meaning.
  virtual int64_t MonotonicMicros() = 0;
  /// Waits on `cv`, whose mutex the caller holds, until notified or until MonotonicMicros() >= deadline. May wake early
  /// without cause, as condition variables do. Returns false once the deadline has passed.
  virtual bool WaitUntil(CondVar& cv, Mutex& mutex, int64_t deadline_monotonic_micros) REQUIRES(mutex) = 0;

  int64_t WallMicros() { return WallNanos() / 1000; }
};

/// The host's clock; lives for the whole process.
Clock& SystemClock();

/// A clock that stands still until told otherwise. `Advance` wakes every waiter.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t wall_nanos = 1'700'000'000'000'000'000) : wall_nanos_(wall_nanos) {}
  int64_t WallNanos() override;
  int64_t MonotonicMicros() override;
  bool WaitUntil(CondVar& cv, Mutex& mutex, int64_t deadline_monotonic_micros) override;
  /// Moves both clocks forward.
  void Advance(int64_t micros);
  /// Sets the wall clock only, as an operator or NTP step does.
  void JumpWall(int64_t micros);

 private:
  Mutex mutex_;
  int64_t wall_nanos_ GUARDED_BY(mutex_);
  int64_t monotonic_micros_ GUARDED_BY(mutex_) = 1'000'000;
};

}  // namespace tarn
