#include "lake/committed_view.h"

#include <utility>

#include "delta/operations/table_changes.h"

namespace tarn::lake {
namespace {

Result<std::shared_ptr<const delta::Snapshot>> SnapshotOf(const delta::TableContext& table, const AsOf& as_of) {
  if (as_of.changes.has_value()) return delta::ReadChanges(table, *as_of.changes);
  if (as_of.version.has_value()) return delta::LoadSnapshotAt(table, *as_of.version);
  if (!as_of.timestamp_micros.has_value()) return delta::LoadSnapshot(table);
  TARN_ASSIGN_OR_RETURN(const int64_t version,
                        delta::VersionAtTimestamp(table, delta::FloorMillis(*as_of.timestamp_micros)));
  return delta::LoadSnapshotAt(table, version);
}

}  // namespace

std::shared_ptr<const TableView> CommittedView(const TableName& name, const delta::TableContext& table,
                                               std::shared_ptr<const delta::Snapshot> snapshot) {
  auto view = std::make_shared<TableView>();
  view->name = name;
  view->store = table.store;
  view->schema = snapshot->schema();
  view->partition_columns = snapshot->partition_columns();
  view->snapshot = std::move(snapshot);
  return view;
}

Result<std::shared_ptr<const TableView>> PastView(const TableName& name, const delta::TableContext& table,
                                                  const AsOf& as_of) {
  TARN_ASSIGN_OR_RETURN(auto snapshot, SnapshotOf(table, as_of));
  return CommittedView(name, table, std::move(snapshot));
}

}  // namespace tarn::lake
