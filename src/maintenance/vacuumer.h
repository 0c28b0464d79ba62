#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"
#include "lake/lake.h"
#include "maintenance/table_rounds.h"

namespace tarn::maintenance {

struct VacuumScheduleOptions {
  /// Between two rounds; 0 turns vacuum off.
  int64_t interval_micros = 0;
  /// A table's own retention holds where it is longer. It must outlast every flush, rewrite and query: what they write
  /// is not committed yet, and what they read may be removed meanwhile.
  int64_t min_retention_micros = 3600 * kMicrosPerSecond;
};

struct VacuumStats {
  RoundStats rounds;
  int64_t tables_vacuumed = 0;
  int64_t files_deleted = 0;
  int64_t bytes_deleted = 0;
};

/// Vacuums every table of a lake in rounds; those that do not change too, since their files grow old. Thread-safe.
class Vacuumer {
 public:
  /// `lake` and `clock` outlive it.
  Vacuumer(lake::Lake& lake, Clock& clock, const VacuumScheduleOptions& options);

  void Start() { rounds_.Start(); }
  void Stop() { rounds_.Stop(); }
  void RunOnce() { rounds_.RunOnce(); }
  VacuumStats stats() const;

 private:
  Status Vacuum(const lake::TableStatus& table);

  lake::Lake& lake_;
  const VacuumScheduleOptions options_;
  mutable Mutex mutex_;
  VacuumStats stats_ GUARDED_BY(mutex_);
  TableRounds rounds_;
};

}  // namespace tarn::maintenance
