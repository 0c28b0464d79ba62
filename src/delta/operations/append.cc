#include "delta/operations/append.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "columnar/arrow_status.h"
#include "delta/files/data_file_reader.h"
#include "delta/log/commit_json.h"
#include "delta/log/log_snapshot.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/row_change.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// How often the rows are written for a table that others change.
constexpr int kMaxPlans = 8;

Result<std::vector<Add>> WriteRows(arrow::RecordBatchReader& rows, TableWriter& writer) {
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TARN_RETURN_ARROW_NOT_OK(rows.ReadNext(&batch));
    if (batch == nullptr) return writer.Finish();
    TARN_RETURN_NOT_OK(writer.Append(*batch));
  }
}

Result<Committed> CommitFiles(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                              const std::vector<Add>& files, const AppendOptions& options) {
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table, snapshot));
  for (const Add& file : files) transaction->AddFile(file);
  if (options.txn.has_value()) transaction->SetTxn(*options.txn);
  transaction->SetOperation(options.operation, options.parameters);
  transaction->SetMetrics(options.metrics);
  return transaction->Commit();
}

Result<std::vector<std::string>> KeysOf(const TableContext& table, const std::vector<Add>& files) {
  std::vector<std::string> keys;
  for (const Add& file : files) {
    TARN_ASSIGN_OR_RETURN(std::string key, KeyOfPath(file.path, *table.store));
    keys.push_back(std::move(key));
  }
  return keys;
}

/// Whether every column that files of `before` hold is one of `after`, in the same partitioning.
bool HasTheColumnsOf(const Snapshot& after, const Snapshot& before) {
  if (after.metadata().id != before.metadata().id ||
      after.partition_columns().size() != before.partition_columns().size()) {
    return false;
  }
  for (size_t i = 0; i < after.partition_columns().size(); ++i) {
    if (after.StoredName(after.partition_columns()[i]) != before.StoredName(before.partition_columns()[i])) {
      return false;
    }
  }
  std::set<std::string> names;
  for (int i = 0; i < after.schema()->num_fields(); ++i) names.insert(after.StoredName(i));
  for (int i = 0; i < before.schema()->num_fields(); ++i) {
    if (names.count(before.StoredName(i)) == 0) return false;
  }
  return true;
}

/// Writes the rows of `files` for the table as `snapshot` has it.
Result<std::vector<Add>> WriteAnew(const TableContext& table, const std::vector<Add>& files,
                                   const std::shared_ptr<const Snapshot>& snapshot, TableWriter& writer) {
  std::string text;
  for (const Add& file : files) AppendLine(text, file);
  const auto like = LogSnapshot::From(snapshot);
  TARN_ASSIGN_OR_RETURN(const auto alone, LogSnapshot::FilesAddedIn(table, *like, text, snapshot->version()));
  std::vector<int> columns(static_cast<size_t>(snapshot->schema()->num_fields()));
  std::iota(columns.begin(), columns.end(), 0);
  for (FileIndex i = 0; i < alone->num_files(); ++i) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, alone->File(i));
    TARN_RETURN_NOT_OK(ScanDataFile(*table.store, *alone, file, columns, RowBitmap(), [&](const FileRows& rows) {
                         return writer.Append(*rows.batch);
                       }).status());
  }
  return writer.Finish();
}

}  // namespace

Result<Committed> Append(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                         arrow::RecordBatchReader& rows, const AppendOptions& options) {
  // Refuses what may not be written before anything is read.
  TARN_RETURN_NOT_OK(Transaction::Begin(table, snapshot).status());
  TableWriter writer(table, snapshot, options.files);
  auto files = WriteRows(rows, writer);
  if (!files.ok()) {
    DeleteUncommitted(table, writer.keys());
    return files.status();
  }
  return AppendFiles(table, snapshot, std::move(files).value(), options);
}

Result<Committed> AppendFiles(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                              std::vector<Add> files, const AppendOptions& options) {
  TARN_ASSIGN_OR_RETURN(std::vector<std::string> keys, KeysOf(table, files));
  for (int plan = 1;; ++plan) {
    Result<Committed> committed = CommitFiles(table, snapshot, files, options);
    if (committed.ok() || !IsSurelyNotCommitted(committed.status())) return committed;
    const auto give_up = [&](const Status& why) {
      DeleteUncommitted(table, keys);
      return why;
    };
    if (!committed.status().Is(StatusCode::kConflict) || plan == kMaxPlans) return give_up(committed.status());
    auto newest = LoadSnapshot(table);
    if (!newest.ok()) return give_up(newest.status());
    const bool is_same_layout = SameLayout(**newest, *snapshot);
    const bool is_same_table = is_same_layout && (*newest)->protocol() == snapshot->protocol();
    if (is_same_table || !HasTheColumnsOf(**newest, *snapshot)) return give_up(committed.status());
    snapshot = std::move(newest).value();
    if (is_same_layout) continue;
    TableWriter writer(table, snapshot, options.files);
    auto anew = WriteAnew(table, files, snapshot, writer);
    DeleteUncommitted(table, keys);
    keys = writer.keys();
    if (!anew.ok()) return give_up(anew.status());
    files = std::move(anew).value();
  }
}

}  // namespace tarn::delta
