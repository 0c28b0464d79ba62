#pragma once

#include <memory>
#include <string>

#include "storage/object_store.h"

namespace tarn::storage::internal {

/// OpenLocalStore; `allow_unnamed_files` false acts as on file systems without O_TMPFILE.
Result<std::shared_ptr<ObjectStore>> MakeLocalStore(const std::string& root, bool allow_unnamed_files);

}  // namespace tarn::storage::internal
