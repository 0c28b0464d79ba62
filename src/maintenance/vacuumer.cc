#include "maintenance/vacuumer.h"

#include "base/log.h"

namespace tarn::maintenance {

Vacuumer::Vacuumer(lake::Lake& lake, Clock& clock, const VacuumScheduleOptions& options)
    : lake_(lake),
      options_(options),
      rounds_(lake, clock, {.name = "vacuum", .interval_micros = options.interval_micros},
              [this](const lake::TableStatus& table, int64_t&) { return Vacuum(table); }) {}

Status Vacuumer::Vacuum(const lake::TableStatus& table) {
  const delta::VacuumOptions options{.min_retention_millis = options_.min_retention_micros / kMicrosPerMilli};
  TARN_ASSIGN_OR_RETURN(const delta::VacuumResult result, lake_.Vacuum(table.name, options));
  if (result.files == 0) return Status::Ok();
  Log(LogLevel::kInfo, "vacuumed a table",
      {{"table", table.name.ToString()}, {"files", result.files}, {"bytes", result.bytes}});
  MutexLock lock(mutex_);
  ++stats_.tables_vacuumed;
  stats_.files_deleted += result.files;
  stats_.bytes_deleted += result.bytes;
  return Status::Ok();
}

VacuumStats Vacuumer::stats() const {
  const RoundStats rounds = rounds_.stats();
  MutexLock lock(mutex_);
  VacuumStats stats = stats_;
  stats.rounds = rounds;
  return stats;
}

}  // namespace tarn::maintenance
