#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "lake/living_table.h"
#include "storage/object_store.h"
#include "wal/wal.h"

namespace tarn::lake {

/// One file of rows that were set aside.
struct RejectedFile {
  /// The table's key in the lake.
  std::string table_folder;
  std::string log_uuid;
  wal::Position position = 0;
  int64_t rows = 0;
};

/// The files of a lake's rejected store, whoever wrote them. Thread-safe.
class RejectedFiles {
 public:
  /// `store` is the lake's and outlives this.
  explicit RejectedFiles(storage::ObjectStore& store) : store_(store) {}

  /// Those that are there now: one listing, and the footer of each file not seen before. What is none of ours, or
  /// cannot be read, is left out.
  Result<std::vector<RejectedFile>> List() EXCLUDES(mutex_);

 private:
  /// By key; without a value when the file cannot be read.
  using Known = std::map<std::string, std::optional<RejectedFile>>;

  storage::ObjectStore& store_;
  Mutex mutex_;
  std::shared_ptr<const Known> known_ GUARDED_BY(mutex_) = std::make_shared<Known>();
};

/// Acknowledged rows of one table and one WAL that could not be kept: Parquet files below `_tarn/rejected/`, and how
/// far the log is settled there (docs/formats/lake.md). Thread-compatible.
class RejectedStore {
 public:
  /// `store` is the lake's, `table_folder` the table's key in it.
  RejectedStore(storage::ObjectStore& store, const std::string& table_folder, const std::string& log_uuid);

  /// Durable on return. Named by position and part, so that a repeat after a crash replaces the file.
  Status Write(wal::Position position, size_t part, const RefittedRows::Rejected& rejected);

  /// Makes durable that all rows up to the position are in the table or set aside, for a table whose `txn` cannot be
  /// moved any more. Without it a restart would show the rows again, and might commit them too.
  Status Settle(wal::Position position);
  /// What Settle recorded last; 0 when it never did.
  Result<wal::Position> Settled();

 private:
  std::string SettledKey() const { return prefix_ + ".settled.json"; }

  storage::ObjectStore& store_;
  const std::string prefix_;
};

}  // namespace tarn::lake
