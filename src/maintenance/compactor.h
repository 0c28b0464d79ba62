#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"
#include "lake/lake.h"
#include "maintenance/table_rounds.h"

namespace tarn::maintenance {

struct CompactionOptions {
  /// Between two rounds; 0 turns compaction off.
  int64_t interval_micros = 60 * kMicrosPerSecond;
  int64_t target_file_bytes = 128 << 20;
};

struct CompactionStats {
  RoundStats rounds;
  int64_t tables_compacted = 0;
  int64_t files_removed = 0;
  int64_t files_added = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
};

/// Compacts every table of a lake in rounds. A table that has not changed since it was last looked at is passed over.
/// Thread-safe.
class Compactor {
 public:
  /// `lake` and `clock` outlive it.
  Compactor(lake::Lake& lake, Clock& clock, const CompactionOptions& options);

  void Start() { rounds_.Start(); }
  void Stop() { rounds_.Stop(); }
  void RunOnce() { rounds_.RunOnce(); }
  CompactionStats stats() const;

 private:
  Status Compact(const lake::TableStatus& table, int64_t& done_version);

  lake::Lake& lake_;
  const CompactionOptions options_;
  mutable Mutex mutex_;
  CompactionStats stats_ GUARDED_BY(mutex_);
  TableRounds rounds_;
};

}  // namespace tarn::maintenance
