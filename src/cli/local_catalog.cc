#include "cli/local_catalog.h"

#include <arrow/type.h>

#include <utility>

#include "delta/table.h"
#include "lake/past_view.h"
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
  const lake::TableName full_name = {kMainDatabase, found->second.name};
  if (as_of.has_value()) {
    const delta::TableContext context{.store = found->second.store, .clock = &clock_, .random = &random_};
    return lake::PastView(full_name, context, *as_of);
  }
  auto view = std::make_shared<lake::TableView>();
  view->name = full_name;
  view->store = found->second.store;
  view->snapshot = found->second.snapshot;
  view->schema = view->snapshot->schema();
  view->partition_columns = view->snapshot->partition_columns();
  return std::shared_ptr<const lake::TableView>(std::move(view));
}

}  // namespace tarn::cli
