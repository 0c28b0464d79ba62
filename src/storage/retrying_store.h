#pragma once

#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "storage/backoff.h"
#include "storage/object_store.h"

namespace tarn::storage {

/// Repeats calls that came back Unavailable, which is certain to have changed nothing; never one that came back
/// Indeterminate. A listing goes on behind the last entry that was visited; a writer's pieces are not repeated.
/// `clock` and `random` must outlive the store and its readers.
std::shared_ptr<ObjectStore> MakeRetryingStore(std::shared_ptr<ObjectStore> store, const RetryPolicy& policy,
                                               Clock& clock, Random& random);

}  // namespace tarn::storage
