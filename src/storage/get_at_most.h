#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/object_store.h"

namespace tarn::storage {

/// A whole object that others may have written, however large they made it: ResourceExhausted, naming key and size,
/// before memory is taken for one larger than `max_bytes`. Errors are those of Open.
Result<std::string> GetAtMost(ObjectStore& store, std::string_view key, int64_t max_bytes);

}  // namespace tarn::storage
