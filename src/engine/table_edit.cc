#include "engine/table_edit.h"

#include <arrow/record_batch.h>

#include <utility>

#include "columnar/conform.h"
#include "delta/operations/append.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/row_change.h"

namespace tarn::engine {

TableEdit::TableEdit(lake::TableName name, delta::TableContext context, std::shared_ptr<const delta::Snapshot> snapshot,
                     std::optional<delta::CreateTableOptions> create, delta::Reads reads,
                     std::shared_ptr<delta::TableDraft> draft)
    : name_(std::move(name)),
      context_(std::move(context)),
      snapshot_(std::move(snapshot)),
      create_(std::move(create)),
      reads_(std::move(reads)),
      draft_(std::move(draft)),
      writer_(context_, snapshot_, {}) {}

TableEdit::~TableEdit() {
  MutexLock lock(mutex_);
  if (!keeps_files_) delta::DeleteUncommitted(context_, writer_.keys());
}

Result<std::unique_ptr<TableEdit>> TableEdit::Change(lake::TableForChange table, delta::Reads reads) {
  TARN_RETURN_NOT_OK(delta::Transaction::Begin(table.context, table.view->snapshot).status());
  return std::unique_ptr<TableEdit>(new TableEdit(table.view->name, std::move(table.context), table.view->snapshot,
                                                  std::nullopt, std::move(reads), std::move(table.draft)));
}

Result<std::unique_ptr<TableEdit>> TableEdit::Create(const lake::TableName& name, delta::TableContext place,
                                                     delta::CreateTableOptions options) {
  TARN_ASSIGN_OR_RETURN(auto first, delta::SnapshotOfNewTable(place, options));
  options.schema = first->schema();
  return std::unique_ptr<TableEdit>(
      new TableEdit(name, std::move(place), std::move(first), std::move(options), {}, nullptr));
}

Status TableEdit::Insert(const arrow::RecordBatch& rows) {
  TARN_ASSIGN_OR_RETURN(const auto fitting, columnar::ConformBatch(rows, snapshot_->schema()));
  MutexLock lock(mutex_);
  rows_inserted_ += fitting->num_rows();
  return writer_.Append(*fitting).WithContext(name_.ToString());
}

bool TableEdit::Delete(delta::FileIndex file, int64_t row) {
  MutexLock lock(mutex_);
  return gone_.Add(file, row);
}

Status TableEdit::Read(const delta::RowPlaces& places,
                       const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit) const {
  return delta::ReadRowsAt(*context_.store, *snapshot_, places, visit).WithContext(name_.ToString());
}

int64_t TableEdit::rows_inserted() const {
  MutexLock lock(mutex_);
  return rows_inserted_;
}

Result<std::shared_ptr<const delta::Snapshot>> TableEdit::Commit(const Statement& statement) {
  MutexLock lock(mutex_);
  TARN_ASSIGN_OR_RETURN(std::vector<delta::Add> files, writer_.Finish());
  if (draft_ != nullptr) {
    TARN_RETURN_NOT_OK(draft_->Change(RequestOf(statement, std::move(files))));
    keeps_files_ = true;
    return std::shared_ptr<const delta::Snapshot>();
  }
  if (files.empty() && gone_.count() == 0 && !create_) return std::shared_ptr<const delta::Snapshot>();
  auto committed = gone_.count() > 0 ? Replace(statement, std::move(files)) : Append(statement, std::move(files));
  keeps_files_ = committed.ok() || !delta::IsSurelyNotCommitted(committed.status());
  return committed;
}

Result<std::shared_ptr<const delta::Snapshot>> TableEdit::Append(const Statement& statement,
                                                                 std::vector<delta::Add> files) {
  const bool is_blind = !reads_.whole_table && reads_.conditions.empty() && reads_.files.empty();
  if (is_blind && !create_) {
    const delta::AppendOptions options{.txn = std::nullopt,
                                       .operation = statement.operation,
                                       .parameters = statement.parameters,
                                       .metrics = statement.metrics,
                                       .files = {}};
    TARN_ASSIGN_OR_RETURN(auto appended, delta::AppendFiles(context_, snapshot_, std::move(files), options));
    return std::move(appended.snapshot);
  }
  auto transaction =
      create_ ? delta::Transaction::Create(context_, *create_) : delta::Transaction::Begin(context_, snapshot_);
  if (!transaction.ok()) return transaction.status();
  (*transaction)->SetReads(reads_);
  for (delta::Add& file : files) (*transaction)->AddFile(std::move(file));
  (*transaction)->SetOperation(statement.operation, statement.parameters);
  (*transaction)->SetMetrics(statement.metrics);
  TARN_ASSIGN_OR_RETURN(auto committed, (*transaction)->Commit());
  return std::move(committed.snapshot);
}

Result<std::shared_ptr<const delta::Snapshot>> TableEdit::Replace(const Statement& statement,
                                                                  std::vector<delta::Add> files) {
  TARN_ASSIGN_OR_RETURN(auto changed, delta::ChangeRows(context_, snapshot_, RequestOf(statement, std::move(files))));
  return std::move(changed.snapshot);
}

delta::ChangeRequest TableEdit::RequestOf(const Statement& statement, std::vector<delta::Add> files) {
  delta::ChangeRequest request{.reads = reads_, .operation = statement.operation};
  if (gone_.count() > 0) request.places = &gone_;
  request.parameters = statement.parameters;
  request.metrics = statement.metrics;
  request.new_files = std::move(files);
  return request;
}

}  // namespace tarn::engine
