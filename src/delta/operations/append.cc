#include "delta/operations/append.h"

#include <arrow/record_batch.h>

#include <utility>
#include <vector>

#include "columnar/arrow_status.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/row_change.h"

namespace tarn::delta {
namespace {

Result<std::vector<Add>> WriteRows(arrow::RecordBatchReader& rows, TableWriter& writer) {
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TARN_RETURN_ARROW_NOT_OK(rows.ReadNext(&batch));
    if (batch == nullptr) return writer.Finish();
    TARN_RETURN_NOT_OK(writer.Append(*batch));
  }
}

}  // namespace

Result<Committed> Append(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                         arrow::RecordBatchReader& rows, const AppendOptions& options) {
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table, snapshot));
  TableWriter writer(table, snapshot, options.files);
  auto files = WriteRows(rows, writer);
  if (!files.ok()) {
    DeleteUncommitted(table, writer.keys());
    return files.status();
  }
  for (Add& file : *files) transaction->AddFile(std::move(file));
  if (options.txn.has_value()) transaction->SetTxn(*options.txn);
  transaction->SetOperation("WRITE", {{"mode", "Append"}});
  transaction->SetMetrics(options.metrics);
  auto committed = transaction->Commit();
  if (!committed.ok() && IsSurelyNotCommitted(committed.status())) DeleteUncommitted(table, writer.keys());
  return committed;
}

}  // namespace tarn::delta
