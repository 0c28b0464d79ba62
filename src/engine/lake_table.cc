#include "engine/lake_table.h"

#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "delta/column_path.h"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/parser/constraints/not_null_constraint.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"
#include "duckdb/planner/operator/logical_update.hpp"
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
  const lake::TableView& seen = source->view();
  if (seen.snapshot && seen.snapshot->metadata().description) {
    info.comment = duckdb::Value(*seen.snapshot->metadata().description);
  }
  for (size_t i = 0; i < source->columns().size(); i++) {
    const arrow::Field& field = *seen.schema->field(static_cast<int>(i));
    duckdb::ColumnDefinition column(source->columns()[i].name, source->columns()[i].type);
    if (info.columns.ColumnExists(column.Name())) {
      return Status::Corruption("table " + seen.name.ToString() + " has the column " +
                                info.columns.GetColumn(column.Name()).Name() + " twice, once as " + column.Name());
    }
    if (std::string comment = delta::CommentOf(field); !comment.empty()) column.SetComment(duckdb::Value(comment));
    info.columns.AddColumn(std::move(column));
    if (!field.nullable())
      info.constraints.push_back(duckdb::make_uniq<duckdb::NotNullConstraint>(duckdb::LogicalIndex(i)));
  }
  auto table = std::make_shared<LakeTable>(catalog, schema, info);
  table->source_ = std::move(source);
  return table;
}

Result<std::shared_ptr<LakeTable>> LakeTable::MakeForChange(duckdb::Catalog& catalog,
                                                            duckdb::SchemaCatalogEntry& schema, const std::string& name,
                                                            lake::TableForChange for_change) {
  TARN_ASSIGN_OR_RETURN(auto table, Make(catalog, schema, name, for_change.view, /*is_past=*/false));
  table->for_change_ = std::move(for_change);
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
  source_->reads().AddScan();
  return MakeLakeScan(context, source_, self, bind_data);
}

duckdb::TableStorageInfo LakeTable::GetStorageInfo(duckdb::ClientContext&) { return {}; }

duckdb::virtual_column_map_t LakeTable::GetVirtualColumns() const {
  return source_ ? LakeVirtualColumns() : duckdb::virtual_column_map_t();
}

duckdb::vector<duckdb::column_t> LakeTable::GetRowIdColumns() const {
  if (!for_change_) return {};
  return {duckdb::MultiFileReader::COLUMN_IDENTIFIER_FILE_INDEX,
          duckdb::MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER};
}

void LakeTable::BindUpdateConstraints(duckdb::Binder&, duckdb::LogicalGet& get, duckdb::LogicalProjection& projection,
                                      duckdb::LogicalUpdate& update, duckdb::ClientContext&) {
  if (!for_change_) ThrowStatus(ReadOnlyError());
  update.update_is_del_and_insert = true;
  const auto place_in_scan = [&](duckdb::idx_t column) {
    const auto& ids = get.GetColumnIds();
    for (duckdb::idx_t i = 0; i < ids.size(); i++) {
      if (!ids[i].IsVirtualColumn() && ids[i].GetPrimaryIndex() == column) return i;
    }
    // DuckDB's own helper would add a column that is there a second time, which the Parquet reader cannot read.
    get.AddColumnId(column);
    return ids.size() - 1;
  };
  for (const auto& column : GetColumns().Physical()) {
    if (std::find(update.columns.begin(), update.columns.end(), column.Physical()) != update.columns.end()) continue;
    const duckdb::idx_t place = place_in_scan(column.Physical().index);
    update.expressions.push_back(duckdb::make_uniq<duckdb::BoundColumnRefExpression>(
        column.Type(), duckdb::ColumnBinding(projection.table_index, projection.expressions.size())));
    projection.expressions.push_back(duckdb::make_uniq<duckdb::BoundColumnRefExpression>(
        column.Type(), duckdb::ColumnBinding(get.table_index, place)));
    update.columns.push_back(column.Physical());
  }
}

}  // namespace tarn::engine
