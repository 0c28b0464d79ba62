#include "maintenance/compactor.h"

#include "base/log.h"

namespace tarn::maintenance {

Compactor::Compactor(lake::Lake& lake, Clock& clock, const CompactionOptions& options)
    : lake_(lake),
      options_(options),
      rounds_(lake, clock, {.name = "compactor", .interval_micros = options.interval_micros},
              [this](const lake::TableStatus& table, int64_t& done_version) { return Compact(table, done_version); }) {}

Status Compactor::Compact(const lake::TableStatus& table, int64_t& done_version) {
  if (table.version == done_version) return Status::Ok();
  // Beside requests, one thread.
  const delta::OptimizeOptions optimize{.target_file_bytes = options_.target_file_bytes, .decode_ahead = false};
  TARN_ASSIGN_OR_RETURN(const delta::OptimizeResult result, lake_.Optimize(table.name, optimize));
  // A version is remembered only when there was nothing to do, so that what arrived during a rewrite is looked at next
  // time.
  done_version = result.version ? -1 : table.version;
  if (!result.version) return Status::Ok();
  Log(LogLevel::kDebug, "compacted a table",
      {{"table", table.name.ToString()},
       {"version", *result.version},
       {"files_removed", result.files_removed},
       {"files_added", result.files_added},
       {"bytes_written", result.bytes_written}});
  MutexLock lock(mutex_);
  ++stats_.tables_compacted;
  stats_.files_removed += result.files_removed;
  stats_.files_added += result.files_added;
  stats_.bytes_read += result.bytes_read;
  stats_.bytes_written += result.bytes_written;
  return Status::Ok();
}

CompactionStats Compactor::stats() const {
  const RoundStats rounds = rounds_.stats();
  MutexLock lock(mutex_);
  CompactionStats stats = stats_;
  stats.rounds = rounds;
  return stats;
}

}  // namespace tarn::maintenance
