#pragma once

#include <memory>
#include <string>

#include "delta/operations/row_change.h"

namespace tarn::delta {

struct UpdateOptions {
  /// The condition as text, for commitInfo.
  std::string predicate;
  TableWriterOptions files;
};

/// Replaces the rows that a condition selects by what `update` makes of them, in one commit; none when it selects no
/// row. New rows go into new files, in the partition that they then belong to; old ones die by a deletion vector or
/// with their file, whose other rows are written again. InvalidArgument names a column that would be null and must not
/// be. Refused like Delete.
Result<ChangeResult> Update(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, RowUpdate& update, const UpdateOptions& options = {});

}  // namespace tarn::delta
