#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "base/status.h"
#include "columnar/time_zone.h"
#include "delta/operations/after_commit.h"
#include "delta/operations/optimize.h"
#include "delta/operations/vacuum.h"
#include "delta/readable_roots.h"
#include "lake/row_refusal.h"
#include "lake/table_view.h"
#include "storage/object_store.h"
#include "wal/wal.h"

namespace tarn::lake {

/// How soon the rows of a server that died are shown by another one on the same machine that lives.
inline constexpr int64_t kAdoptionIntervalMicros = 5 * kMicrosPerSecond;

struct FlushPolicy {
  int64_t max_age_micros = kMicrosPerSecond;
  int64_t max_rows = 1'000'000;
  int64_t max_bytes = 64 << 20;
};

struct LakeOptions {
  /// The lake itself; table `b.m` lies at "<b>/<m>" in it.
  std::shared_ptr<storage::ObjectStore> store;
  /// Local folder for the WALs of this machine's nodes: "<lake>/_tarn/wal" for a local lake. For others one that lakes
  /// may share: each has a folder of its own in it, by its id. Empty opens the lake without a WAL: appends are refused.
  std::string wal_root;
  /// Opens for reading only: no WAL is created or adopted; records of a WAL without live owner are replayed into the
  /// view.
  bool read_only = false;
  /// As delta::TableContext has it, for all tables.
  columnar::TimeZone partition_timezone;
  /// Whose files tables may name besides those of the lake itself.
  delta::ReadableRoots readable_roots;
  FlushPolicy flush;
  /// Commits between two checkpoints of a table that does not say how many; 0 turns all checkpoints off.
  int checkpoint_interval = delta::kDefaultCheckpointInterval;
  /// So many small records of a table are put together in the buffer, as are so many of the results.
  size_t coalesce_fan_in = 32;
  bool create_missing_tables = true;
  /// How old a snapshot a pin may show without looking for commits of others; -1 looks at each pin where the store is
  /// local or in memory, and once a second otherwise.
  int64_t refresh_interval_micros = -1;
  /// How long Open waits for a neighbour that took over the rows of a dead process, perhaps of this server before it
  /// was started again, to commit them.
  int64_t adoption_patience_micros = 10 * kMicrosPerSecond;
  wal::WalOptions wal;
  Clock* clock = nullptr;
  Random* random = nullptr;
  /// Rows in memory, from acknowledgement until their flush is committed.
  MemoryBudget* buffer_budget = nullptr;
  /// Runs flushes and checkpoints. With an InlineExecutor nothing happens by itself; call FlushDue and FlushAll.
  Executor* executor = nullptr;
};

/// Rows for one table. Columns are matched by name; see Lake::Append.
struct TableBatch {
  TableName name;
  std::shared_ptr<arrow::RecordBatch> rows;
};

struct TableStatus {
  TableName name;
  int64_t version = -1;
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t buffered_rows = 0;
  int64_t buffered_bytes = 0;
  /// All that lie in the rejected store, whichever server set them aside.
  int64_t rejected_rows = 0;
  /// Why the table cannot be read; the figures are those of when it could, if ever.
  Status readable;
};

struct LakeStats {
  int64_t rows_acknowledged = 0;
  int64_t rows_flushed = 0;
  /// All that lay in the rejected store when the lake was opened, and what this process set aside since.
  int64_t rows_rejected = 0;
  int64_t flushes = 0;
  int64_t flush_failures = 0;
  int64_t buffered_rows = 0;
  int64_t buffered_bytes = 0;
  /// Acknowledgement of the oldest row still buffered, 0 when none.
  int64_t oldest_buffered_age_micros = 0;
  /// WALs of dead owners whose rows are being flushed.
  int64_t adopted_wals = 0;
  /// All that were ever adopted, with the rows that were not committed by then.
  int64_t wals_adopted = 0;
  int64_t rows_adopted = 0;
  /// WALs whose owner is another live process: a lake opened for reading does not see their buffered rows.
  int64_t foreign_live_wals = 0;
  wal::WalStats wal;
};

/// The living tables of one lake: opening by name, buffer, flush, schema evolution, rejected rows. Thread-safe.
class Lake : public TableCatalog {
 public:
  /// Opens or creates the lake, takes or adopts a WAL and replays it. When this returns every row that was ever
  /// acknowledged is visible, but for those that a live neighbour buffers. Unsupported when the lake's format is newer
  /// than this program, and for a store on which one of several writers does not win.
  static Result<std::unique_ptr<Lake>> Open(const LakeOptions& options);

  /// The only door to the buffer. Rows of all batches become durable together (one WAL append), then visible; returns
  /// after that with the position of the last record. Creates databases and tables where allowed and adds columns that
  /// a table lacks (nullable, in order of appearance); `time_date` is derived from `time`. Nothing is kept when it
  /// fails: InvalidArgument for reserved or clashing names, Unsupported for columns that need a table feature and
  /// for tables that use one, Conflict when a column's type does not fit the table's
  /// (re-read SchemaOf and decide per row), Unavailable when memory or disk is short, ResourceExhausted for more rows
  /// than fit into the buffers at all. What storage says while a table is looked up keeps its code (Corruption,
  /// PermissionDenied, …) unless that would blame the rows or their number: then it is Unavailable.
  virtual Result<wal::Position> Append(std::vector<TableBatch> batches) = 0;

  /// Whether Append would take the batch as things are, without keeping anything: finds the ones to blame after it
  /// refused several together. The message names the table.
  virtual Status CheckAppend(const TableBatch& batch) = 0;

  /// Rows of a batch that break a constraint of their table as it is known: Append takes them all the same, and they
  /// are set aside when they are flushed. Cheap where the table has no constraints. Errors are those of Append.
  virtual Result<std::vector<RowRefusal>> Violations(const TableBatch& batch) = 0;

  /// The newest schema, buffered columns included; NotFound when the table does not exist. Cheap: no storage is touched
  /// for a table already open.
  virtual Result<std::shared_ptr<arrow::Schema>> SchemaOf(const TableName& name) = 0;

  /// Commits every buffered row, several tables at a time; returns the first error but tries every table. What could
  /// not be committed stays in the WAL.
  virtual Status FlushAll() = 0;
  /// Commits the tables whose policy says so and adopts the WALs of neighbours that died (the background thread does
  /// this by itself).
  virtual Status FlushDue() = 0;

  /// Compacts one table; its rewrite holds no lock and appends go on.
  virtual Result<delta::OptimizeResult> Optimize(const TableName& name, const delta::OptimizeOptions& options) = 0;

  /// Deletes the files of one table that no version within its retention needs; appends go on.
  virtual Result<delta::VacuumResult> Vacuum(const TableName& name, const delta::VacuumOptions& options) = 0;

  /// Every table, those that cannot be read too.
  virtual Result<std::vector<TableStatus>> ListTableStatus() = 0;
  virtual LakeStats stats() const = 0;
  /// Stops background work, without flushing: a caller that wants rows in Delta calls FlushAll first, and the next
  /// opening then neither replays the WAL nor reads a table. Idempotent.
  virtual void Close() = 0;
};

/// The names that DESIGN.md reserves and the rules for the rest; InvalidArgument says which rule is broken.
Status CheckTableName(const TableName& name);

}  // namespace tarn::lake
