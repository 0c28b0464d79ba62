#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "columnar/time_zone.h"
#include "delta/readable_roots.h"
#include "delta/table_store.h"
#include "storage/disk_cache.h"

namespace CLI {
class App;
}

namespace tarn::cli {

/// What was given as flags, by the key of the configuration.
using GivenKeys = std::map<std::string, std::string>;

/// Declares a flag for each key of the configuration that begins with `prefix`: --dynamodb-table for dynamodb.table.
/// `given` must outlive `app`.
void AddConfigOptions(CLI::App& app, std::string_view prefix, GivenKeys& given);

/// Which lake a command works on, or beside which tables.
struct LakeChoice {
  std::string uri;
  /// Keys that say how tables are opened: partition_timezone, roots, dynamodb.* and cache.*.
  GivenKeys given;
};

/// How the tables of a lake, and those beside it, are opened.
struct TableSettings {
  columnar::TimeZone partition_timezone;
  std::vector<std::string> roots;
  delta::EntryTable entries;
  /// Of distant stores; none where the folder is empty.
  storage::DiskCacheOptions cache;
};

/// A store that is read for queries, through the cache on disk where there is one and the store is distant.
Result<std::shared_ptr<storage::ObjectStore>> ThroughCache(std::shared_ptr<storage::ObjectStore> store,
                                                           const TableSettings& settings);

/// What tables below `uri` may name: any file where that is on this machine's disk, whose user asks for it, else the
/// roots that are configured.
Result<delta::ReadableRoots> RootsFor(std::string_view uri, const TableSettings& settings);

/// Declares --lake, --partition-timezone, --roots and, for tables in S3, --dynamodb-table and its like. `choice` must
/// outlive `app`.
void AddLakeOptions(CLI::App& app, const std::string& description, LakeChoice& choice);

/// What flags and variables of those keys say. InvalidArgument names the one that is wrong.
Result<TableSettings> TableSettingsOf(const LakeChoice& choice);
/// As above, of memory_limit, in bytes.
Result<int64_t> MemoryLimitOf(const GivenKeys& given);

/// For --server, which leaves the work to another process: InvalidArgument names what would be of this one, a lake or
/// a table when it `names_tables`, and any of the keys.
Status CheckServerStandsAlone(bool names_tables, const GivenKeys& given);

}  // namespace tarn::cli
