#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "lake/lake.h"

namespace tarn::maintenance {

struct CompactionOptions {
  /// Between two rounds; 0 turns compaction off.
  int64_t interval_micros = 60 * kMicrosPerSecond;
  int64_t target_file_bytes = 128 << 20;
};

struct CompactionStats {
  int64_t rounds = 0;
  int64_t tables_compacted = 0;
  int64_t files_removed = 0;
  int64_t files_added = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  int64_t failures = 0;
  int64_t last_round_micros = 0;
};

/// Compacts every table of a lake, one after the other, once per interval. A round that takes longer than the interval
/// is followed at once by the next. A table that has not changed since it was last looked at is passed over. One that
/// fails is logged, counted, and waits twice as long after each failure, an hour at most. Thread-safe.
class Compactor {
 public:
  /// `lake` and `clock` outlive it.
  Compactor(lake::Lake& lake, Clock& clock, const CompactionOptions& options);
  ~Compactor();

  /// Begins the background thread; its first round is one interval away.
  void Start();
  /// Ends it; a rewrite under way is finished first.
  void Stop();

  /// One round now, on the caller's thread.
  void RunOnce() EXCLUDES(round_mutex_);
  CompactionStats stats() const;

 private:
  struct TableState {
    int64_t version = -1;
    int failures = 0;
    int64_t not_before_micros = 0;
  };

  /// The first round begins at `due_monotonic_micros`.
  void Loop(int64_t due_monotonic_micros);
  void CompactTable(const lake::TableStatus& table) REQUIRES(round_mutex_);

  lake::Lake& lake_;
  Clock& clock_;
  const CompactionOptions options_;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  CompactionStats stats_ GUARDED_BY(mutex_);
  /// Serialises rounds; guards what a round remembers about tables. Taken before mutex_.
  Mutex round_mutex_;
  std::map<lake::TableName, TableState> tables_ GUARDED_BY(round_mutex_);
  Thread thread_;
};

}  // namespace tarn::maintenance
