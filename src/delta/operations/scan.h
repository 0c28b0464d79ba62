#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <vector>

#include "delta/operations/row_condition.h"
#include "delta/table.h"

namespace tarn::delta {

struct ScanOptions {
  /// Indices into the snapshot's schema, in the order wanted, each once; those that partition the table may be among
  /// them.
  std::vector<int> columns;
  /// Only the rows that it selects; its predicates leave out files unread. nullptr for all.
  RowCondition* where = nullptr;
};

/// Indices of all columns of a snapshot.
std::vector<int> AllColumns(const Snapshot& snapshot);

/// Streams the live rows of a table at one version, file by file in no particular order, as batches of at least one row
/// with the columns asked for under the table's names and types. For programs that have no query engine of their own;
/// one thread, one row group in memory. A failing visitor ends it with its status; NotFound names a data file that is
/// gone, Corruption one that cannot be read.
Status ScanTable(const TableContext& table, const Snapshot& snapshot, const ScanOptions& options,
                 const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit);

}  // namespace tarn::delta
