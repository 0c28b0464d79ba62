#include <arrow/record_batch.h>
#include <simdjson.h>

#include <algorithm>
#include <numeric>

#include "base/log.h"
#include "base/uri.h"
#include "lake/lake_impl.h"
#include "lake/table_names.h"

namespace tarn::lake {

namespace {

constexpr char kIdentityKey[] = "_tarn/lake.json";
constexpr int64_t kFormatVersion = 1;
/// A log that could not be adopted for a reason that may pass is tried again after this long.
constexpr int64_t kAdoptionRetryMicros = 30 * kMicrosPerSecond;
/// Between two looks at a node that a neighbour took over.
constexpr int64_t kAdoptionPollMicros = 5 * kMicrosPerMilli;

/// The lake's id; refuses a lake that a newer program wrote.
Result<std::string> IdentityOf(const std::string& text) {
  const auto broken = [](const char* what) { return Status::Corruption(std::string(kIdentityKey) + ": " + what); };
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(text).get(document) != simdjson::SUCCESS) return broken("not JSON");
  int64_t version = 0;
  if (document["format_version"].get(version) != simdjson::SUCCESS || version < 1) {
    return broken("no valid format_version");
  }
  if (version > kFormatVersion) {
    return Status::Unsupported("the lake has format version " + std::to_string(version) +
                               "; this program knows up to " + std::to_string(kFormatVersion));
  }
  std::string_view id;
  if (document["id"].get(id) != simdjson::SUCCESS || id.empty()) return broken("no id");
  return std::string(id);
}

}  // namespace

Status LakeImpl::Start() {
  TARN_ASSIGN_OR_RETURN(const std::string id, CheckIdentity());
  TARN_RETURN_NOT_OK(FindWalFolders(id));
  TARN_RETURN_NOT_OK(TakeLogs());
  TARN_ASSIGN_OR_RETURN(const auto rejected, RejectedRows());
  // Not in addition: a log larger than memory is flushed while it is replayed, and what that set aside is in there.
  rows_rejected_ = std::accumulate(rejected.begin(), rejected.end(), int64_t{0},
                                   [](int64_t sum, const auto& table) { return sum + table.second; });
  if (!options_.read_only) ReleaseLogs();
  const bool has_threads = dynamic_cast<InlineExecutor*>(options_.executor) == nullptr;
  MutexLock guard(mutex_);
  if (has_threads && own_log_ != nullptr) {
    background_ = Thread("tarn-flush", [this] { FlushInBackground(); });
  }
  return Status::Ok();
}

Result<std::string> LakeImpl::CheckIdentity() {
  auto existing = options_.store->Get(kIdentityKey);
  if (!existing.ok() && !existing.status().Is(StatusCode::kNotFound)) return std::move(existing).status();
  if (options_.read_only && !existing.ok()) return std::string();
  if (existing.ok() && (options_.read_only || is_local_)) return IdentityOf(*existing);
  // Elsewhere also where there is one: it tells whether the store can decide between writers, and so whether rows may
  // be acknowledged at all.
  const std::string fresh =
      "{\"format_version\": " + std::to_string(kFormatVersion) + ", \"id\": \"" + options_.random->Uuid() + "\"}\n";
  const Status put = options_.store->Put(kIdentityKey, AsBytes(fresh), storage::Precondition::IfAbsent()).status();
  if (put.ok()) return IdentityOf(fresh);
  // Another process was first, or perhaps we were and the reply was lost.
  if (!put.Is(StatusCode::kAlreadyExists) && !put.Is(StatusCode::kIndeterminate)) return put;
  if (!existing.ok()) existing = options_.store->Get(kIdentityKey);
  TARN_RETURN_NOT_OK(existing.status());
  return IdentityOf(*existing);
}

Status LakeImpl::FindWalFolders(const std::string& lake_id) {
  if (wal_folders_ != nullptr || options_.wal_root.empty()) return Status::Ok();
  wal_folder_ = options_.wal_root;
  if (!is_local_) {
    if (lake_id.empty()) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(wal_folder_,
                          WalFolderOf(options_.wal_root, lake_id, options_.store->uri(), options_.read_only));
  }
  if (!wal_folder_.empty()) wal_folders_ = MakeLocalWalFolders(wal_folder_, options_.read_only);
  return Status::Ok();
}

Status LakeImpl::TakeLogs() {
  if (wal_folders_ == nullptr) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const auto nodes, wal_folders_->ListNodes());
  if (options_.read_only) return ReadForeignLogs(nodes);
  std::shared_ptr<RowLog> own;
  int64_t foreign = 0;
  const int64_t give_up_at = options_.clock->MonotonicMicros() + options_.adoption_patience_micros;
  for (const std::string& node : nodes) {
    TARN_ASSIGN_OR_RETURN(auto dead, LockDeadNode(node, give_up_at));
    if (dead == nullptr) {
      ++foreign;
    } else if (own == nullptr) {
      TARN_ASSIGN_OR_RETURN(own, OpenLog(node, std::move(dead->folder)));
    } else {
      TARN_RETURN_NOT_OK(AdoptLog(node, std::move(dead)));
    }
  }
  if (own == nullptr) {
    TARN_ASSIGN_OR_RETURN(own, OpenOwnLog());
  }
  bool rolled_back = false;
  for (const auto& table : directory_.Known()) {
    TARN_ASSIGN_OR_RETURN(const bool beyond, WasRolledBack(*table, *own));
    rolled_back = rolled_back || beyond;
  }
  {
    MutexLock guard(mutex_);
    own_log_ = own;
    foreign_live_wals_ = foreign;
    adoption_due_ = options_.clock->MonotonicMicros() + kAdoptionIntervalMicros;
  }
  return rolled_back ? ReplaceOwnLog(own) : Status::Ok();
}

Result<std::map<std::string, int64_t>> LakeImpl::RejectedRows() {
  TARN_ASSIGN_OR_RETURN(const auto files, rejected_files_.List());
  std::vector<std::shared_ptr<RowLog>> logs;
  {
    MutexLock guard(mutex_);
    logs = adopted_logs_;
    if (own_log_ != nullptr) logs.push_back(own_log_);
  }
  std::map<std::string, int64_t> rows;
  for (const RejectedFile& file : files) {
    const bool comes_again = std::any_of(logs.begin(), logs.end(), [&file](const auto& log) {
      return log->uuid() == file.log_uuid && log->IsNeeded(file.position);
    });
    if (!comes_again) rows[file.table_folder] += file.rows;
  }
  return rows;
}

Result<std::unique_ptr<DeadNode>> LakeImpl::LockDeadNode(const std::string& node, int64_t give_up_at_micros) {
  bool waited = false;
  while (true) {
    auto dead = std::make_unique<DeadNode>();
    auto adoption = wal_folders_->LockAdoption(node);
    // A folder that is only read may never have been adopted, or owned.
    if (adoption.ok() || adoption.status().Is(StatusCode::kNotFound)) {
      if (adoption.ok()) dead->adoption = std::move(adoption).value();
      auto folder = wal_folders_->Lock(node);
      if (folder.status().Is(StatusCode::kConflict)) return std::unique_ptr<DeadNode>();
      if (!folder.ok() && !folder.status().Is(StatusCode::kNotFound)) return std::move(folder).status();
      if (folder.ok()) dead->folder = std::move(folder).value();
      return dead;
    }
    if (!adoption.status().Is(StatusCode::kConflict)) return std::move(adoption).status();
    const int64_t now = options_.clock->MonotonicMicros();
    if (now >= give_up_at_micros) {
      if (waited) {
        Log(LogLevel::kWarning,
            "a neighbour took over a write-ahead log and does not commit it; its rows are not shown yet",
            {{"folder", JoinPath(wal_folder_, node)}});
      }
      return std::unique_ptr<DeadNode>();
    }
    waited = true;
    MutexLock guard(mutex_);
    (void)options_.clock->WaitUntil(wake_, mutex_, std::min(give_up_at_micros, now + kAdoptionPollMicros));
  }
}

Status LakeImpl::AdoptLog(const std::string& node, std::unique_ptr<storage::FolderLock> lock) {
  TARN_ASSIGN_OR_RETURN(const auto segments, wal_folders_->OpenSegments(node));
  TARN_ASSIGN_OR_RETURN(const bool empty, wal::IsEmpty(*segments));
  if (empty) return Status::Ok();
  int64_t rows = 0;
  TARN_ASSIGN_OR_RETURN(auto log, OpenLog(node, std::move(lock), &rows));
  // A log that was left empty, as `tarn write` beside a server leaves one, is no news.
  if (rows > 0) {
    Log(LogLevel::kInfo, "took over the rows in the write-ahead log of a process that ended without committing them",
        {{"folder", JoinPath(wal_folder_, node)}, {"rows", rows}});
    ++wals_adopted_;
    rows_adopted_ += rows;
  }
  MutexLock guard(mutex_);
  adopted_logs_.push_back(std::move(log));
  return Status::Ok();
}

void LakeImpl::LookForDeadLogs() {
  const int64_t now = options_.clock->MonotonicMicros();
  std::set<std::string> passed_over;
  {
    MutexLock guard(mutex_);
    if (closed_ || own_log_ == nullptr || now < adoption_due_) return;
    adoption_due_ = now + kAdoptionIntervalMicros;
    passed_over.insert(own_log_->node());
    for (const auto& log : adopted_logs_) passed_over.insert(log->node());
    for (const auto& [node, retry_at] : adoption_failed_) {
      if (now < retry_at) passed_over.insert(node);
    }
  }
  const auto nodes = wal_folders_->ListNodes();
  if (!nodes.ok()) return;
  int64_t foreign = 0;
  for (const std::string& node : *nodes) {
    if (passed_over.contains(node)) continue;
    auto dead = LockDeadNode(node, now);
    if (!dead.ok()) continue;
    if (*dead == nullptr) {
      ++foreign;
      continue;
    }
    const Status adopted = AdoptLog(node, std::move(dead).value());
    if (adopted.ok()) continue;
    Log(LogLevel::kError, "the write-ahead log of a dead owner could not be adopted",
        {{"node", node}, {"why", adopted.ToString()}});
    MutexLock guard(mutex_);
    // Damage does not go away; the next start reports it again.
    adoption_failed_[node] = adopted.Is(StatusCode::kCorruption) ? INT64_MAX : now + kAdoptionRetryMicros;
  }
  {
    MutexLock guard(mutex_);
    foreign_live_wals_ = foreign;
  }
  // Some held nothing that was not committed.
  ReleaseLogs();
}

Status LakeImpl::ReadForeignLogs(const std::vector<std::string>& nodes) {
  const int64_t give_up_at = options_.clock->MonotonicMicros() + options_.adoption_patience_micros;
  for (const std::string& node : nodes) {
    auto dead = LockDeadNode(node, give_up_at);
    if (dead.ok() && *dead == nullptr) {
      MutexLock guard(mutex_);
      ++foreign_live_wals_;
      continue;
    }
    // Where a lock cannot be taken for another reason (a read-only disk), there is no owner that writes either.
    std::unique_ptr<storage::FolderLock> held;
    if (dead.ok()) held = std::move(dead).value();
    auto segments = wal_folders_->OpenSegments(node);
    if (segments.status().Is(StatusCode::kNotFound)) continue;
    TARN_RETURN_NOT_OK(segments.status());
    auto log = std::make_shared<RowLog>(node, std::move(held), std::move(*segments));
    Replay replay{log, options_.clock->MonotonicMicros(), 0, {}, 0};
    TARN_RETURN_NOT_OK(log->Read([&](const wal::ReplayedRecord& record) { return ReplayRecord(replay, record); }));
    log->Unlock();
  }
  return Status::Ok();
}

Result<std::shared_ptr<RowLog>> LakeImpl::OpenLog(const std::string& node, std::unique_ptr<storage::FolderLock> lock,
                                                  int64_t* adopted_rows) {
  TARN_ASSIGN_OR_RETURN(auto segments, wal_folders_->OpenSegments(node));
  auto log = std::make_shared<RowLog>(node, std::move(lock), std::move(segments));
  const int64_t age_micros = adopted_rows == nullptr ? 0 : options_.flush.max_age_micros;
  Replay replay{log, options_.clock->MonotonicMicros(), age_micros, {}, 0};
  const Status opened = log->Open(options_.wal, *options_.clock, *options_.random,
                                  [&](const wal::ReplayedRecord& record) { return ReplayRecord(replay, record); });
  if (!opened.ok()) {
    for (const auto& table : directory_.Known()) table->Discard(*log);
    return opened.WithContext("write-ahead log of " + node);
  }
  if (adopted_rows != nullptr) *adopted_rows = replay.rows;
  return log;
}

Result<std::shared_ptr<RowLog>> LakeImpl::OpenOwnLog() {
  constexpr int kMaxNodes = 1000;
  for (int i = 0; i < kMaxNodes; ++i) {
    const std::string node = "node-" + std::to_string(i);
    auto lock = wal_folders_->Lock(node);
    if (lock.ok()) return OpenLog(node, std::move(lock).value());
    if (!lock.status().Is(StatusCode::kConflict)) return std::move(lock).status();
  }
  return Status::ResourceExhausted("every node folder of the write-ahead log is in use");
}

Result<wal::Position> LakeImpl::CoveredPosition(LivingTable& table, const RowLog& log) {
  if (!table.SettledPosition(log).has_value()) {
    TARN_ASSIGN_OR_RETURN(const wal::Position settled,
                          RejectedStore(*options_.store, table.folder(), log.uuid()).Settled());
    table.Settle(log, settled);
  }
  return table.CoveredPosition(log).value_or(0);
}

Result<bool> LakeImpl::WasRolledBack(LivingTable& table, const RowLog& log) {
  TARN_ASSIGN_OR_RETURN(const wal::Position covered, CoveredPosition(table, log));
  if (covered <= log.end()) return false;
  Log(LogLevel::kWarning, "a table holds rows beyond the end of the write-ahead log, which was rolled back",
      {{"table", table.name().ToString()}, {"txn", covered}, {"end", log.end()}, {"uuid", log.uuid()}});
  return true;
}

Status LakeImpl::ReplaceOwnLog(const std::shared_ptr<RowLog>& old) {
  {
    MutexLock guard(mutex_);
    if (own_log_ != old) return Status::Ok();
    if (replacing_log_) return Status::Unavailable("the write-ahead log is being replaced");
    replacing_log_ = true;
  }
  auto fresh = OpenOwnLog();
  MutexLock guard(mutex_);
  replacing_log_ = false;
  if (!fresh.ok()) return Status::Unavailable("no write-ahead log: " + fresh.status().ToString());
  Log(LogLevel::kWarning, "the write-ahead log was replaced", {{"old", old->uuid()}, {"new", (*fresh)->uuid()}});
  own_log_ = std::move(fresh).value();
  adopted_logs_.push_back(old);
  return Status::Ok();
}

Result<std::shared_ptr<MemoryBudget::Reservation>> LakeImpl::ReserveForReplay(int64_t bytes) {
  auto held = options_.buffer_budget->TryReserve(static_cast<size_t>(bytes));
  if (!held.has_value() && options_.read_only) {
    return Status::ResourceExhausted("the write-ahead log holds more rows than fit into memory for reading only");
  }
  if (!held.has_value()) {
    // The log is larger than memory: commit what was replayed so far and go on.
    TARN_RETURN_NOT_OK(FlushAll());
    held = options_.buffer_budget->TryReserve(static_cast<size_t>(bytes));
  }
  // A single record beyond the whole budget was acknowledged once and must be taken again.
  if (!held.has_value()) held.emplace();
  return std::make_shared<MemoryBudget::Reservation>(std::move(*held));
}

Status LakeImpl::ReplayRecord(Replay& replay, const wal::ReplayedRecord& record) {
  const auto& log = replay.log;
  TARN_ASSIGN_OR_RETURN(const RowsSchema rows_schema, DecodeRowsSchema(record.schema.bytes));
  TARN_RETURN_NOT_OK(CheckTableName(rows_schema.name));
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.FindOrBeginAsSpelled(rows_schema.name, replay.began_micros));
  if (replay.tables.insert(table.get()).second) {
    // What a snapshot held for long does not show, the log's owner may have committed before it died.
    const Status loaded = table->Refresh(kMicrosPerSecond);
    if (!loaded.ok() && !loaded.Is(StatusCode::kUnsupported) && !loaded.Is(StatusCode::kCorruption)) return loaded;
    if (!loaded.ok()) {
      Log(LogLevel::kWarning, "a table with rows in the write-ahead log cannot be read",
          {{"table", table->name().ToString()}, {"why", loaded.ToString()}});
    }
  }
  TARN_ASSIGN_OR_RETURN(const wal::Position covered, CoveredPosition(*table, *log));
  if (record.position <= covered && !seams_.canary_replays_twice) {
    log->Replayed(record.position, false);
    return Status::Ok();
  }
  TARN_ASSIGN_OR_RETURN(const auto rows, DecodeRows(rows_schema.schema, record.payload));
  BufferEntry entry;
  entry.log = log;
  entry.position = record.position;
  entry.acked_monotonic_micros = options_.clock->MonotonicMicros() - replay.age_micros;
  entry.bytes = RowBytes(*rows);
  TARN_ASSIGN_OR_RETURN(entry.memory, ReserveForReplay(entry.bytes));
  // Needed before it is visible: a refresh right after may find that it is committed, and let it go.
  log->Replayed(record.position, true);
  replay.rows += rows->num_rows();
  return table->Restore(std::move(entry), rows);
}

}  // namespace tarn::lake
