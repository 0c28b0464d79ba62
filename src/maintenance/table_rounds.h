#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "lake/lake.h"

namespace tarn::maintenance {

struct RoundOptions {
  /// Of the thread, and in log lines.
  std::string name;
  /// Between two rounds; 0 lets none begin by itself.
  int64_t interval_micros = 0;
};

struct RoundStats {
  int64_t rounds = 0;
  int64_t failures = 0;
  int64_t last_round_micros = 0;
};

/// Does one thing for every table of a lake that can be read, one after the other, once per interval. A round that
/// takes longer than the interval is followed at once by the next. A table that fails is logged, counted, and left
/// alone for twice as long after each failure: an hour at most, or an interval where that is longer. Thread-safe.
class TableRounds {
 public:
  /// `done_version` is -1 at first, later what the last call for this table left there; a failure sets it back.
  using Work = std::function<Status(const lake::TableStatus& table, int64_t& done_version)>;

  /// `lake`, `clock` and what `work` refers to outlive it.
  TableRounds(lake::Lake& lake, Clock& clock, RoundOptions options, Work work);
  ~TableRounds();

  /// Begins the background thread; its first round is one interval away.
  void Start();
  /// Ends it; work under way is finished first.
  void Stop();

  /// One round now, on the caller's thread.
  void RunOnce() EXCLUDES(round_mutex_);
  RoundStats stats() const;

 private:
  struct TableState {
    int64_t done_version = -1;
    int failures = 0;
    int64_t not_before_micros = 0;
  };

  /// The first round begins at `due_monotonic_micros`.
  void Loop(int64_t due_monotonic_micros);
  void Visit(const lake::TableStatus& table) REQUIRES(round_mutex_);
  int64_t Backoff(int failures) const;

  lake::Lake& lake_;
  Clock& clock_;
  const RoundOptions options_;
  const Work work_;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  RoundStats stats_ GUARDED_BY(mutex_);
  /// Serialises rounds; guards what a round remembers about tables. Taken before mutex_.
  Mutex round_mutex_;
  std::map<lake::TableName, TableState> tables_ GUARDED_BY(round_mutex_);
  Thread thread_;
};

}  // namespace tarn::maintenance
