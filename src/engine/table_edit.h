#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "delta/operations/row_change.h"
#include "delta/operations/row_places.h"
#include "delta/operations/table_draft.h"
#include "delta/operations/table_writer.h"
#include "delta/transaction.h"
#include "lake/table_view.h"

namespace tarn::engine {

/// What one statement changes of one table: rows that come in are written to new files as they arrive, rows that go are
/// remembered by their place, and Commit makes it one Delta commit, or one change of a draft. Without that the new
/// files are deleted again. Thread-safe until Commit.
class TableEdit {
 public:
  /// Changes a table that is there, by what was read of it. Unsupported when it needs a writer that we are not.
  static Result<std::unique_ptr<TableEdit>> Change(lake::TableForChange table, delta::Reads reads);
  /// Makes a new one with its first rows.
  static Result<std::unique_ptr<TableEdit>> Create(const lake::TableName& name, delta::TableContext place,
                                                   delta::CreateTableOptions options);
  ~TableEdit();

  /// Columns of the table, in any order and of types that fit; those that are missing are null. InvalidArgument names
  /// the column of a value that does not fit.
  Status Insert(const arrow::RecordBatch& rows) EXCLUDES(mutex_);
  /// A row by its place in the snapshot that the table was pinned at; false when it goes already.
  bool Delete(delta::FileIndex file, int64_t row) EXCLUDES(mutex_);
  /// Reads rows of that snapshot, with all columns of the table.
  Status Read(const delta::RowPlaces& places,
              const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit) const;

  struct Statement {
    /// As commitInfo names it: WRITE, DELETE, UPDATE, MERGE, CREATE TABLE, CREATE TABLE AS SELECT.
    std::string operation;
    std::map<std::string, std::string> parameters;
    std::map<std::string, std::string> metrics;
  };
  /// The table after the commit; null when there was nothing to change, or when the change is in a draft. Conflict when
  /// another commit changed what the statement rests on, so that it has to run again. Once.
  Result<std::shared_ptr<const delta::Snapshot>> Commit(const Statement& statement) EXCLUDES(mutex_);

  int64_t rows_inserted() const EXCLUDES(mutex_);
  /// Indices into the table's columns.
  const std::vector<int>& partition_columns() const { return snapshot_->partition_columns(); }
  const lake::TableName& name() const { return name_; }

 private:
  TableEdit(lake::TableName name, delta::TableContext context, std::shared_ptr<const delta::Snapshot> snapshot,
            std::optional<delta::CreateTableOptions> create, delta::Reads reads,
            std::shared_ptr<delta::TableDraft> draft);
  Result<std::shared_ptr<const delta::Snapshot>> Append(const Statement& statement, std::vector<delta::Add> files);
  Result<std::shared_ptr<const delta::Snapshot>> Replace(const Statement& statement, std::vector<delta::Add> files)
      REQUIRES(mutex_);
  delta::ChangeRequest RequestOf(const Statement& statement, std::vector<delta::Add> files) REQUIRES(mutex_);

  const lake::TableName name_;
  const delta::TableContext context_;
  /// Of a new table what it will begin with.
  const std::shared_ptr<const delta::Snapshot> snapshot_;
  const std::optional<delta::CreateTableOptions> create_;
  const delta::Reads reads_;
  /// Null for a commit of its own.
  const std::shared_ptr<delta::TableDraft> draft_;

  mutable Mutex mutex_;
  delta::TableWriter writer_ GUARDED_BY(mutex_);
  delta::RowPlaces gone_ GUARDED_BY(mutex_);
  int64_t rows_inserted_ GUARDED_BY(mutex_) = 0;
  /// The new files are in a commit, or may be.
  bool keeps_files_ GUARDED_BY(mutex_) = false;
};

}  // namespace tarn::engine
