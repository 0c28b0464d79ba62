#pragma once

#include <memory>

#include "base/random.h"
#include "storage/object_store.h"

namespace tarn::storage {

/// Guards against services that take kIfAbsent and overwrite all the same, which loses commits without a word. Before
/// the first Put or OpenWriter with kIfAbsent several threads put one scratch object, if absent; unless exactly one of
/// them wins, and the object is not found by another key, then and ever after such calls are Unsupported. What cannot
/// be told (the service is out of reach) is that call's error, and found out by the next. `random` must outlive the
/// store.
std::shared_ptr<ObjectStore> MakeProvenStore(std::shared_ptr<ObjectStore> store, Random& random);

}  // namespace tarn::storage
