#include "lake/table_view.h"

namespace tarn::lake {

Result<TableForChange> TableCatalog::PinForChange(const TableName&) {
  return Status::PermissionDenied("tables are only read here");
}

Result<delta::TableContext> TableCatalog::PlaceForNew(const TableName&) {
  return Status::PermissionDenied("tables are only read here");
}

void TableCatalog::NoteCommit(const TableName&, const std::shared_ptr<const delta::Snapshot>&) {}

}  // namespace tarn::lake
