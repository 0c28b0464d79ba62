#include "engine/query_service.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <map>
#include <utility>

#include "base/executor.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/process_memory.h"
#include "engine/admission.h"
#include "engine/bounded_allocator.h"
#include "engine/database.h"
#include "engine/lake_catalog.h"
#include "engine/running_query.h"
#include "engine/system_tables.h"

namespace tarn::engine {
namespace {

/// Ended queries that `system.queries` still shows.
constexpr size_t kMaxEndedQueries = 1000;
constexpr size_t kMaxSqlBytes = 4 << 20;
constexpr int64_t kWatchMicros = 50'000;
/// Between two looks at memory that others leave behind while there are no queries.
constexpr int64_t kIdleMicros = kMicrosPerSecond;
/// Freed memory beyond this is given back.
constexpr int64_t kMaxFreedBytes = 32 << 20;
/// The watch goes on this many times after the last query, so that a busy server need not wake it for each.
constexpr int kLingerTicks = 20;

/// What streams share with the service; streams may outlive it.
class QueryRegistry {
 public:
  QueryRegistry(const EngineOptions& options, Clock& clock)
      : admission(options.max_concurrent, options.max_waiting, clock), clock_(clock) {
    ending_ = Thread("tarn-query-end", [this] { EndQueries(); });
  }

  Admission admission;

  Status Add(const std::shared_ptr<RunningQuery>& query) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!running_.emplace(query->id(), query).second) {
      return Status::AlreadyExists("a query with id " + query->id() + " is running");
    }
    ++started_;
    const int64_t deadline = query->deadline_monotonic_micros();
    if (wakes_at_ > clock_.MonotonicMicros() + kWatchMicros || (deadline != 0 && deadline < wakes_at_)) {
      wake_.notify_one();
    }
    return Status::Ok();
  }

  void Ended(RunningQuery& query) EXCLUDES(mutex_) {
    QueryInfo info = query.Info();
    const StatusCode code = query.end_code();
    std::shared_ptr<RunningQuery> released;
    MutexLock lock(mutex_);
    auto found = running_.find(query.id());
    if (found != running_.end() && found->second.get() == &query) {
      released = std::move(found->second);
      running_.erase(found);
    }
    if (code == StatusCode::kCancelled) ++cancelled_;
    if (code != StatusCode::kOk && code != StatusCode::kCancelled) ++failed_;
    ended_.push_back(std::move(info));
    if (ended_.size() > kMaxEndedQueries) ended_.pop_front();
  }

  std::shared_ptr<RunningQuery> Find(const std::string& id) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    auto found = running_.find(id);
    return found == running_.end() ? nullptr : found->second;
  }

  std::vector<std::shared_ptr<RunningQuery>> Running() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::vector<std::shared_ptr<RunningQuery>> queries;
    queries.reserve(running_.size());
    for (const auto& [id, query] : running_) queries.push_back(query);
    return queries;
  }

  std::vector<QueryInfo> Infos() const EXCLUDES(mutex_) {
    std::vector<QueryInfo> infos;
    for (const auto& query : Running()) infos.push_back(query->Info());
    MutexLock lock(mutex_);
    infos.insert(infos.end(), ended_.rbegin(), ended_.rend());
    return infos;
  }

  void FillStats(EngineStats& stats) const EXCLUDES(mutex_) {
    stats.running = admission.running();
    stats.waiting = admission.waiting();
    MutexLock lock(mutex_);
    stats.started_total = started_;
    stats.failed_total = failed_;
    stats.cancelled_total = cancelled_;
  }

  /// Body of the watching thread: ends queries whose time is up and calls `tick`, more often while there are any.
  void Watch(const std::function<void()>& tick) EXCLUDES(mutex_) {
    int idle_ticks = kLingerTicks;
    MutexLock lock(mutex_);
    while (!closing_) {
      idle_ticks = running_.empty() ? std::min(idle_ticks + 1, kLingerTicks) : 0;
      const int64_t now = clock_.MonotonicMicros();
      wakes_at_ = now + (idle_ticks < kLingerTicks ? kWatchMicros : kIdleMicros);
      std::vector<std::shared_ptr<RunningQuery>> due;
      for (const auto& [id, query] : running_) {
        const int64_t deadline = query->deadline_monotonic_micros();
        if (deadline == 0 || query->stopped()) continue;
        if (deadline <= now) {
          due.push_back(query);
        } else {
          wakes_at_ = std::min(wakes_at_, deadline);
        }
      }
      if (due.empty()) clock_.WaitUntil(wake_, mutex_, wakes_at_);
      lock.Unlock();
      for (const auto& query : due) query->Stop(Status::DeadlineExceeded("the query's time ran out"));
      if (!due.empty()) admission.WakeAll();
      tick();
      due.clear();
      lock.Lock();
    }
  }

  /// Ends a stopped query on a thread of its own: the network's and the watch cannot wait for the engine.
  void EndSoon(std::shared_ptr<RunningQuery> query) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!closing_) {
        stopped_.push_back(std::move(query));
        stopped_wake_.notify_one();
        return;
      }
    }
    query->EndStopped();
  }

  /// Ends every query, and returns when those are gone that nobody works on.
  void Close() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      closing_ = true;
      wake_.notify_all();
      stopped_wake_.notify_all();
    }
    ending_.Join();
    for (const auto& query : Running()) query->Stop(Status::Cancelled("the service is closing"));
    admission.WakeAll();
  }

 private:
  /// Body of the ending thread, until the registry closes and nothing is left to end.
  void EndQueries() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!closing_ || !stopped_.empty()) {
      if (stopped_.empty()) {
        stopped_wake_.wait(mutex_);
        continue;
      }
      std::shared_ptr<RunningQuery> query = std::move(stopped_.front());
      stopped_.pop_front();
      lock.Unlock();
      query->EndStopped();
      query.reset();
      lock.Lock();
    }
  }

  Clock& clock_;
  mutable Mutex mutex_;
  CondVar wake_;
  bool closing_ GUARDED_BY(mutex_) = false;
  int64_t wakes_at_ GUARDED_BY(mutex_) = 0;
  CondVar stopped_wake_;
  /// No longer than there are slots.
  std::deque<std::shared_ptr<RunningQuery>> stopped_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<RunningQuery>> running_ GUARDED_BY(mutex_);
  std::deque<QueryInfo> ended_ GUARDED_BY(mutex_);
  int64_t started_ GUARDED_BY(mutex_) = 0;
  int64_t failed_ GUARDED_BY(mutex_) = 0;
  int64_t cancelled_ GUARDED_BY(mutex_) = 0;
  Thread ending_;
};

class Stream final : public QueryStream {
 public:
  Stream(std::shared_ptr<RunningQuery> query, std::shared_ptr<QueryRegistry> registry)
      : query_(std::move(query)), registry_(std::move(registry)) {}
  ~Stream() override { Cancel(); }
  const std::shared_ptr<arrow::Schema>& schema() const override { return query_->schema(); }
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override { return query_->Next(); }
  void Cancel() override { query_->Stop(Status::Cancelled("the query was cancelled")); }
  const std::string& query_id() const override { return query_->id(); }

 private:
  const std::shared_ptr<RunningQuery> query_;
  /// Outlives the query's slot.
  const std::shared_ptr<QueryRegistry> registry_;
};

class Service final : public QueryService {
 public:
  Service(const EngineOptions& options, lake::TableCatalog& catalog, Clock& clock)
      : options_(options),
        catalog_(catalog),
        clock_(clock),
        id_prefix_(clock.WallMicros()),
        system_tables_(std::make_shared<SystemTableRegistry>()),
        registry_(std::make_shared<QueryRegistry>(options, clock)) {}

  ~Service() override {
    registry_->Close();
    watcher_.Join();
  }

  Status Open() EXCLUDES(mutex_) {
    TARN_RETURN_NOT_OK(CheckDuckDbVersion());
    TARN_RETURN_NOT_OK(EmptyTempDirectory());
    TARN_RETURN_NOT_OK(
        system_tables_->Add("queries", MakeQueriesTable([registry = registry_] { return registry->Infos(); })));
    TARN_ASSIGN_OR_RETURN(auto database, OpenDatabase(0));
    {
      MutexLock lock(mutex_);
      database_ = std::move(database);
    }
    watcher_ = Thread("tarn-queries", [this] {
      registry_->Watch([this] {
        GiveBackFreedNowAndThen();
        CheckMemory();
      });
    });
    return Status::Ok();
  }

  Status RegisterSystemTable(const std::string& name, std::shared_ptr<SystemTable> table) override {
    return system_tables_->Add(name, std::move(table));
  }

  Status RegisterLocalFile(const std::string& name, const std::string& path) override {
    if (!options_.policy.local_files) {
      return Status::PermissionDenied("this session may not read local files");
    }
    TARN_ASSIGN_OR_RETURN(std::shared_ptr<Database> database, CurrentDatabase());
    TARN_RETURN_NOT_OK(database->AddLocalFile(name, path));
    MutexLock lock(mutex_);
    local_files_.emplace_back(name, path);
    return Status::Ok();
  }

  Result<std::unique_ptr<QueryStream>> Execute(const QueryRequest& request) override {
    const std::string id = request.query_id.empty() ? NextId() : request.query_id;
    auto query = std::make_shared<RunningQuery>(
        request, options_.default_limits, id, clock_,
        [registry = registry_.get()](RunningQuery& q) { registry->Ended(q); },
        [registry = registry_.get()](std::shared_ptr<RunningQuery> q) { registry->EndSoon(std::move(q)); });
    TARN_RETURN_NOT_OK(registry_->Add(query));
    Status started = Start(*query);
    if (!started.ok()) return query->Fail(std::move(started));
    query->RunInline();
    return std::unique_ptr<QueryStream>(std::make_unique<Stream>(std::move(query), registry_));
  }

  Status Cancel(const std::string& query_id) override {
    std::shared_ptr<RunningQuery> query = registry_->Find(query_id);
    if (query == nullptr) return Status::NotFound("there is no running query " + query_id);
    query->Stop(Status::Cancelled("the query was cancelled"));
    registry_->admission.WakeAll();
    return Status::Ok();
  }

  std::vector<QueryInfo> Queries() const override { return registry_->Infos(); }

  void SpoilInstanceForTesting() override {
    MutexLock lock(mutex_);
    database_->InvalidateForTesting();
  }

  EngineStats stats() const override {
    EngineStats stats;
    registry_->FillStats(stats);
    MutexLock lock(mutex_);
    stats.instances_replaced = instances_replaced_;
    if (database_ != nullptr) {
      stats.memory_bytes = database_->memory_bytes();
      stats.temp_bytes = database_->temp_bytes();
    }
    return stats;
  }

 private:
  std::string NextId() {
    return std::to_string(id_prefix_) + "-" + std::to_string(next_id_.fetch_add(1, std::memory_order_relaxed));
  }

  Status Start(RunningQuery& query) {
    const QueryRequest& request = query.request();
    if (request.sql.size() > kMaxSqlBytes) {
      return Status::InvalidArgument("the statement is longer than " + std::to_string(kMaxSqlBytes) + " bytes");
    }
    if (!request.parameters.empty() && !request.named_parameters.empty()) {
      return Status::InvalidArgument("positional and named parameters cannot be mixed");
    }
    TARN_ASSIGN_OR_RETURN(std::shared_ptr<Database> database, CurrentDatabase());
    TARN_ASSIGN_OR_RETURN(std::unique_ptr<CheckedStatement> statement, database->Check(request.sql));
    TARN_ASSIGN_OR_RETURN(
        Admission::Slot slot,
        registry_->admission.Enter(request.principal, query.deadline_monotonic_micros(), query.stopped()));
    // The wait may have been long enough for the instance to be replaced.
    TARN_ASSIGN_OR_RETURN(database, CurrentDatabase());
    return query.Start(std::move(slot), std::move(database), std::move(statement));
  }

  /// The instance for new queries: a fresh one when an internal error has spoilt the last.
  Result<std::shared_ptr<Database>> CurrentDatabase() EXCLUDES(mutex_) {
    std::shared_ptr<Database> lost;
    std::vector<std::pair<std::string, std::string>> local_files;
    int64_t number = 0;
    {
      MutexLock lock(mutex_);
      while (replacing_) replaced_.wait(mutex_);
      if (!database_->invalidated()) return database_;
      replacing_ = true;
      lost = database_;
      local_files = local_files_;
      number = instances_replaced_ + 1;
    }
    Log(LogLevel::kError, "engine instance replaced after an internal error", {{"number", number}});
    Result<std::shared_ptr<Database>> fresh = OpenDatabase(number);
    for (const auto& [name, path] : local_files) {
      if (!fresh.ok()) break;
      if (Status added = (*fresh)->AddLocalFile(name, path); !added.ok()) fresh = added;
    }
    {
      MutexLock lock(mutex_);
      replacing_ = false;
      replaced_.notify_all();
      if (!fresh.ok()) return fresh.status();
      database_ = *fresh;
      ++instances_replaced_;
    }
    for (const auto& query : registry_->Running()) {
      if (query->database() == lost) query->Stop(Status::Internal("the engine instance of this query was lost"));
    }
    return fresh;
  }

  Status EmptyTempDirectory() const {
    if (options_.temp_directory.empty()) return Status::Ok();
    std::error_code error;
    std::filesystem::create_directories(options_.temp_directory, error);
    for (std::filesystem::directory_iterator it(options_.temp_directory, error), end; !error && it != end;
         it.increment(error)) {
      std::filesystem::remove_all(it->path(), error);
      if (error) break;
    }
    if (error) return Status::Unavailable("cannot empty " + options_.temp_directory + ": " + error.message());
    return Status::Ok();
  }

  Result<std::shared_ptr<Database>> OpenDatabase(int64_t number) const {
    DatabaseOptions options;
    options.memory_limit_bytes = options_.memory_limit_bytes;
    options.max_allocated_bytes = WithSlack(options_.memory_limit_bytes);
    options.threads = options_.threads;
    options.max_temp_bytes = options_.max_temp_bytes;
    options.policy = options_.policy;
    if (!options_.temp_directory.empty())
      options.temp_directory = options_.temp_directory + "/" + std::to_string(number);
    return Database::Open(options, catalog_, system_tables_);
  }

  /// What flushes, compaction and exports freed stays in the process otherwise: malloc returns blocks in use by nobody
  /// only from the end of its heaps.
  void GiveBackFreedNowAndThen() {
    const int64_t now = clock_.MonotonicMicros();
    if (now < next_give_back_) return;
    next_give_back_ = now + kIdleMicros;
    if (UnaccountedResidentBytes() - EngineAllocatedBytes() > kMaxFreedBytes) GiveBackFreed();
  }

  static void GiveBackFreed() {
    ReleaseFreedEngineMemory();
    ReleaseFreedMemory();
  }

  /// Stops the newest query when the process holds more memory than it may; the next tick takes the next. What a query
  /// held is gone only when it has ended, which may be a while after it was stopped: until then no other pays for it.
  void CheckMemory() {
    const int64_t limit = ResidentLimit();
    if (limit == 0 || ProcessResidentBytes() <= limit) return;
    GiveBackFreed();
    if (ProcessResidentBytes() <= limit) return;
    std::shared_ptr<RunningQuery> newest;
    for (const auto& query : registry_->Running()) {
      if (query->database() == nullptr) continue;
      if (query->stopped()) return;
      if (newest == nullptr || query->started_monotonic_micros() > newest->started_monotonic_micros()) newest = query;
    }
    if (newest == nullptr) return;
    Log(LogLevel::kWarning, "query stopped for want of memory", {{"query_id", newest->id()}});
    newest->Stop(Status::ResourceExhausted("the process is out of memory; this query was stopped"));
  }

  int64_t ResidentLimit() const {
    if (options_.max_resident_bytes != 0) return options_.max_resident_bytes;
    return WithSlack(options_.memory_limit_bytes);
  }

  /// Room for what the engine's own limit does not count; no limit stays none.
  static int64_t WithSlack(int64_t memory_limit_bytes) {
    return memory_limit_bytes == 0 ? 0 : 2 * memory_limit_bytes + (int64_t{512} << 20);
  }

  const EngineOptions options_;
  lake::TableCatalog& catalog_;
  Clock& clock_;
  const int64_t id_prefix_;
  std::atomic<int64_t> next_id_ = 1;
  const std::shared_ptr<SystemTableRegistry> system_tables_;
  const std::shared_ptr<QueryRegistry> registry_;
  mutable Mutex mutex_;
  CondVar replaced_;
  bool replacing_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<Database> database_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, std::string>> local_files_ GUARDED_BY(mutex_);
  int64_t instances_replaced_ GUARDED_BY(mutex_) = 0;
  /// On the watching thread only.
  int64_t next_give_back_ = 0;
  Thread watcher_;
};

}  // namespace

Result<std::unique_ptr<QueryService>> QueryService::Open(const EngineOptions& options, lake::TableCatalog& catalog,
                                                         Clock& clock) {
  auto service = std::make_unique<Service>(options, catalog, clock);
  TARN_RETURN_NOT_OK(service->Open());
  return std::unique_ptr<QueryService>(std::move(service));
}

}  // namespace tarn::engine
