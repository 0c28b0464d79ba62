#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Places besides a table's own folder whose files its log may name, by paths that are absolute or climb, as that of a
/// shallow clone does (PROTOCOL.md, "Add File"): data files, deletion vectors and sidecars. They are read, and never
/// written or deleted.
struct ReadableRoots {
  /// Whatever lies below their URIs. Which root a path lies below is told by its text alone: a link within a root is
  /// followed wherever it leads.
  std::vector<std::shared_ptr<storage::ObjectStore>> stores;
  /// Every file of this machine and every object of S3 that the user may read; the stores count nevertheless.
  bool anywhere = false;
};

/// The roots at these places, folders or URIs of S3. Errors name the one that cannot be opened.
Result<ReadableRoots> OpenReadableRoots(const std::vector<std::string>& uris);

/// The store of a table that also reads below the roots: canonical paths (table_path.h) stand for keys there. All else
/// is done by `table_store` alone. For TableContext::store.
std::shared_ptr<storage::ObjectStore> MakeStoreWithRoots(std::shared_ptr<storage::ObjectStore> table_store,
                                                         ReadableRoots roots);

}  // namespace tarn::delta
