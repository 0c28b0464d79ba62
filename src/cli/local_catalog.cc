#include "cli/local_catalog.h"

#include <arrow/type.h>

#include <utility>

#include "base/environment.h"
#include "delta/letter_case.h"
#include "delta/operations/after_commit.h"
#include "delta/table_store.h"
#include "lake/committed_view.h"

namespace tarn::cli {

using delta::LowerCase;

namespace {

constexpr char kMainDatabase[] = "main";

}  // namespace

Status LocalCatalog::AddDeltaTable(const std::string& name, const std::string& uri, const TableSettings& settings) {
  DeltaTable table;
  table.name = name;
  TARN_ASSIGN_OR_RETURN(auto store, delta::OpenTableStore(uri, settings.entries, ProcessEnvironment()));
  TARN_ASSIGN_OR_RETURN(store, ThroughCache(std::move(store), settings));
  TARN_ASSIGN_OR_RETURN(auto roots, RootsFor(uri, settings));
  table.context.store = delta::MakeStoreWithRoots(std::move(store), std::move(roots));
  table.context.clock = &clock_;
  table.context.random = &random_;
  table.context.partition_timezone = settings.partition_timezone;
  auto snapshot = delta::LoadSnapshot(table.context);
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
  if (as_of.has_value()) return lake::PastView(full_name, found->second.context, *as_of);
  TARN_ASSIGN_OR_RETURN(const auto snapshot, Newest(found->second));
  return lake::CommittedView(full_name, found->second.context, snapshot);
}

Result<std::shared_ptr<const delta::Snapshot>> LocalCatalog::Newest(DeltaTable& table) {
  std::shared_ptr<const delta::Snapshot> known;
  {
    MutexLock lock(mutex_);
    if (std::exchange(table.is_new, false)) return table.snapshot;
    known = table.snapshot;
  }
  TARN_ASSIGN_OR_RETURN(auto newest, delta::Refresh(table.context, known));
  MutexLock lock(mutex_);
  table.snapshot = newest;
  return newest;
}

Result<lake::TableForChange> LocalCatalog::PinForChange(const lake::TableName& name) {
  if (LowerCase(name.database) != kMainDatabase) {
    if (lake_ == nullptr) return Status::NotFound("there is no table '" + name.ToString() + "'");
    return lake_->PinForChange(name);
  }
  // Nobody else's rows are buffered for a table that is named by its folder.
  TARN_ASSIGN_OR_RETURN(auto view, Pin(name, std::nullopt));
  return lake::TableForChange{std::move(view), tables_.at(LowerCase(name.table)).context};
}

Result<delta::TableContext> LocalCatalog::PlaceForNew(const lake::TableName& name) {
  if (LowerCase(name.database) == kMainDatabase || lake_ == nullptr) {
    return Status::InvalidArgument("a new table belongs to a database of a lake (--lake), as in database." +
                                   name.table);
  }
  return lake_->PlaceForNew(name);
}

void LocalCatalog::NoteCommit(const lake::TableName& name, const std::shared_ptr<const delta::Snapshot>& snapshot) {
  if (LowerCase(name.database) != kMainDatabase) {
    if (lake_ != nullptr) lake_->NoteCommit(name, snapshot);
    return;
  }
  const auto found = tables_.find(LowerCase(name.table));
  if (found == tables_.end() || snapshot == nullptr) return;
  int64_t before = 0;
  {
    MutexLock lock(mutex_);
    before = found->second.snapshot->version();
    found->second.snapshot = snapshot;
  }
  delta::WriteAfterCommit(found->second.context, *snapshot, before);
}

}  // namespace tarn::cli
