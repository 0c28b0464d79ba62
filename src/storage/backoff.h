#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/random.h"

namespace tarn::storage {

struct RetryPolicy {
  /// The first one included.
  int max_attempts = 5;
  /// The wait before attempt n is drawn from the upper half of first_wait * 2^(n-2), at most max_wait.
  int64_t first_wait_micros = 50 * kMicrosPerMilli;
  int64_t max_wait_micros = 5 * kMicrosPerSecond;
};

/// The waits between the attempts of one call. Thread-compatible; what it refers to must outlive it.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, Clock& clock, Random& random)
      : policy_(policy), clock_(clock), random_(random), wait_micros_(policy.first_wait_micros) {}

  /// Waits until the next attempt may be made, `at_least_micros` or longer; false, at once, when there is none left.
  bool Wait(int64_t at_least_micros = 0);

 private:
  const RetryPolicy policy_;
  Clock& clock_;
  Random& random_;
  int64_t wait_micros_;
  int attempts_ = 1;
};

}  // namespace tarn::storage
