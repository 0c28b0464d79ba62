#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "delta/operations/row_change.h"

namespace tarn::delta {

/// Which rows the new ones take the place of.
enum class OverwriteScope : uint8_t {
  kTable,
  /// Those that OverwriteOptions::where selects, which must select every new row as well (`replaceWhere`).
  kCondition,
  /// Those of every partition that a new row is in; of the whole table where nothing partitions it.
  kPartitions,
};

struct OverwriteOptions {
  OverwriteScope scope = OverwriteScope::kTable;
  RowCondition* where = nullptr;
  /// The condition as text, for commitInfo.
  std::string predicate;
  TableWriterOptions files;
};

/// Replaces rows by new ones in one commit; none when there is neither. `rows` have the columns of the table's schema,
/// those that partition it included, and are read once: behind a conflicting commit only what they replace is planned
/// again. InvalidArgument for a row outside of the condition or a column that is null and must not be. ChangeRows has
/// the rest.
Result<ChangeResult> Overwrite(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                               arrow::RecordBatchReader& rows, const OverwriteOptions& options = {});

}  // namespace tarn::delta
