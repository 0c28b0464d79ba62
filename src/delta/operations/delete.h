#pragma once

#include <memory>
#include <string>

#include "delta/operations/row_change.h"

namespace tarn::delta {

struct DeleteOptions {
  /// The condition as text, for commitInfo.
  std::string predicate;
  /// How files are written anew where the table has no deletion vectors.
  TableWriterOptions files;
};

/// Deletes the rows that a condition selects, in one commit; none when it selects no row. A file all of whose rows are
/// selected is removed, without being read where its partition decides. PermissionDenied on a table that is
/// append-only; Unsupported for part of a file where the change feed is enabled. ChangeRows has the rest.
Result<ChangeResult> Delete(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, const DeleteOptions& options = {});

}  // namespace tarn::delta
