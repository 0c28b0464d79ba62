#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/mutex.h"
#include "engine/query_service.h"
#include "frontends/http/http_server.h"
#include "ingest/write_service.h"
#include "lake/lake.h"
#include "maintenance/compactor.h"
#include "maintenance/vacuumer.h"
#include "server/config.h"
#include "storage/disk_cache.h"
#include "storage/metering_store.h"

namespace tarn::server {

/// Where the numbers come from; null until that part runs. What is set outlives the metrics.
struct MetricSources {
  const frontends::HttpServer* http = nullptr;
  const lake::Lake* lake = nullptr;
  const engine::QueryService* queries = nullptr;
  const maintenance::Compactor* compactor = nullptr;
  const maintenance::Vacuumer* vacuumer = nullptr;
  /// Of a lake that is not on this disk.
  const storage::MeteringStore* store = nullptr;
  const storage::DiskCache* cache = nullptr;
  const MemoryBudget* buffer_memory = nullptr;
  const MemoryBudget* request_memory = nullptr;
  MemoryShares shares;
};

/// The numbers of one server, in Prometheus' text format. Thread-safe.
class Metrics {
 public:
  Metrics(Clock& clock, std::string version, std::string commit);

  void SetSources(const MetricSources& sources) EXCLUDES(mutex_);
  void CountRequest(const frontends::HttpRecord& record) EXCLUDES(mutex_);
  void CountWrite(const ingest::WriteOutcome& outcome, size_t bytes);

  std::string Text() const EXCLUDES(mutex_);

 private:
  struct RouteMetrics {
    prometheus::Counter* requests;
    prometheus::Histogram* seconds;
  };

  Clock& clock_;
  const int64_t started_micros_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Counter& bytes_in_;
  prometheus::Counter& bytes_out_;
  prometheus::Counter& lines_kept_;
  prometheus::Counter& lines_refused_;
  prometheus::Counter& line_bytes_;
  prometheus::Counter& writes_acknowledged_;
  prometheus::Counter& writes_failed_;
  mutable Mutex mutex_;
  std::map<std::pair<std::string_view, int>, RouteMetrics> routes_ GUARDED_BY(mutex_);
  MetricSources sources_ GUARDED_BY(mutex_);
};

}  // namespace tarn::server
