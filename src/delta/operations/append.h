#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "delta/operations/table_writer.h"
#include "delta/transaction.h"

namespace tarn::delta {

struct AppendOptions {
  /// Makes the append happen at most once: AlreadyExists when the table has this version of the application or a later
  /// one, and nothing is added.
  std::optional<Txn> txn;
  /// For commitInfo, beside the numbers of files that are added.
  std::map<std::string, std::string> metrics;
  TableWriterOptions files;
};

/// Adds rows in one commit, an empty one when there are none. `rows` have the columns of the table's schema, those that
/// partition it included, and are read once. A blind append: other writers' commits are rebased over unless they change
/// schema or protocol. InvalidArgument names a column that is null and must not be. What is not committed is deleted,
/// as far as the store lets.
Result<Committed> Append(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                         arrow::RecordBatchReader& rows, const AppendOptions& options = {});

}  // namespace tarn::delta
