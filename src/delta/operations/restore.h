#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "delta/table.h"

namespace tarn::delta {

struct RestoreOptions {
  /// Looks whether the version can be restored and what that would change, and commits nothing.
  bool dry_run = false;
};

struct RestoreResult {
  /// Of the commit; that of the newest version in a dry run.
  int64_t version = 0;
  int64_t files_restored = 0;
  int64_t bytes_restored = 0;
  int64_t files_removed = 0;
  int64_t bytes_removed = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

/// Takes a table back to what it was at an earlier version, by a new commit: the versions between stay readable. Files,
/// schema, partitioning and properties are the earlier version's. What must not go back stays as it is: the protocol,
/// the highest column id, in-commit timestamps, and what applications have noted (`txn`, domains).
///
/// Every file and deletion vector that comes back is looked for first: NotFound names those that vacuum has taken, and
/// a version that the log does not reach. The commit counts as having read the whole table, so that Conflict tells of
/// any other that changed data meanwhile. InvalidArgument when the version is not older than the newest; Unsupported
/// where the table has given up a feature that the version needs, or maps its columns otherwise than it did;
/// PermissionDenied where rows may only be added.
Result<RestoreResult> Restore(const TableContext& table, std::shared_ptr<const Snapshot> newest, int64_t version,
                              const RestoreOptions& options = {});

}  // namespace tarn::delta
