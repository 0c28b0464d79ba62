#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/environment.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/uri.h"
#include "engine/query_service.h"
#include "frontends/http/http_server.h"
#include "frontends/http/http_service.h"
#include "ingest/body.h"
#include "ingest/write_service.h"
#include "lake/lake.h"
#include "maintenance/compactor.h"
#include "maintenance/vacuumer.h"
#include "server/lake_place.h"
#include "server/metrics.h"
#include "server/system_tables.h"
#include "storage/disk_cache.h"
#include "storage/metering_store.h"
#include "storage/segment_store.h"
#include "storage/served_store.h"
#include "storage/stores.h"

namespace tarn::server {

namespace {

constexpr int kFlushThreads = 8;
constexpr int kMaxConcurrentQueries = 8;
constexpr int kMaxTempSlots = 64;
/// Nobody writes one file for so long.
constexpr int64_t kStagedFileAgeMicros = 24 * 3600 * kMicrosPerSecond;

/// A folder of `root` that is this process's own, so that servers that share a lake do not empty each other's.
Result<std::pair<std::string, std::unique_ptr<storage::FolderLock>>> TakeTempSlot(const std::string& root) {
  for (int i = 0; i < kMaxTempSlots; ++i) {
    const std::string slot = JoinPath(root, std::to_string(i));
    auto lock = storage::LockFolder(slot);
    if (lock.ok()) return std::pair(JoinPath(slot, "spill"), std::move(lock).value());
    if (!lock.status().Is(StatusCode::kConflict)) return lock.status().WithContext("temp_directory");
  }
  return Status::ResourceExhausted("all temporary folders in '" + root + "' are in use");
}

class WholeServer final : public Server {
 public:
  WholeServer(const ServerOptions& options, Clock& clock, Random& random)
      : options_(options),
        clock_(clock),
        random_(random),
        memory_limit_(MemoryLimit(options.config)),
        shares_(SplitMemory(memory_limit_)),
        buffer_memory_("buffers", static_cast<size_t>(shares_.buffers)),
        request_memory_("requests", static_cast<size_t>(shares_.requests)),
        metrics_(clock, options.version, options.commit),
        service_({.version = options.version,
                  .commit = options.commit,
                  .max_body_bytes = std::min(ingest::kMaxBodyBytes, static_cast<size_t>(shares_.requests) / 2),
                  .metrics_text = [this] { return metrics_.Text(); }},
                 random) {
    sources_.buffer_memory = &buffer_memory_;
    sources_.request_memory = &request_memory_;
    sources_.shares = shares_;
    metrics_.SetSources(sources_);
  }

  ~WholeServer() override {
    stopping_ = true;
    // Breaks off what still runs, and waits for it: first of all, since it uses everything else.
    sources_.http = nullptr;
    metrics_.SetSources(sources_);
    http_.reset();
    if (lake_ != nullptr) lake_->Close();
  }

  Status Listen() {
    TARN_ASSIGN_OR_RETURN(const HostPort address, ParseAddress(options_.config.addr_http));
    if (!address.loopback && !options_.insecure_listen) {
      return Status::InvalidArgument(
          "'" + options_.config.addr_http +
          "' can be reached by others and there is no authentication yet; add --insecure-listen if that is meant");
    }
    frontends::HttpServerOptions http;
    http.host = address.host;
    http.port = address.port;
    http.query_threads = kMaxConcurrentQueries + 2;
    // The other half is for the files of the lake.
    http.max_connections = static_cast<int>(std::clamp<int64_t>(RaiseOpenFileLimit() / 2, 1, http.max_connections));
    TARN_ASSIGN_OR_RETURN(http_, frontends::HttpServer::Start(
                                     http, service_, request_memory_, clock_,
                                     [this](const frontends::HttpRecord& record) { metrics_.CountRequest(record); }));
    sources_.http = http_.get();
    metrics_.SetSources(sources_);
    // /health answers from here on, but only OpenLake knows whether there will be more than that.
    Log(LogLevel::kInfo, "opening the lake", {{"lake", options_.config.lake}, {"url", Url()}});
    return Status::Ok();
  }

  Status OpenLake() override {
    const int64_t began = clock_.MonotonicMicros();
    TARN_ASSIGN_OR_RETURN(const LakePlace place, FindLake(options_.config.lake,
                                                          {.state_directory = options_.config.state_directory,
                                                           .entries = options_.config.dynamodb},
                                                          ProcessEnvironment(), LakeAccess::kWrite));
    TARN_RETURN_NOT_OK(OpenTables(place));
    TARN_RETURN_NOT_OK(OpenEngine(place));
    StartMaintenance();
    sources_.lake = lake_.get();
    sources_.store = metered_store_.get();
    sources_.cache = cache_.get();
    sources_.queries = queries_.get();
    sources_.compactor = compactor_.get();
    sources_.vacuumer = vacuumer_.get();
    metrics_.SetSources(sources_);
    service_.Attach({.queries = queries_.get(),
                     .write_lines = [this](const std::string& database, std::string_view body,
                                           const ingest::WriteOptions& options) {
                       ingest::WriteOutcome outcome = writes_->WriteLines(database, body, options);
                       metrics_.CountWrite(outcome, body.size());
                       return outcome;
                     }});
    if (!place.folder.empty()) {
      sweep_ = Thread("tarn-sweep", [this, folder = place.folder] { SweepStagedFiles(folder); });
    }
    Log(LogLevel::kInfo, "listening",
        {{"url", Url()},
         {"lake", place.folder.empty() ? place.store->uri() : place.folder},
         {"wal", place.wal_root},
         {"replayed_rows", lake_->stats().buffered_rows},
         {"memory_limit_mib", memory_limit_ >> 20},
         {"start_ms", (clock_.MonotonicMicros() - began) / kMicrosPerMilli}});
    return Status::Ok();
  }

  Status Shutdown(int64_t drain_micros) override {
    stopping_ = true;
    service_.Detach();
    if (http_ != nullptr && !http_->Drain(drain_micros)) {
      Log(LogLevel::kWarning, "requests were broken off", {{"connections", http_->stats().connections}});
    }
    if (compactor_ != nullptr) compactor_->Stop();
    if (vacuumer_ != nullptr) vacuumer_->Stop();
    if (lake_ == nullptr) return Status::Ok();
    // A write that is still under way is refused from Close on, or acknowledged from the write-ahead log.
    const Status flushed = lake_->FlushAll();
    if (!flushed.ok()) {
      Log(LogLevel::kError, "not every row could be committed; the write-ahead log keeps them",
          {{"error", flushed.ToString()}});
    }
    lake_->Close();
    return flushed;
  }

  const std::string& address() const override { return http_->address(); }

 private:
  std::string Url() const { return "http://" + http_->address(); }

  /// Walks the whole lake, so that nobody waits for it.
  void SweepStagedFiles(const std::string& folder) {
    const int64_t a_day_ago = clock_.WallMicros() - kStagedFileAgeMicros;
    const int64_t removed = storage::RemoveStagedFiles(folder, a_day_ago, stopping_);
    if (removed > 0) Log(LogLevel::kInfo, "removed files that killed processes left unfinished", {{"files", removed}});
  }

  Status OpenTables(const LakePlace& place) {
    flush_pool_ = std::make_unique<ThreadPool>(ThreadPoolOptions{"tarn-flush", kFlushThreads, 1024});
    lake::LakeOptions options;
    options.store = place.store;
    if (place.folder.empty()) {
      metered_store_ = storage::MakeMeteringStore(storage::MakeServedStore(place.store), clock_);
      options.store = metered_store_;
      if (!options_.config.cache_directory.empty()) {
        TARN_ASSIGN_OR_RETURN(
            cache_, storage::DiskCache::Open(
                        {.folder = options_.config.cache_directory, .max_bytes = options_.config.cache_size}, clock_));
        options.store = cache_->Over(metered_store_);
      }
    }
    options.wal_root = place.wal_root;
    options.partition_timezone = options_.config.partition_timezone;
    TARN_ASSIGN_OR_RETURN(options.readable_roots, delta::OpenReadableRoots(options_.config.roots));
    options.flush = {.max_age_micros = options_.config.flush_max_age_micros,
                     .max_rows = options_.config.flush_max_rows,
                     .max_bytes = options_.config.flush_max_bytes};
    options.clock = &clock_;
    options.random = &random_;
    options.buffer_budget = &buffer_memory_;
    options.executor = flush_pool_.get();
    TARN_ASSIGN_OR_RETURN(lake_, lake::Lake::Open(options));
    writes_ = std::make_unique<ingest::WriteService>(*lake_, clock_);
    return Status::Ok();
  }

  Status OpenEngine(const LakePlace& place) {
    const std::string& configured = options_.config.temp_directory;
    TARN_ASSIGN_OR_RETURN(auto slot, TakeTempSlot(configured.empty() ? place.temp_root : configured));
    temp_lock_ = std::move(slot.second);
    engine::EngineOptions options;
    options.memory_limit_bytes = shares_.engine;
    // What the process holds while idle comes on top.
    options.max_resident_bytes = memory_limit_ + (int64_t{256} << 20);
    options.threads = AvailableProcessors();
    options.temp_directory = slot.first;
    options.max_concurrent = kMaxConcurrentQueries;
    options.policy.writes = options_.config.query_writes;
    options.default_limits = {.timeout_micros = options_.config.query_timeout_micros,
                              .max_rows = options_.config.query_max_rows};
    TARN_ASSIGN_OR_RETURN(queries_, engine::QueryService::Open(options, *lake_, clock_));
    return RegisterSystemTables(*lake_, clock_, random_, *queries_);
  }

  void StartMaintenance() {
    const Config& config = options_.config;
    compactor_ = std::make_unique<maintenance::Compactor>(
        *lake_, clock_,
        maintenance::CompactionOptions{.interval_micros = config.compaction_interval_micros,
                                       .target_file_bytes = config.compaction_target_size});
    compactor_->Start();
    vacuumer_ = std::make_unique<maintenance::Vacuumer>(
        *lake_, clock_,
        maintenance::VacuumScheduleOptions{.interval_micros = config.vacuum_interval_micros,
                                           .min_retention_micros = config.vacuum_min_retention_micros});
    vacuumer_->Start();
  }

  const ServerOptions options_;
  Clock& clock_;
  Random& random_;
  const int64_t memory_limit_;
  const MemoryShares shares_;
  // In the order of use: what comes later refers to what comes before, and is destroyed first.
  MemoryBudget buffer_memory_;
  MemoryBudget request_memory_;
  Metrics metrics_;
  MetricSources sources_;
  /// Null for a local lake.
  std::shared_ptr<storage::MeteringStore> metered_store_;
  /// Over that; null where none is configured.
  std::shared_ptr<storage::DiskCache> cache_;
  std::unique_ptr<ThreadPool> flush_pool_;
  std::unique_ptr<lake::Lake> lake_;
  std::unique_ptr<ingest::WriteService> writes_;
  std::unique_ptr<storage::FolderLock> temp_lock_;
  std::unique_ptr<engine::QueryService> queries_;
  std::unique_ptr<maintenance::Compactor> compactor_;
  std::unique_ptr<maintenance::Vacuumer> vacuumer_;
  frontends::HttpService service_;
  std::unique_ptr<frontends::HttpServer> http_;
  std::atomic<bool> stopping_ = false;
  Thread sweep_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Clock& clock, Random& random) {
  auto server = std::make_unique<WholeServer>(options, clock, random);
  TARN_RETURN_NOT_OK(server->Listen());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tarn::server
