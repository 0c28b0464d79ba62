#include "lake/lake.h"

#include "base/log.h"
#include "lake/committed_view.h"
#include "lake/lake_impl.h"
#include "lake/lookup_fault.h"

namespace tarn::lake {

namespace {

/// Between two looks for foreign commits where each look is a request over the network.
constexpr int64_t kRemoteRefreshMicros = kMicrosPerSecond;

bool IsLocal(const storage::ObjectStore& store) { return store.LocalPath("probe").has_value(); }

bool LooksAreCheap(const storage::ObjectStore& store) { return IsLocal(store) || store.uri().starts_with("memory:"); }

}  // namespace

Result<std::unique_ptr<Lake>> Lake::Open(const LakeOptions& options) { return OpenLake(options, {}); }

Result<std::unique_ptr<Lake>> OpenLake(const LakeOptions& options, LakeSeams seams) {
  TARN_CHECK(options.store != nullptr && options.clock != nullptr && options.random != nullptr);
  TARN_CHECK(options.buffer_budget != nullptr && options.executor != nullptr);
  auto lake = std::make_unique<LakeImpl>(options, std::move(seams));
  TARN_RETURN_NOT_OK(lake->Start());
  return std::unique_ptr<Lake>(std::move(lake));
}

LakeImpl::LakeImpl(const LakeOptions& options, LakeSeams seams)
    : options_(options),
      is_local_(IsLocal(*options.store)),
      wal_folders_(std::move(seams.wal_folders)),
      seams_(std::move(seams)),
      refresh_interval_micros_(options.refresh_interval_micros >= 0 ? options.refresh_interval_micros
                               : LooksAreCheap(*options.store)      ? 0
                                                                    : kRemoteRefreshMicros),
      directory_(options.store, *options.clock, *options.random, options.partition_timezone, options.readable_roots),
      rejected_files_(*options.store) {}

LakeImpl::~LakeImpl() { Close(); }

void LakeImpl::Close() {
  {
    MutexLock guard(mutex_);
    closed_ = true;
    wake_.notify_all();
  }
  background_.Join();
  std::shared_ptr<RowLog> own;
  {
    MutexLock guard(mutex_);
    while (tasks_ > 0) task_ended_.wait(mutex_);
    own = own_log_;
  }
  if (own == nullptr) return;
  Status released = At("before-close");
  if (released.ok()) released = own->ReleaseAtEnd();
  if (!released.ok()) {
    // The next opening compares its records with the tables instead.
    Log(LogLevel::kWarning, "the write-ahead log could not be shortened", {{"why", released.ToString()}});
  }
}

Result<std::vector<std::string>> LakeImpl::ListDatabases() { return directory_.Databases(); }

Result<std::vector<std::string>> LakeImpl::ListTables(const std::string& database) {
  return directory_.Tables(database);
}

Result<std::shared_ptr<const TableView>> LakeImpl::Pin(const TableName& name, const std::optional<AsOf>& as_of) {
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.Find(name));
  if (as_of.has_value()) {
    auto past = PastView(table->name(), table->context(), *as_of);
    const bool only_buffered = past.status().Is(StatusCode::kNotFound) && table->EnsureLoaded().ok() &&
                               table->snapshot() == nullptr && table->exists();
    if (!only_buffered) return past;
    return Status::NotFound("table " + name.ToString() + " has no version yet: no row of it is committed so far");
  }
  TARN_RETURN_NOT_OK(table->Refresh(refresh_interval_micros_).WithContext(name.ToString()));
  return table->View();
}

Result<TableForChange> LakeImpl::PinForChange(const TableName& name) {
  if (options_.read_only) return Status::PermissionDenied("the lake was opened for reading only");
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.Find(name));
  AwaitVisible();
  TARN_RETURN_NOT_OK(table->Refresh(0).WithContext(name.ToString()));
  TARN_RETURN_NOT_OK(FlushWholeTable(table));
  const auto snapshot = table->snapshot();
  if (snapshot == nullptr) return Status::NotFound("table " + name.ToString() + " does not exist");
  return TableForChange{CommittedView(table->name(), table->context(), snapshot), table->context()};
}

Result<delta::TableContext> LakeImpl::PlaceForNew(const TableName& name) {
  if (options_.read_only) return Status::PermissionDenied("the lake was opened for reading only");
  TARN_RETURN_NOT_OK(CheckTableName(name));
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.FindOrBegin(name, directory_.AMomentAgo()));
  TARN_RETURN_NOT_OK(table->Refresh(0).WithContext(name.ToString()));
  if (table->exists()) return Status::AlreadyExists("table " + name.ToString() + " exists");
  return table->context();
}

void LakeImpl::NoteCommit(const TableName& name, const std::shared_ptr<const delta::Snapshot>& snapshot) {
  const auto table = directory_.Find(name);
  if (!table.ok()) return;
  const auto before = (*table)->snapshot();
  (*table)->PublishSnapshot(snapshot);
  AfterCommit(*table, before == nullptr ? -1 : before->version(), (*table)->snapshot());
}

Result<std::shared_ptr<arrow::Schema>> LakeImpl::SchemaOf(const TableName& name) {
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.Find(name));
  TARN_RETURN_NOT_OK(AsLookupFault(table->EnsureLoaded()).WithContext(name.ToString()));
  // Rows are about to be judged by it. Where looking is cheap it is what others made of it up to a moment ago; a look
  // that fails leaves it as it was.
  if (table->context().store->LocalPath("_delta_log").has_value()) (void)table->Refresh(kMicrosPerSecond);
  return table->Schema();
}

Result<LakeImpl::TableForUpkeep> LakeImpl::FindForUpkeep(const TableName& name) {
  if (options_.read_only) return Status::PermissionDenied("the lake was opened for reading only");
  TARN_ASSIGN_OR_RETURN(const auto table, directory_.Find(name));
  TARN_RETURN_NOT_OK(table->Refresh(0));
  auto snapshot = table->snapshot();
  if (snapshot == nullptr && !table->exists()) {
    return Status::NotFound("table " + name.ToString() + " does not exist");
  }
  return TableForUpkeep{table, std::move(snapshot)};
}

Result<delta::OptimizeResult> LakeImpl::Optimize(const TableName& name, const delta::OptimizeOptions& options) {
  TARN_ASSIGN_OR_RETURN(const auto found, FindForUpkeep(name));
  if (found.snapshot == nullptr) return delta::OptimizeResult{};
  TARN_ASSIGN_OR_RETURN(auto result, delta::Optimize(found.table->context(), found.snapshot, options));
  if (result.snapshot != nullptr) found.table->PublishSnapshot(result.snapshot);
  if (result.version.has_value()) AfterCommit(found.table, found.snapshot->version(), found.table->snapshot());
  return result;
}

Result<delta::VacuumResult> LakeImpl::Vacuum(const TableName& name, const delta::VacuumOptions& options) {
  TARN_ASSIGN_OR_RETURN(const auto found, FindForUpkeep(name));
  if (found.snapshot == nullptr) return delta::VacuumResult{};
  TARN_ASSIGN_OR_RETURN(auto result, delta::Vacuum(found.table->context(), found.snapshot, options));
  found.table->PublishSnapshot(result.snapshot);
  if (result.snapshot->version() == found.snapshot->version()) return result;
  AfterCommit(found.table, found.snapshot->version(), found.table->snapshot());
  return result;
}

Result<std::vector<TableStatus>> LakeImpl::ListTableStatus() {
  std::vector<TableStatus> all;
  TARN_ASSIGN_OR_RETURN(const auto rejected, RejectedRows());
  TARN_ASSIGN_OR_RETURN(const auto databases, ListDatabases());
  for (const std::string& database : databases) {
    TARN_ASSIGN_OR_RETURN(const auto tables, ListTables(database));
    for (const std::string& name : tables) {
      TableStatus status;
      status.name = {database, name};
      const auto table = directory_.Find(status.name);
      if (table.status().Is(StatusCode::kNotFound)) continue;
      status.readable = table.ok() ? (*table)->Refresh(0) : table.status();
      if (!table.ok()) {
        all.push_back(std::move(status));
        continue;
      }
      const auto snapshot = (*table)->snapshot();
      if (snapshot != nullptr) {
        status.version = snapshot->version();
        status.files = static_cast<int64_t>(snapshot->num_files());
        status.bytes = snapshot->total_bytes();
      }
      const BufferTotals totals = (*table)->totals();
      status.buffered_rows = totals.rows;
      status.buffered_bytes = totals.bytes;
      const auto set_aside = rejected.find((*table)->folder());
      if (set_aside != rejected.end()) status.rejected_rows = set_aside->second;
      all.push_back(std::move(status));
    }
  }
  TARN_ASSIGN_OR_RETURN(const auto unreachable, directory_.TablesOfReservedDatabases());
  for (const TableName& name : unreachable) {
    TableStatus& status = all.emplace_back();
    status.name = name;
    status.readable = CheckTableName(name).WithContext("rename the folder");
  }
  return all;
}

LakeStats LakeImpl::stats() const {
  LakeStats stats;
  stats.rows_acknowledged = rows_acknowledged_;
  stats.rows_flushed = rows_flushed_;
  stats.rows_rejected = rows_rejected_;
  stats.flushes = flushes_;
  stats.flush_failures = flush_failures_;
  stats.wals_adopted = wals_adopted_;
  stats.rows_adopted = rows_adopted_;
  int64_t oldest = INT64_MAX;
  for (const auto& table : directory_.Known()) {
    const BufferTotals totals = table->totals();
    stats.buffered_rows += totals.rows;
    stats.buffered_bytes += totals.bytes;
    oldest = std::min(oldest, totals.oldest_monotonic_micros);
  }
  if (oldest != INT64_MAX) stats.oldest_buffered_age_micros = options_.clock->MonotonicMicros() - oldest;
  MutexLock guard(mutex_);
  stats.adopted_wals = static_cast<int64_t>(adopted_logs_.size());
  stats.foreign_live_wals = foreign_live_wals_;
  if (own_log_ != nullptr) stats.wal = own_log_->stats();
  return stats;
}

}  // namespace tarn::lake
