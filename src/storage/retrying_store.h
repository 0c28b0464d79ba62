#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "storage/object_store.h"

namespace tarn::storage {

struct RetryPolicy {
  /// The first one included.
  int max_attempts = 5;
  /// The wait before attempt n is drawn from the upper half of first_wait * 2^(n-2), at most max_wait.
  int64_t first_wait_micros = 50 * kMicrosPerMilli;
  int64_t max_wait_micros = 5 * kMicrosPerSecond;
};

/// Repeats calls that came back Unavailable, which is certain to have changed nothing; never one that came back
/// Indeterminate. A listing goes on behind the last entry that was visited; a writer's pieces are not repeated.
/// `clock` and `random` must outlive the store and its readers.
std::shared_ptr<ObjectStore> MakeRetryingStore(std::shared_ptr<ObjectStore> store, const RetryPolicy& policy,
                                               Clock& clock, Random& random);

}  // namespace tarn::storage
