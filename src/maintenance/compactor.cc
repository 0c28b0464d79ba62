#include "maintenance/compactor.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace tarn::maintenance {

namespace {

constexpr int64_t kMaxBackoffMicros = 3600 * kMicrosPerSecond;

}  // namespace

Compactor::Compactor(lake::Lake& lake, Clock& clock, const CompactionOptions& options)
    : lake_(lake), clock_(clock), options_(options) {}

Compactor::~Compactor() { Stop(); }

void Compactor::Start() {
  if (options_.interval_micros <= 0) return;
  const int64_t due = clock_.MonotonicMicros() + options_.interval_micros;
  thread_ = Thread("compactor", [this, due] { Loop(due); });
}

void Compactor::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.Join();
}

void Compactor::Loop(int64_t due_monotonic_micros) {
  int64_t due = due_monotonic_micros;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && clock_.WaitUntil(wake_, mutex_, due)) {
      }
      if (stopping_) return;
    }
    RunOnce();
    due = std::max(due + options_.interval_micros, clock_.MonotonicMicros());
  }
}

void Compactor::RunOnce() {
  MutexLock round(round_mutex_);
  const int64_t started = clock_.MonotonicMicros();
  Result<std::vector<lake::TableStatus>> tables = lake_.ListTableStatus();
  if (!tables.ok()) {
    Log(LogLevel::kWarning, "compaction cannot list the tables", {{"error", tables.status().ToString()}});
    MutexLock lock(mutex_);
    ++stats_.failures;
    return;
  }
  std::set<lake::TableName> present;
  for (const lake::TableStatus& table : *tables) {
    present.insert(table.name);
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
    }
    CompactTable(table);
  }
  std::erase_if(tables_, [&](const auto& entry) { return !present.contains(entry.first); });
  MutexLock lock(mutex_);
  ++stats_.rounds;
  stats_.last_round_micros = clock_.MonotonicMicros() - started;
}

void Compactor::CompactTable(const lake::TableStatus& table) {
  TableState& state = tables_[table.name];
  const int64_t now = clock_.MonotonicMicros();
  if (table.version < 0 || table.version == state.version || now < state.not_before_micros) return;
  Result<delta::OptimizeResult> result = lake_.Optimize(table.name, {.target_file_bytes = options_.target_file_bytes});
  if (!result.ok()) {
    ++state.failures;
    const int64_t backoff = std::max<int64_t>(options_.interval_micros, kMicrosPerSecond)
                            << std::min(state.failures, 12);
    state.not_before_micros = now + std::min(backoff, kMaxBackoffMicros);
    Log(LogLevel::kWarning, "compaction of a table failed",
        {{"table", table.name.ToString()}, {"failures", state.failures}, {"error", result.status().ToString()}});
    MutexLock lock(mutex_);
    ++stats_.failures;
    return;
  }
  // A version is remembered only when there was nothing to do, so that what arrived during a rewrite is looked at next
  // time.
  state = {.version = result->version ? -1 : table.version};
  if (!result->version) return;
  Log(LogLevel::kDebug, "compacted a table",
      {{"table", table.name.ToString()},
       {"version", *result->version},
       {"files_removed", result->files_removed},
       {"files_added", result->files_added},
       {"bytes_written", result->bytes_written}});
  MutexLock lock(mutex_);
  ++stats_.tables_compacted;
  stats_.files_removed += result->files_removed;
  stats_.files_added += result->files_added;
  stats_.bytes_read += result->bytes_read;
  stats_.bytes_written += result->bytes_written;
}

CompactionStats Compactor::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace tarn::maintenance
