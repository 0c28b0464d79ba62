#pragma once

#include <arrow/type_fwd.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/operations/table_changes.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "storage/object_store.h"

namespace tarn::delta {
class TableDraft;
}  // namespace tarn::delta

namespace tarn::lake {

/// `database.table`, as users write it. The catalog takes another case where that leaves no doubt.
struct TableName {
  std::string database;
  std::string table;
  auto operator<=>(const TableName&) const = default;
  std::string ToString() const { return database + "." + table; }
};

/// Rows acknowledged but not yet in a committed data file: immutable, shared by all views that include it.
struct BufferSegment {
  /// One partition's rows only, so that a scan may treat partition columns as constants. Columns are found by name, in
  /// the view's types; partition columns are left out, and a column that a batch lacks is null.
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t num_rows = 0;
  int64_t bytes = 0;
  /// In the order of the table's partition columns.
  std::vector<columnar::Value> partition_values;
};

/// A table at one pinned point: one Delta version and the buffer segments that it does not contain. Immutable; every
/// row that was acknowledged before the pin is in exactly one of the two.
struct TableView {
  TableName name;
  /// Where the data files are: keys of `snapshot` are relative to this store. It outlives the view.
  std::shared_ptr<storage::ObjectStore> store;
  /// Null for a table whose first flush is still to come.
  std::shared_ptr<const delta::Snapshot> snapshot;
  std::vector<std::shared_ptr<const BufferSegment>> segments;
  /// The snapshot's schema followed by columns that only buffered rows have so far.
  std::shared_ptr<arrow::Schema> schema;
  /// Indices into `schema`.
  std::vector<int> partition_columns;
};

/// A point in a table's history, or what a part of it changed: one of the three.
struct AsOf {
  std::optional<int64_t> version;
  std::optional<int64_t> timestamp_micros;
  std::optional<delta::ChangeRange> changes;
};

/// A table for a statement that changes it.
struct TableForChange {
  /// Without segments: every row acknowledged before the pin is in the snapshot.
  std::shared_ptr<const TableView> view;
  delta::TableContext context;
  /// Where the change is one of several that make one commit: it goes in there, on the draft's snapshot, which is that
  /// of `view`.
  std::shared_ptr<delta::TableDraft> draft = nullptr;
};

/// Tables by name, for whoever queries them, and for whoever changes them where that is possible. Thread-safe.
class TableCatalog {
 public:
  virtual ~TableCatalog() = default;
  virtual Result<std::vector<std::string>> ListDatabases() = 0;
  virtual Result<std::vector<std::string>> ListTables(const std::string& database) = 0;
  /// The table as spelled, else the only one that differs in case: NotFound when there is none, InvalidArgument when
  /// there are several. Without `as_of` the newest state, buffer included; with it that Delta version alone, or the
  /// changed rows.
  virtual Result<std::shared_ptr<const TableView>> Pin(const TableName& name, const std::optional<AsOf>& as_of) = 0;

  /// Commits what is buffered of the table and pins it. Errors as of Pin; PermissionDenied where tables are only read.
  virtual Result<TableForChange> PinForChange(const TableName& name);
  /// Where a table that does not exist yet is to be made: AlreadyExists when it does, InvalidArgument for a name that a
  /// table cannot have.
  virtual Result<delta::TableContext> PlaceForNew(const TableName& name);
  /// Tells of a commit by a statement, so that the next pin shows it.
  virtual void NoteCommit(const TableName& name, const std::shared_ptr<const delta::Snapshot>& snapshot);
};

}  // namespace tarn::lake
