#include "engine/lake_table.h"

#include <arrow/type.h>

#include <utility>

#include "duckdb/main/client_context.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/storage/statistics/base_statistics.hpp"
#include "duckdb/storage/table_storage_info.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_scan.h"
#include "engine/lake_types.h"
#include "engine/system_scan.h"

namespace tarn::engine {

Status ReadOnlyError() { return Status::PermissionDenied("the lake is read-only for SQL"); }

Result<std::shared_ptr<LakeTable>> LakeTable::Make(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                   const std::string& name, std::shared_ptr<const lake::TableView> view,
                                                   bool is_past) {
  TARN_ASSIGN_OR_RETURN(auto source, ScanSource::Make(std::move(view), is_past));
  duckdb::CreateTableInfo info(schema, name);
  for (const ScanColumn& column : source->columns()) {
    info.columns.AddColumn(duckdb::ColumnDefinition(column.name, column.type));
  }
  auto table = std::make_shared<LakeTable>(catalog, schema, info);
  table->source_ = std::move(source);
  return table;
}

Result<std::shared_ptr<LakeTable>> LakeTable::MakeSystem(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                         const std::string& name,
                                                         std::shared_ptr<SystemTable> system_table) {
  duckdb::CreateTableInfo info(schema, name);
  for (const auto& field : system_table->schema()->fields()) {
    TARN_ASSIGN_OR_RETURN(auto type, SqlType(*field->type()));
    info.columns.AddColumn(duckdb::ColumnDefinition(field->name(), std::move(type)));
  }
  auto table = std::make_shared<LakeTable>(catalog, schema, info);
  table->system_table_ = std::move(system_table);
  return table;
}

std::shared_ptr<LakeTable> LakeTable::MakeUnreadable(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                     const std::string& name, Status why) {
  duckdb::CreateTableInfo info(schema, name);
  info.comment = duckdb::Value("cannot be read: " + why.ToString());
  auto table = std::make_shared<LakeTable>(catalog, schema, info);
  table->status_ = std::move(why);
  return table;
}

duckdb::unique_ptr<duckdb::BaseStatistics> LakeTable::GetStatistics(duckdb::ClientContext&, duckdb::column_t) {
  return nullptr;
}

duckdb::TableFunction LakeTable::GetScanFunction(duckdb::ClientContext& context,
                                                 duckdb::unique_ptr<duckdb::FunctionData>& bind_data) {
  ThrowIfError(status_);
  auto self = shared_from_this();
  if (system_table_) return MakeSystemScan(name, system_table_, self, bind_data);
  return MakeLakeScan(context, source_, self, bind_data);
}

duckdb::TableStorageInfo LakeTable::GetStorageInfo(duckdb::ClientContext&) { return {}; }

duckdb::virtual_column_map_t LakeTable::GetVirtualColumns() const {
  return source_ ? LakeVirtualColumns() : duckdb::virtual_column_map_t();
}

duckdb::vector<duckdb::column_t> LakeTable::GetRowIdColumns() const { return {}; }

void LakeTable::BindUpdateConstraints(duckdb::Binder&, duckdb::LogicalGet&, duckdb::LogicalProjection&,
                                      duckdb::LogicalUpdate&, duckdb::ClientContext&) {
  ThrowStatus(ReadOnlyError());
}

}  // namespace tarn::engine
