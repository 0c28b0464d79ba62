#include "cli/local_catalog.h"

#include <arrow/type.h>

#include <utility>

#include "delta/table.h"
#include "storage/stores.h"

namespace tarn::cli {

namespace {

constexpr char kMainDatabase[] = "main";

}  // namespace

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

Status LocalCatalog::AddDeltaTable(const std::string& name, const std::string& uri) {
  DeltaTable table;
  table.name = name;
  TARN_ASSIGN_OR_RETURN(table.store, storage::OpenStore(uri));
  auto snapshot = delta::LoadSnapshot({.store = table.store, .clock = &clock_, .random = &random_});
  if (!snapshot.ok()) return snapshot.status().WithContext("'" + uri + "'");
  table.snapshot = std::move(snapshot).value();
  tables_[LowerCase(name)] = std::move(table);
  return Status::Ok();
}

Result<std::vector<std::string>> LocalCatalog::ListDatabases() {
  if (lake_ == nullptr) return std::vector<std::string>();
  return lake_->ListDatabases();
}

Result<std::vector<std::string>> LocalCatalog::ListTables(const std::string& database) {
  if (LowerCase(database) == kMainDatabase) {
    std::vector<std::string> names;
    for (const auto& [lower, table] : tables_) names.push_back(table.name);
    return names;
  }
  if (lake_ == nullptr) return Status::NotFound("there is no database '" + database + "'");
  return lake_->ListTables(database);
}

Result<std::shared_ptr<const delta::Snapshot>> LocalCatalog::SnapshotAt(const DeltaTable& table,
                                                                        const lake::AsOf& as_of) {
  const delta::TableContext context{.store = table.store, .clock = &clock_, .random = &random_};
  if (as_of.version.has_value()) return delta::LoadSnapshotAt(context, *as_of.version);
  if (!as_of.timestamp_micros.has_value()) return table.snapshot;
  // A commit of the same millisecond counts as not later; before 1970 the division rounds towards zero, that is later.
  const int64_t micros = *as_of.timestamp_micros;
  const int64_t millis = micros / 1000 - (micros % 1000 < 0 ? 1 : 0);
  TARN_ASSIGN_OR_RETURN(const int64_t version, delta::VersionAtTimestamp(context, millis));
  return delta::LoadSnapshotAt(context, version);
}

Result<std::shared_ptr<const lake::TableView>> LocalCatalog::Pin(const lake::TableName& name,
                                                                 const std::optional<lake::AsOf>& as_of) {
  if (LowerCase(name.database) != kMainDatabase) {
    if (lake_ == nullptr) return Status::NotFound("there is no table '" + name.ToString() + "'");
    return lake_->Pin(name, as_of);
  }
  const auto found = tables_.find(LowerCase(name.table));
  if (found == tables_.end()) {
    return Status::NotFound("there is no Delta table '" + name.table + "'" +
                            (as_of.has_value() ? "; only these have versions" : ""));
  }
  auto view = std::make_shared<lake::TableView>();
  view->name = {kMainDatabase, found->second.name};
  view->store = found->second.store;
  view->snapshot = found->second.snapshot;
  if (as_of.has_value()) {
    TARN_ASSIGN_OR_RETURN(view->snapshot, SnapshotAt(found->second, *as_of));
  }
  view->schema = view->snapshot->schema();
  view->partition_columns = view->snapshot->partition_columns();
  return std::shared_ptr<const lake::TableView>(std::move(view));
}

}  // namespace tarn::cli
