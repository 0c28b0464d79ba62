#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::storage::internal {

/// What stat(2) tells of an object. The tag changes whenever a store of ours replaces the file.
ObjectInfo InfoOfFile(std::string key, const struct stat& file);

/// ObjectStore::List over the folder `root`. Only folders that can hold a wanted key are read, and only files that are
/// shown are asked for their size and time.
Status ListFolder(const std::string& root, const ListOptions& options,
                  const std::function<bool(const ListEntry&)>& visit);

}  // namespace tarn::storage::internal
