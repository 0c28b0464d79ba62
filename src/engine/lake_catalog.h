#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/query_service.h"
#include "lake/table_view.h"

namespace duckdb {
class ClientContext;
class DatabaseInstance;
struct DBConfig;
}  // namespace duckdb

namespace tarn::engine {

class TransactionBlock;

/// The name under which the lake is attached: `ATTACH '' AS lake (TYPE tarn)`.
inline constexpr char kLakeCatalogName[] = "lake";
/// The storage type that RegisterLakeCatalog makes known to DuckDB.
inline constexpr char kLakeStorageType[] = "tarn";
/// The database whose tables are SystemTable providers; always there, also in a lake without databases.
inline constexpr char kSystemDatabase[] = "system";

/// The tables of database `system` by lower-case name. Thread-safe.
class SystemTableRegistry {
 public:
  /// AlreadyExists when the name is taken.
  Status Add(const std::string& name, std::shared_ptr<SystemTable> table);
  /// Null when there is none; the name in any case.
  std::shared_ptr<SystemTable> Find(const std::string& name) const;
  std::vector<std::string> Names() const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<SystemTable>> tables_ GUARDED_BY(mutex_);
};

/// Makes `ATTACH '' AS lake (TYPE tarn)` work on every instance opened with `config`. In the attached catalog schemas
/// are the lake's databases and `system`, tables are pinned once per transaction at their first use, `AT (VERSION =>
/// n)` and `AT (TIMESTAMP => t)` name a Delta version. `catalog` outlives the instance.
void RegisterLakeCatalog(duckdb::DBConfig& config, lake::TableCatalog& catalog,
                         std::shared_ptr<const SystemTableRegistry> system_tables);

/// The scheme under which scans read data files. `allowed_directories` must hold it where external access is off.
inline constexpr char kLakeScheme[] = "tarn://";

/// Adds the file system of `tarn://` paths. It reads through the ObjectStore of the view that a lake scan passes along
/// with the path, and refuses every path that comes without one, all globs and all writes.
void RegisterLakeFileSystem(duckdb::DatabaseInstance& instance);

/// Makes `database.table` mean the lake where DuckDB has an attached database of the same name (`system`, `memory`,
/// `lake`): a replacement scan, so it comes after whoever clears those.
void RegisterLakeNames(duckdb::DatabaseInstance& instance);

/// Says whether the statements of a connection that follow may change tables: their tables are then pinned with every
/// row committed, for the block that they belong to where there is one.
void LetChangeTables(duckdb::ClientContext& context, bool may, std::shared_ptr<TransactionBlock> block = nullptr);

/// For the history of the table that it changes, the condition of the statement that is planned next on a connection
/// that may change tables (ParsedStatement::condition).
void SetCondition(duckdb::ClientContext& context, std::optional<std::string> condition);
std::optional<std::string> ConditionOf(duckdb::ClientContext& context);

/// A table as a statement sees it.
struct PinnedTable {
  lake::TableName name;
  /// -1 when no version is committed yet.
  int64_t version = -1;
  int64_t buffered_rows = 0;
};

/// The tables pinned so far by the context's active transaction; empty when there is none. To be called by the thread
/// that drives the context, between planning and the end of the statement.
std::vector<PinnedTable> PinnedTables(duckdb::ClientContext& context);

}  // namespace tarn::engine
