#include "maintenance/table_rounds.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"

namespace tarn::maintenance {

namespace {

constexpr int64_t kMaxBackoffMicros = 3600 * kMicrosPerSecond;

}  // namespace

TableRounds::TableRounds(lake::Lake& lake, Clock& clock, RoundOptions options, Work work)
    : lake_(lake), clock_(clock), options_(std::move(options)), work_(std::move(work)) {}

TableRounds::~TableRounds() { Stop(); }

void TableRounds::Start() {
  if (options_.interval_micros <= 0) return;
  const int64_t due = clock_.MonotonicMicros() + options_.interval_micros;
  thread_ = Thread(options_.name, [this, due] { Loop(due); });
}

void TableRounds::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.Join();
}

void TableRounds::Loop(int64_t due_monotonic_micros) {
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

void TableRounds::RunOnce() {
  MutexLock round(round_mutex_);
  const int64_t started = clock_.MonotonicMicros();
  const Result<std::vector<lake::TableStatus>> tables = lake_.ListTableStatus();
  if (!tables.ok()) {
    Log(LogLevel::kWarning, "maintenance cannot list the tables",
        {{"by", options_.name}, {"error", tables.status().ToString()}});
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
    Visit(table);
  }
  std::erase_if(tables_, [&](const auto& entry) { return !present.contains(entry.first); });
  MutexLock lock(mutex_);
  ++stats_.rounds;
  stats_.last_round_micros = clock_.MonotonicMicros() - started;
}

void TableRounds::Visit(const lake::TableStatus& table) {
  TableState& state = tables_[table.name];
  const int64_t now = clock_.MonotonicMicros();
  if (table.version < 0 || now < state.not_before_micros) return;
  const Status done = work_(table, state.done_version);
  if (done.ok()) {
    state = {.done_version = state.done_version};
    return;
  }
  state.done_version = -1;
  ++state.failures;
  state.not_before_micros = now + Backoff(state.failures);
  Log(LogLevel::kWarning, "maintenance of a table failed",
      {{"by", options_.name},
       {"table", table.name.ToString()},
       {"failures", state.failures},
       {"error", done.ToString()}});
  MutexLock lock(mutex_);
  ++stats_.failures;
}

int64_t TableRounds::Backoff(int failures) const {
  const int64_t interval = std::max<int64_t>(options_.interval_micros, kMicrosPerSecond);
  if (interval >= kMaxBackoffMicros) return interval;
  return std::min(interval << std::min(failures, 12), kMaxBackoffMicros);
}

RoundStats TableRounds::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace tarn::maintenance
