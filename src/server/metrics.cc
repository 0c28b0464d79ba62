#include "server/metrics.h"

#include <arrow/memory_pool.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include <vector>

#include "base/process_memory.h"

namespace tarn::server {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

prometheus::Counter& AddCounter(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

/// Families made of numbers that the rooms keep themselves.
class Collected {
 public:
  void Counter(const char* name, const char* help, int64_t value,
               std::vector<prometheus::ClientMetric::Label> labels = {}) {
    Add(name, help, MetricType::Counter, static_cast<double>(value), std::move(labels));
  }
  void Gauge(const char* name, const char* help, double value,
             std::vector<prometheus::ClientMetric::Label> labels = {}) {
    Add(name, help, MetricType::Gauge, value, std::move(labels));
  }
  std::vector<MetricFamily>& families() { return families_; }

 private:
  void Add(const char* name, const char* help, MetricType type, double value,
           std::vector<prometheus::ClientMetric::Label> labels) {
    if (families_.empty() || families_.back().name != name) families_.push_back({name, help, type, {}});
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    if (type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }

  std::vector<MetricFamily> families_;
};

void CollectLake(const lake::LakeStats& stats, Collected& out) {
  out.Counter("tarn_rows_acknowledged_total", "Rows made durable and acknowledged.", stats.rows_acknowledged);
  out.Counter("tarn_rows_flushed_total", "Rows committed to Delta tables.", stats.rows_flushed);
  out.Counter("tarn_rows_rejected_total", "Acknowledged rows that no longer fitted their table.", stats.rows_rejected);
  out.Counter("tarn_flushes_total", "Commits of buffered rows.", stats.flushes);
  out.Counter("tarn_flush_failures_total", "Flushes that failed and will be tried again.", stats.flush_failures);
  out.Gauge("tarn_buffered_rows", "Rows acknowledged and not yet committed.", stats.buffered_rows);
  out.Gauge("tarn_buffered_bytes", "Bytes of the rows not yet committed.", stats.buffered_bytes);
  out.Gauge("tarn_oldest_buffered_age_seconds", "Age of the oldest row not yet committed.",
            static_cast<double>(stats.oldest_buffered_age_micros) / 1e6);
  out.Counter("tarn_wals_adopted_total", "Write-ahead logs taken over from servers that died.", stats.wals_adopted);
  out.Counter("tarn_rows_adopted_total", "Acknowledged rows found in them that were not committed.",
              stats.rows_adopted);
  out.Gauge("tarn_foreign_wals", "Write-ahead logs of other live servers on this lake.", stats.foreign_live_wals);
  out.Gauge("tarn_wal_segments", "Segments of the write-ahead log.", stats.wal.segments);
  out.Gauge("tarn_wal_bytes", "Bytes that the write-ahead log occupies.", stats.wal.bytes);
  out.Counter("tarn_wal_records_total", "Records appended to the write-ahead log.", stats.wal.records_appended);
  out.Counter("tarn_wal_appended_bytes_total", "Bytes appended to the write-ahead log.", stats.wal.bytes_appended);
  out.Counter("tarn_wal_syncs_total", "Syncs of the write-ahead log.", stats.wal.syncs);
  out.Counter("tarn_wal_sync_microseconds_total", "Time spent in them.", stats.wal.sync_micros_total);
}

void CollectQueries(const engine::EngineStats& stats, Collected& out) {
  out.Gauge("tarn_queries_running", "Queries under way.", stats.running);
  out.Gauge("tarn_queries_waiting", "Queries that wait for their turn.", stats.waiting);
  out.Counter("tarn_queries_total", "Queries begun.", stats.started_total);
  out.Counter("tarn_queries_failed_total", "Queries that ended with an error.", stats.failed_total);
  out.Counter("tarn_queries_cancelled_total", "Queries that were cancelled.", stats.cancelled_total);
  out.Gauge("tarn_query_spill_bytes", "Bytes that queries have spilled to disk.", stats.temp_bytes);
  out.Counter("tarn_engine_replaced_total", "Engines replaced after an internal error.", stats.instances_replaced);
}

void CollectCompaction(const maintenance::CompactionStats& stats, Collected& out) {
  out.Counter("tarn_compaction_rounds_total", "Rounds of compaction.", stats.rounds.rounds);
  out.Counter("tarn_compactions_total", "Tables compacted.", stats.tables_compacted);
  out.Counter("tarn_compaction_failures_total", "Compactions that failed and will be tried again.",
              stats.rounds.failures);
  out.Counter("tarn_compaction_files_removed_total", "Small files merged away.", stats.files_removed);
  out.Counter("tarn_compaction_files_added_total", "Files written in their place.", stats.files_added);
  out.Counter("tarn_compaction_read_bytes_total", "Bytes that compaction read.", stats.bytes_read);
  out.Counter("tarn_compaction_written_bytes_total", "Bytes that compaction wrote.", stats.bytes_written);
}

void CollectVacuum(const maintenance::VacuumStats& stats, Collected& out) {
  out.Counter("tarn_vacuum_rounds_total", "Rounds of vacuum.", stats.rounds.rounds);
  out.Counter("tarn_vacuums_total", "Tables of which vacuum deleted files.", stats.tables_vacuumed);
  out.Counter("tarn_vacuum_failures_total", "Vacuums that failed and will be tried again.", stats.rounds.failures);
  out.Counter("tarn_vacuum_files_deleted_total", "Files that vacuum deleted.", stats.files_deleted);
  out.Counter("tarn_vacuum_deleted_bytes_total", "Bytes that vacuum deleted.", stats.bytes_deleted);
}

void CollectStore(const storage::StoreStats& stats, Collected& out) {
  const auto add = [&](const char* name, const char* help, int64_t storage::OperationStats::* member) {
    for (size_t i = 0; i < stats.size(); ++i) {
      const std::string operation(storage::StoreOperationName(static_cast<storage::StoreOperation>(i)));
      out.Counter(name, help, stats[i].*member, {{"operation", operation}});
    }
  };
  add("tarn_store_calls_total", "What was asked of the lake's object store.", &storage::OperationStats::calls);
  add("tarn_store_failures_total", "How much of that failed, after it was tried again.",
      &storage::OperationStats::failures);
  add("tarn_store_bytes_total", "Bytes read from and written to the object store.", &storage::OperationStats::bytes);
  add("tarn_store_microseconds_total", "Time spent in that.", &storage::OperationStats::micros_total);
}

void CollectCache(const storage::DiskCacheStats& stats, Collected& out) {
  out.Counter("tarn_cache_hits_total", "Blocks of the lake's objects found on this machine's disk.", stats.hits);
  out.Counter("tarn_cache_hit_bytes_total", "Bytes of these.", stats.hit_bytes);
  out.Counter("tarn_cache_misses_total", "Blocks that the object store was asked for.", stats.misses);
  out.Counter("tarn_cache_shared_total", "Blocks that came by another reader's request.", stats.shared);
  out.Counter("tarn_cache_stored_bytes_total", "Bytes put on disk.", stats.stored_bytes);
  out.Counter("tarn_cache_store_failures_total", "Blocks that the disk did not take.", stats.store_failures);
  out.Counter("tarn_cache_evicted_bytes_total", "Bytes that made room for others.", stats.evicted_bytes);
  out.Counter("tarn_cache_damaged_total", "Files that were torn or of something else, and were not served.",
              stats.damaged);
  out.Gauge("tarn_cache_bytes", "Bytes on disk, as far as this server knows.", static_cast<double>(stats.held_bytes));
}

void CollectMemory(const MetricSources& sources, Collected& out) {
  const auto share = [](const char* name) { return std::vector<prometheus::ClientMetric::Label>{{"share", name}}; };
  const char* kLimit = "tarn_memory_share_limit_bytes";
  const char* kLimitHelp = "How the memory limit is shared out.";
  out.Gauge(kLimit, kLimitHelp, static_cast<double>(sources.shares.engine), share("engine"));
  out.Gauge(kLimit, kLimitHelp, static_cast<double>(sources.shares.buffers), share("buffers"));
  out.Gauge(kLimit, kLimitHelp, static_cast<double>(sources.shares.requests), share("requests"));
  const char* kUsed = "tarn_memory_share_used_bytes";
  const char* kUsedHelp = "What is used of each share.";
  if (sources.queries != nullptr) {
    out.Gauge(kUsed, kUsedHelp, static_cast<double>(sources.queries->stats().memory_bytes), share("engine"));
  }
  if (sources.buffer_memory != nullptr) {
    out.Gauge(kUsed, kUsedHelp, static_cast<double>(sources.buffer_memory->used_bytes()), share("buffers"));
  }
  if (sources.request_memory != nullptr) {
    out.Gauge(kUsed, kUsedHelp, static_cast<double>(sources.request_memory->used_bytes()), share("requests"));
  }
  out.Gauge("tarn_memory_arrow_bytes", "Held by Arrow: rows of buffers, requests, flushes, compaction and results.",
            static_cast<double>(arrow::default_memory_pool()->bytes_allocated()));
  out.Gauge("tarn_memory_allocated_bytes",
            "All that is allocated outside the engine: what Arrow holds, metadata of tables, requests.",
            static_cast<double>(AllocatedBytes()));
  out.Gauge("process_resident_memory_bytes", "Resident memory of this process.",
            static_cast<double>(ProcessResidentBytes()));
}

}  // namespace

Metrics::Metrics(Clock& clock, std::string version, std::string commit)
    : clock_(clock),
      started_micros_(clock.MonotonicMicros()),
      requests_(prometheus::BuildCounter()
                    .Name("tarn_http_requests_total")
                    .Help("HTTP requests answered, by route and status.")
                    .Register(registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("tarn_http_request_seconds")
                   .Help("From a request's first byte to the last of its answer, by route.")
                   .Register(registry_)),
      bytes_in_(AddCounter(registry_, "tarn_http_received_bytes_total", "Bytes of HTTP requests.")),
      bytes_out_(AddCounter(registry_, "tarn_http_sent_bytes_total", "Bytes of HTTP answers.")),
      lines_kept_(AddCounter(registry_, "tarn_ingest_lines_total", "Lines of line protocol kept.")),
      lines_refused_(AddCounter(registry_, "tarn_ingest_lines_refused_total", "Lines of line protocol refused.")),
      line_bytes_(AddCounter(registry_, "tarn_ingest_bytes_total", "Bytes of line protocol, decoded.")),
      writes_acknowledged_(AddCounter(registry_, "tarn_ingest_acknowledged_total", "Writes acknowledged.")),
      writes_failed_(AddCounter(registry_, "tarn_ingest_failed_total", "Writes of which nothing was kept.")) {
  prometheus::BuildGauge()
      .Name("tarn_build_info")
      .Help("Version and commit of this program.")
      .Register(registry_)
      .Add({{"version", std::move(version)}, {"commit", std::move(commit)}})
      .Set(1);
}

void Metrics::SetSources(const MetricSources& sources) {
  MutexLock lock(mutex_);
  sources_ = sources;
}

void Metrics::CountRequest(const frontends::HttpRecord& record) {
  static const prometheus::Histogram::BucketBoundaries kBuckets = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                                                   0.2,    0.5,   1,     2,     5,    10,   30,   60};
  RouteMetrics metrics{};
  {
    MutexLock lock(mutex_);
    auto [entry, is_new] = routes_.try_emplace({record.route, record.status});
    if (is_new) {
      const std::string route(record.route);
      entry->second.requests = &requests_.Add({{"route", route}, {"status", std::to_string(record.status)}});
      entry->second.seconds = &seconds_.Add({{"route", route}}, kBuckets);
    }
    metrics = entry->second;
  }
  metrics.requests->Increment();
  metrics.seconds->Observe(static_cast<double>(record.micros) / 1e6);
  bytes_in_.Increment(static_cast<double>(record.bytes_in));
  bytes_out_.Increment(static_cast<double>(record.bytes_out));
}

void Metrics::CountWrite(const ingest::WriteOutcome& outcome, size_t bytes) {
  if (!outcome.status.ok()) return writes_failed_.Increment();
  writes_acknowledged_.Increment();
  lines_kept_.Increment(static_cast<double>(outcome.lines_kept));
  lines_refused_.Increment(static_cast<double>(outcome.error_count));
  line_bytes_.Increment(static_cast<double>(bytes));
}

std::string Metrics::Text() const {
  MetricSources sources;
  {
    MutexLock lock(mutex_);
    sources = sources_;
  }
  Collected collected;
  if (sources.lake != nullptr) CollectLake(sources.lake->stats(), collected);
  if (sources.queries != nullptr) CollectQueries(sources.queries->stats(), collected);
  if (sources.compactor != nullptr) CollectCompaction(sources.compactor->stats(), collected);
  if (sources.vacuumer != nullptr) CollectVacuum(sources.vacuumer->stats(), collected);
  if (sources.store != nullptr) CollectStore(sources.store->stats(), collected);
  if (sources.cache != nullptr) CollectCache(sources.cache->stats(), collected);
  CollectMemory(sources, collected);
  if (sources.http != nullptr) {
    const frontends::HttpServerStats stats = sources.http->stats();
    collected.Gauge("tarn_http_connections", "Open HTTP connections.", static_cast<double>(stats.connections));
    collected.Counter("tarn_http_connections_refused_total", "Connections refused because there were too many.",
                      stats.connections_refused);
  }
  collected.Gauge("tarn_uptime_seconds", "Since this process began.",
                  static_cast<double>(clock_.MonotonicMicros() - started_micros_) / 1e6);
  std::vector<MetricFamily> families = registry_.Collect();
  for (MetricFamily& family : collected.families()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tarn::server
