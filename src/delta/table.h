#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/status.h"
#include "columnar/time_zone.h"
#include "delta/snapshot.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// The log file of a version, relative to the table: "_delta_log/00000000000000000012.json".
std::string CommitKey(int64_t version);

class CommitStore;

/// What a table needs from its surroundings; all outlive it.
struct TableContext {
  /// Rooted at the table's folder.
  std::shared_ptr<storage::ObjectStore> store;
  Clock* clock = nullptr;
  Random* random = nullptr;
  /// Where commits are decided; put-if-absent on `store` when not given.
  std::shared_ptr<CommitStore> commits;
  /// Of partition values that are timestamps and do not name a zone: what other writers' clocks showed.
  columnar::TimeZone partition_timezone = {};
};

/// Reads the newest version. What is derived of commits and does not fit them, a checkpoint that cannot be read or a
/// version checksum that is not what replay gives, is passed over and told in the program's log. NotFound when there is
/// no log; Unsupported names the feature that this program cannot read; Corruption names file and place.
Result<std::shared_ptr<const Snapshot>> LoadSnapshot(const TableContext& table);

/// The `txn` version that an application has reached, also in a table whose features cannot be read; nullopt when it
/// has none. NotFound when there is no log; Unsupported when only a checkpoint of an unknown kind makes the log
/// complete.
Result<std::optional<int64_t>> ReadTxnVersion(const TableContext& table, const std::string& app_id);

/// Reads a given version; NotFound when the log does not reach it.
Result<std::shared_ptr<const Snapshot>> LoadSnapshotAt(const TableContext& table, int64_t version);

/// The newest version whose commit is not later than the time, which may lie ahead; NotFound before the first commit
/// that the log still holds.
Result<int64_t> VersionAtTimestamp(const TableContext& table, int64_t timestamp_millis);

/// The same without reading the table, whose newest version the caller has.
Result<int64_t> VersionAtTimestamp(const TableContext& table, const Snapshot& newest, int64_t timestamp_millis);

/// Brings a snapshot up to the newest version at a cost of O(new actions): looks for the next version, and whether the
/// snapshot's own is still the one that was read. When it is not (log cleanup went past it, or the table was dropped
/// and perhaps made again), the table is loaded anew: the result may be another table or an older version, or NotFound.
/// Returns the same snapshot when nothing is new.
Result<std::shared_ptr<const Snapshot>> Refresh(const TableContext& table,
                                                const std::shared_ptr<const Snapshot>& snapshot);

/// True when the folder holds a Delta log.
Result<bool> TableExists(storage::ObjectStore& table_store);

struct HistoryEntry {
  int64_t version = 0;
  int64_t timestamp_millis = 0;
  CommitInfo info;
  int64_t files_added = 0;
  int64_t files_removed = 0;
};

/// Commits newest first, at most `limit`, as far back as their JSON is kept.
Result<std::vector<HistoryEntry>> ReadHistory(const TableContext& table, const Snapshot& snapshot, int64_t limit);

}  // namespace tarn::delta
