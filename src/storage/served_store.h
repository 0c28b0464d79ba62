#pragma once

#include <memory>

#include "storage/object_store.h"

namespace tarn::storage {

/// For a server, whose clients have no part in how it is let into the store: that the store does not let it in
/// (PermissionDenied, Unauthenticated) is Unavailable, which they may try again.
std::shared_ptr<ObjectStore> MakeServedStore(std::shared_ptr<ObjectStore> store);

}  // namespace tarn::storage
