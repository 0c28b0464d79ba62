#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/memory_budget.h"
#include "base/mutex.h"
#include "base/status.h"
#include "delta/table.h"
#include "lake/buffer_entry.h"
#include "lake/row_refusal.h"

namespace tarn::lake {

/// Rows that match a table and may be acknowledged; between Prepare and Publish or Cancel its new columns are reserved,
/// so that two producers cannot add one column with two types.
struct PreparedRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<BufferSegment> segments;
  std::shared_ptr<const TableColumns> cut_by;
  /// Folded names of the columns that it adds.
  std::vector<std::string> reserved;
  int64_t bytes = 0;
  uint64_t generation = 0;
};

/// The columns of a snapshot.
TableColumns ColumnsOf(const delta::Snapshot& snapshot);
/// `columns` with those of `schema` that it lacks.
TableColumns WithColumnsOf(const TableColumns& columns, const arrow::Schema& schema);

/// What a flush takes: entries of one log, all of them up to `position`.
struct FlushWork {
  std::shared_ptr<RowLog> log;
  wal::Position position = 0;
  std::vector<std::shared_ptr<const BufferEntry>> entries;
  std::shared_ptr<const delta::Snapshot> snapshot;
  /// What a table that does not exist yet begins with.
  std::shared_ptr<const TableColumns> columns;
};

struct BufferTotals {
  int64_t rows = 0;
  int64_t bytes = 0;
  /// INT64_MAX when there is no row.
  int64_t oldest_monotonic_micros = INT64_MAX;
};

/// One table: its newest snapshot and the rows that the snapshot does not hold. Thread-safe.
///
/// The one rule that keeps every row visible exactly once: a snapshot is published together with the removal of the
/// entries that its `txn` versions cover, whoever read it and for whatever reason. A snapshot never goes back.
class LivingTable {
 public:
  /// `folder` is the table's key in the lake's store.
  LivingTable(TableName name, std::string folder, delta::TableContext context)
      : name_(std::move(name)), folder_(std::move(folder)), context_(std::move(context)) {}

  const TableName& name() const { return name_; }
  const std::string& folder() const { return folder_; }
  const delta::TableContext& context() const { return context_; }

  /// Reads the newest snapshot once; a table without a log is fine.
  Status EnsureLoaded() EXCLUDES(mutex_);
  /// Looks for foreign commits unless that was done less than `max_age_micros` ago.
  Status Refresh(int64_t max_age_micros) EXCLUDES(mutex_);
  /// Makes a snapshot the table's state unless it knows a newer one, and drops the rows that it holds.
  void PublishSnapshot(std::shared_ptr<const delta::Snapshot> snapshot) EXCLUDES(mutex_);

  /// Unsupported when the table needs a writer that we are not, or has a constraint that is not understood.
  Status CheckWritable() EXCLUDES(mutex_);
  /// Rows that break a constraint of the newest snapshot. Errors are those of Prepare, which tells more.
  Result<std::vector<RowRefusal>> Violations(const arrow::RecordBatch& rows) EXCLUDES(mutex_);
  Result<PreparedRows> Prepare(const arrow::RecordBatch& rows) EXCLUDES(mutex_);
  void Cancel(const PreparedRows& prepared) EXCLUDES(mutex_);
  /// Makes rows visible; true when the table had none before.
  bool Publish(const PreparedRows& prepared, std::shared_ptr<const BufferEntry> entry) EXCLUDES(mutex_);
  /// Puts small entries of the log together once there are `fan_in` of them; views that have them keep them.
  void Coalesce(const RowLog& log, size_t fan_in, MemoryBudget& budget) EXCLUDES(mutex_);
  /// Makes the rows of a replayed record visible, whatever the table has become meanwhile: `entry` lacks only segments.
  Status Restore(BufferEntry entry, const std::shared_ptr<arrow::RecordBatch>& rows) EXCLUDES(mutex_);

  /// Up to where all rows of `log` are in the newest snapshot or settled.
  std::optional<wal::Position> CoveredPosition(const RowLog& log) const EXCLUDES(mutex_);
  /// Nullopt until Settle was called for the log.
  std::optional<wal::Position> SettledPosition(const RowLog& log) const EXCLUDES(mutex_);
  /// The rejected store says that all rows of `log` up to the position are settled: they are dropped here.
  void Settle(const RowLog& log, wal::Position position) EXCLUDES(mutex_);

  /// Drops the rows of a log that could not be opened after all; they stay in it.
  void Discard(const RowLog& log) EXCLUDES(mutex_);

  bool exists() const EXCLUDES(mutex_);
  /// Neither committed nor buffered, nor about to be: it may be forgotten.
  bool Forgettable() const EXCLUDES(mutex_);
  /// NotFound when the table does not exist.
  Result<std::shared_ptr<const TableView>> View() EXCLUDES(mutex_);
  Result<std::shared_ptr<arrow::Schema>> Schema() EXCLUDES(mutex_);
  std::shared_ptr<const delta::Snapshot> snapshot() const EXCLUDES(mutex_);
  BufferTotals totals() const EXCLUDES(mutex_);

  /// Waits for a flush under way, then takes the rows of the log that waits longest; nothing when there are none.
  /// EndFlush must follow when there was something.
  std::optional<FlushWork> BeginFlush() EXCLUDES(mutex_);
  void EndFlush(bool ok, int64_t retry_at_monotonic_micros) EXCLUDES(mutex_);
  int64_t retry_at() const EXCLUDES(mutex_);
  int flush_failures() const EXCLUDES(mutex_);

  /// True for one caller at a time, who calls ReleaseChecksum once the version's checksum is written.
  bool ClaimChecksum() { return !writing_checksum_.exchange(true); }
  void ReleaseChecksum() { writing_checksum_ = false; }

  /// True once for each cutoff of the log's cleanup, which moves on once a day.
  bool ClaimLogCleanup(int64_t cutoff_millis) { return cleaned_to_millis_.exchange(cutoff_millis) != cutoff_millis; }

 private:
  struct Reservation {
    std::shared_ptr<arrow::Field> field;
    int users = 0;
  };

  struct HeldEntry {
    std::shared_ptr<const BufferEntry> entry;
    /// The generation of columns that `visible` was made for.
    uint64_t generation = 0;
    std::vector<std::shared_ptr<const BufferSegment>> visible;
    /// A `txn` version may end between its position and those of later entries: a flush took it, successful or not, or
    /// an earlier process may have.
    bool is_bound = false;
  };
  /// The version after `old`, or the newest where that is null. A log that took long to find damaged is not read again
  /// for a while: every listing of tables looks at it.
  Result<std::shared_ptr<const delta::Snapshot>> ReadNewest(const std::shared_ptr<const delta::Snapshot>& old)
      EXCLUDES(mutex_);

  /// Null for a table that does not exist yet.
  Result<std::shared_ptr<const delta::RowConstraints>> Constraints() EXCLUDES(mutex_);

  using CoveredRows = std::vector<std::pair<std::shared_ptr<RowLog>, wal::Position>>;

  /// The table's columns and those that rows about to be acknowledged will add.
  TableColumns ColumnsWithReservedLocked() const REQUIRES(mutex_);
  /// Columns anew from the snapshot and the rows held.
  void RebuildColumnsLocked() REQUIRES(mutex_);
  void UnreserveLocked(const PreparedRows& prepared) REQUIRES(mutex_);
  Status BuildViewLocked() REQUIRES(mutex_);
  void HoldLocked(std::shared_ptr<const BufferEntry> entry, uint64_t generation, bool is_bound) REQUIRES(mutex_);
  /// Entries that can become one, in the order of positions; none when there are fewer than `fan_in`.
  std::vector<std::shared_ptr<const BufferEntry>> SmallEntriesLocked(const RowLog& log, size_t fan_in) const
      REQUIRES(mutex_);
  bool IsLooseLocked(const HeldEntry& held) const REQUIRES(mutex_) {
    return !held.is_bound && held.generation == generation_;
  }
  /// Does nothing when one of the entries was bound or dropped meanwhile.
  void ReplaceLocked(const std::vector<std::shared_ptr<const BufferEntry>>& entries,
                     std::shared_ptr<const BufferEntry> merged) REQUIRES(mutex_);
  void RecountLocked() REQUIRES(mutex_);
  /// Lets go of the entries for which `covered` is true.
  CoveredRows DropLocked(const std::function<bool(const BufferEntry&)>& covered) REQUIRES(mutex_);
  CoveredRows SetSnapshotLocked(std::shared_ptr<const delta::Snapshot> snapshot) REQUIRES(mutex_);
  /// For a table that is not what it was: the newest state is no successor of `old`, or null. Does nothing when another
  /// thread replaced `old` first.
  void ReplaceSnapshot(const std::shared_ptr<const delta::Snapshot>& old,
                       std::shared_ptr<const delta::Snapshot> current) EXCLUDES(mutex_);
  static void ReportCovered(const CoveredRows& covered);

  const TableName name_;
  const std::string folder_;
  const delta::TableContext context_;
  std::atomic<bool> writing_checksum_ = false;
  std::atomic<int64_t> cleaned_to_millis_ = INT64_MIN;

  mutable Mutex mutex_;
  CondVar flushed_;
  bool loaded_ GUARDED_BY(mutex_) = false;
  int64_t refreshed_at_ GUARDED_BY(mutex_) = 0;
  /// Until when the log counts as damaged without another look, and how.
  int64_t unreadable_until_ GUARDED_BY(mutex_) = 0;
  Status unreadable_ GUARDED_BY(mutex_);
  std::shared_ptr<const delta::Snapshot> snapshot_ GUARDED_BY(mutex_);
  std::vector<HeldEntry> held_ GUARDED_BY(mutex_);
  BufferTotals totals_ GUARDED_BY(mutex_);
  /// Entries published since entries were last put together.
  size_t published_ GUARDED_BY(mutex_) = 0;
  bool coalescing_ GUARDED_BY(mutex_) = false;
  /// By the log's uuid.
  std::map<std::string, wal::Position> settled_ GUARDED_BY(mutex_);
  /// Committed and buffered columns; null until the table has any.
  std::shared_ptr<const TableColumns> columns_ GUARDED_BY(mutex_);
  /// Grows when rows that fitted before may no longer fit.
  uint64_t generation_ GUARDED_BY(mutex_) = 1;
  std::map<std::string, Reservation> reserved_ GUARDED_BY(mutex_);
  int preparing_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const TableView> view_ GUARDED_BY(mutex_);
  /// Those of one snapshot; null where there is none.
  std::shared_ptr<const delta::RowConstraints> constraints_ GUARDED_BY(mutex_);
  std::shared_ptr<const delta::Snapshot> constraints_of_ GUARDED_BY(mutex_);
  /// Protocol and schema for which CheckWritable said yes.
  std::shared_ptr<const delta::Snapshot> writable_ GUARDED_BY(mutex_);
  bool flushing_ GUARDED_BY(mutex_) = false;
  int flush_failures_ GUARDED_BY(mutex_) = 0;
  int64_t retry_at_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tarn::lake
