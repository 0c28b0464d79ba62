#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "lake/lake.h"
#include "lake/lake_seams.h"
#include "lake/living_table.h"
#include "lake/rejected_store.h"
#include "lake/row_log.h"
#include "lake/table_directory.h"
#include "lake/wal_rows.h"

namespace tarn::lake {

struct FlushResult;

/// A node folder taken over from an owner that died. Given up in this order: folder, then adoption.
struct DeadNode final : storage::FolderLock {
  std::unique_ptr<storage::FolderLock> adoption;
  std::unique_ptr<storage::FolderLock> folder;
};

class LakeImpl final : public Lake {
 public:
  LakeImpl(const LakeOptions& options, LakeSeams seams);
  ~LakeImpl() override;

  Status Start();

  Result<std::vector<std::string>> ListDatabases() override;
  Result<std::vector<std::string>> ListTables(const std::string& database) override;
  Result<std::shared_ptr<const TableView>> Pin(const TableName& name, const std::optional<AsOf>& as_of) override;

  Result<TableForChange> PinForChange(const TableName& name) override;
  Result<delta::TableContext> PlaceForNew(const TableName& name) override;
  void NoteCommit(const TableName& name, const std::shared_ptr<const delta::Snapshot>& snapshot) override;

  Result<wal::Position> Append(std::vector<TableBatch> batches) override;
  Status CheckAppend(const TableBatch& batch) override;
  Result<std::vector<RowRefusal>> Violations(const TableBatch& batch) override;
  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const TableName& name) override;
  Status FlushAll() override;
  Status FlushDue() override;
  Result<delta::OptimizeResult> Optimize(const TableName& name, const delta::OptimizeOptions& options) override;
  Result<delta::VacuumResult> Vacuum(const TableName& name, const delta::VacuumOptions& options) override;
  Result<std::vector<TableStatus>> ListTableStatus() override;
  LakeStats stats() const override;
  void Close() override;

 private:
  /// The rows of one record on their way; a batch that one record cannot hold becomes several.
  struct Incoming {
    std::shared_ptr<LivingTable> table;
    PreparedRows prepared;
    std::shared_ptr<BufferEntry> entry;
    EncodedRows encoded;
  };
  /// Schema entries of the own log, found again by their bytes.
  using SchemaCache = std::map<std::string, std::shared_ptr<const wal::SchemaEntry>>;

  /// A table that maintenance is about to work on, as it is now; no snapshot where nothing is committed so far.
  struct TableForUpkeep {
    std::shared_ptr<LivingTable> table;
    std::shared_ptr<const delta::Snapshot> snapshot;
  };
  Result<TableForUpkeep> FindForUpkeep(const TableName& name);

  // Opening (lake_open.cc).
  /// The lake's id; empty where one that is only read has none.
  Result<std::string> CheckIdentity();
  /// Where the logs are, unless a test brought its own.
  Status FindWalFolders(const std::string& lake_id);
  Status TakeLogs();
  /// Rows in the rejected store by the table's folder, but for those whose flush is not done and may be repeated.
  Result<std::map<std::string, int64_t>> RejectedRows() EXCLUDES(mutex_);
  /// The locks of a node whose owner died; null while the owner lives, and while a neighbour that took the node over
  /// has not committed its rows, for which this waits until `give_up_at_micros`.
  Result<std::unique_ptr<DeadNode>> LockDeadNode(const std::string& node, int64_t give_up_at_micros);
  Status ReadForeignLogs(const std::vector<std::string>& nodes);
  /// Locks a free node folder and opens its log; also one that was adopted by nobody.
  Result<std::shared_ptr<RowLog>> OpenOwnLog();
  /// Nothing of the log is shown when it fails. Of an adopted log `adopted_rows` gets how many rows are; they are due
  /// for a flush at once, since their owner may be back and shows them only when they are committed.
  Result<std::shared_ptr<RowLog>> OpenLog(const std::string& node, std::unique_ptr<storage::FolderLock> lock,
                                          int64_t* adopted_rows = nullptr);
  /// Takes over the log of an owner that died: its rows are shown, and flushed under its own identity.
  Status AdoptLog(const std::string& node, std::unique_ptr<storage::FolderLock> lock) EXCLUDES(mutex_);
  /// Adopts the logs of neighbours that died, unless that was looked into a moment ago.
  void LookForDeadLogs() EXCLUDES(mutex_);
  struct Replay {
    std::shared_ptr<RowLog> log;
    /// On the monotonic clock.
    int64_t began_micros = 0;
    /// How long ago the rows count as acknowledged.
    int64_t age_micros = 0;
    /// Tables met so far.
    std::set<const LivingTable*> tables;
    int64_t rows = 0;
  };
  /// Shows the rows of a record unless they are committed. Rows of a table that cannot be read wait, and no other's.
  Status ReplayRecord(Replay& replay, const wal::ReplayedRecord& record);
  /// Up to where the table holds the log's rows or has them settled; 0 when it has none.
  Result<wal::Position> CoveredPosition(LivingTable& table, const RowLog& log);
  Result<std::shared_ptr<MemoryBudget::Reservation>> ReserveForReplay(int64_t bytes);
  /// A log whose identity must not be used any more gives way to a new one; its rows are flushed as an adopted log's.
  Status ReplaceOwnLog(const std::shared_ptr<RowLog>& old) EXCLUDES(mutex_);
  Result<bool> WasRolledBack(LivingTable& table, const RowLog& log);

  // Appending (lake_append.cc).
  Result<std::shared_ptr<RowLog>> LogForAppend() EXCLUDES(mutex_);
  Result<std::shared_ptr<LivingTable>> TableForAppend(const TableBatch& batch, int64_t listed_since_micros);
  /// InvalidArgument when a file keeps a table that is not there yet from ever being made.
  Status CheckPlace(const LivingTable& table) const;
  Status PrepareBatch(const TableBatch& batch, int64_t listed_since_micros, std::vector<Incoming>& incoming);
  /// Cuts rows that one record cannot hold.
  Status PrepareRows(const std::shared_ptr<LivingTable>& table, const arrow::RecordBatch& rows,
                     std::vector<Incoming>& incoming);
  static void CancelAll(const std::vector<Incoming>& incoming);
  Status Reserve(std::vector<Incoming>& incoming);
  Result<RowLog::Range> WriteLog(RowLog& log, std::vector<Incoming>& incoming);
  Result<std::shared_ptr<const wal::SchemaEntry>> SchemaEntryFor(RowLog& log, const Incoming& incoming)
      EXCLUDES(mutex_);
  void PublishAll(const std::shared_ptr<RowLog>& log, RowLog::Range range, std::vector<Incoming>& incoming);

  // Flushing (lake_flush.cc).
  bool Due(const LivingTable& table, int64_t now_micros) const;
  int64_t DueAt(const LivingTable& table) const;
  Status FlushTable(const std::shared_ptr<LivingTable>& table);
  struct FlushShare;
  void FlushShareOf(FlushShare& share);
  /// Rows acknowledged before this call may lie behind an append that is still under way: waits until they are visible.
  void AwaitVisible() EXCLUDES(mutex_);
  Status FlushWholeTable(const std::shared_ptr<LivingTable>& table);
  void CountRejected(const LivingTable& table, const FlushResult& result);
  void AfterCommit(const std::shared_ptr<LivingTable>& table, int64_t old_version,
                   const std::shared_ptr<const delta::Snapshot>& snapshot);
  void WriteChecksum(const std::shared_ptr<LivingTable>& table, const std::shared_ptr<const delta::Snapshot>& snapshot);
  void ReleaseLogs();
  void FlushInBackground();
  /// Hands LookForDeadLogs to the executor when it is due.
  void AdoptInBackground(int64_t now_micros) EXCLUDES(mutex_);
  /// Runs a task on the executor that Close waits for.
  Status SubmitTask(std::function<void()> task) EXCLUDES(mutex_);

  Status At(std::string_view point) const { return seams_.at_point ? seams_.at_point(point) : Status::Ok(); }

  const LakeOptions options_;
  /// On this machine's disk.
  const bool is_local_;
  /// Both are set before there are threads; null without logs.
  std::unique_ptr<WalFolders> wal_folders_;
  std::string wal_folder_;
  const LakeSeams seams_;
  const int64_t refresh_interval_micros_;
  TableDirectory directory_;
  RejectedFiles rejected_files_;

  mutable Mutex mutex_;
  CondVar wake_;
  CondVar task_ended_;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool flush_wanted_ GUARDED_BY(mutex_) = false;
  int tasks_ GUARDED_BY(mutex_) = 0;
  bool replacing_log_ GUARDED_BY(mutex_) = false;
  bool adopting_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<RowLog> own_log_ GUARDED_BY(mutex_);
  /// Of dead owners, or our own before it was replaced; given up once none of their rows is needed.
  std::vector<std::shared_ptr<RowLog>> adopted_logs_ GUARDED_BY(mutex_);
  SchemaCache schema_cache_ GUARDED_BY(mutex_);
  const RowLog* schema_cache_log_ GUARDED_BY(mutex_) = nullptr;
  /// Tables whose flush is with the executor.
  std::set<const LivingTable*> submitted_ GUARDED_BY(mutex_);
  int64_t foreign_live_wals_ GUARDED_BY(mutex_) = 0;
  int64_t adoption_due_ GUARDED_BY(mutex_) = INT64_MAX;
  /// Nodes whose log could not be adopted, with when to try again.
  std::map<std::string, int64_t> adoption_failed_ GUARDED_BY(mutex_);

  std::atomic<int64_t> rows_acknowledged_ = 0;
  std::atomic<int64_t> rows_flushed_ = 0;
  std::atomic<int64_t> rows_rejected_ = 0;
  std::atomic<int64_t> flushes_ = 0;
  std::atomic<int64_t> flush_failures_ = 0;
  std::atomic<int64_t> wals_adopted_ = 0;
  std::atomic<int64_t> rows_adopted_ = 0;
  Thread background_;
};

}  // namespace tarn::lake
