#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/operations/table_writer.h"
#include "delta/transaction.h"

namespace tarn::delta {

struct AppendOptions {
  /// Makes the append happen at most once: AlreadyExists when the table has this version of the application or a later
  /// one, and nothing is added.
  std::optional<Txn> txn;
  /// For commitInfo.
  std::string operation = "WRITE";
  std::map<std::string, std::string> parameters = {{"mode", "Append"}};
  /// The same, beside the numbers of files that are added.
  std::map<std::string, std::string> metrics;
  TableWriterOptions files;
};

/// Adds rows in one commit, an empty one when there are none. `rows` have the columns of the table's schema, those that
/// partition it included, and are read once. A blind append, which other writers' commits do not stop: where they
/// change schema, properties or protocol the rows are read back from the files that were written for them, cast, and
/// written again for the table as it is then. Conflict when a column of theirs is gone, the table is partitioned
/// otherwise or is another one; InvalidArgument names a column that is null and must not be, or a value that does not
/// fit any more. What is not committed is deleted, as far as the store lets.
Result<Committed> Append(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                         arrow::RecordBatchReader& rows, const AppendOptions& options = {});

/// The same for rows that a TableWriter has written for `snapshot`.
Result<Committed> AppendFiles(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                              std::vector<Add> files, const AppendOptions& options);

}  // namespace tarn::delta
