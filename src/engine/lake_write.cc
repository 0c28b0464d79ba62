#include "engine/lake_write.h"

#include <utility>

#include "duckdb/planner/operator/logical_create_table.hpp"
#include "duckdb/planner/operator/logical_delete.hpp"
#include "duckdb/planner/operator/logical_insert.hpp"
#include "duckdb/planner/operator/logical_update.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_table.h"
#include "engine/lake_table_ddl.h"
#include "engine/lake_write_operator.h"

namespace tarn::engine {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::PhysicalOperator;

namespace {

class LakeInsert final : public LakeWrite {
 public:
  LakeInsert(duckdb::PhysicalPlan& plan, duckdb::vector<LogicalType> types, lake::TableCatalog& catalog,
             BeginEdit begin, TableEdit::Statement statement, bool returns_rows, RowLayout layout, bool in_order)
      : LakeWrite(plan, std::move(types), catalog, std::move(begin), std::move(statement), returns_rows),
        layout_(std::move(layout)),
        in_order_(in_order) {}

  std::string GetName() const override { return "LAKE_INSERT"; }
  bool ParallelSink() const override { return !in_order_; }
  bool SinkOrderDependent() const override { return in_order_; }

 private:
  void Take(duckdb::ClientContext& context, DataChunk& chunk, WriteState& state) const override {
    Insert(context, layout_, chunk, state);
    Return(chunk, state);
    state.count += chunk.size();
  }
  void Describe(const WriteState& state, TableEdit::Statement& statement) const override {
    statement.metrics["numOutputRows"] = std::to_string(state.edit->rows_inserted());
  }

  const RowLayout layout_;
  const bool in_order_;
};

class LakeDelete final : public LakeWrite {
 public:
  LakeDelete(duckdb::PhysicalPlan& plan, duckdb::vector<LogicalType> types, lake::TableCatalog& catalog,
             BeginEdit begin, bool returns_rows, PlaceColumns place)
      : LakeWrite(plan, std::move(types), catalog, std::move(begin), {.operation = "DELETE"}, returns_rows),
        place_(place) {}

  std::string GetName() const override { return "LAKE_DELETE"; }

 private:
  void Take(duckdb::ClientContext&, DataChunk& chunk, WriteState& state) const override {
    duckdb::SelectionVector fresh(chunk.size());
    const idx_t count =
        RemoveRows(chunk, *duckdb::FlatVector::IncrementalSelectionVector(), chunk.size(), place_, state, fresh);
    ReturnDeleted(chunk, fresh, count, place_, state);
    state.count += count;
  }

  const PlaceColumns place_;
};

class LakeUpdate final : public LakeWrite {
 public:
  LakeUpdate(duckdb::PhysicalPlan& plan, duckdb::vector<LogicalType> types, lake::TableCatalog& catalog,
             BeginEdit begin, bool returns_rows, RowLayout layout, NewRow columns)
      : LakeWrite(plan, std::move(types), catalog, std::move(begin), {.operation = "UPDATE"}, returns_rows),
        layout_(std::move(layout)),
        columns_(std::move(columns)) {}

  std::string GetName() const override { return "LAKE_UPDATE"; }

 private:
  void Take(duckdb::ClientContext& context, DataChunk& chunk, WriteState& state) const override {
    // A row that FROM matches several times takes the values that come first.
    const PlaceColumns place{chunk.ColumnCount() - 2, chunk.ColumnCount() - 1};
    duckdb::SelectionVector fresh(chunk.size());
    const idx_t count =
        RemoveRows(chunk, *duckdb::FlatVector::IncrementalSelectionVector(), chunk.size(), place, state, fresh);
    DataChunk rows;
    MakeRows(columns_, layout_, chunk, fresh, count, rows);
    Insert(context, layout_, rows, state);
    Return(rows, state);
    state.count += count;
  }
  void Describe(const WriteState& state, TableEdit::Statement& statement) const override {
    statement.metrics["numUpdatedRows"] = std::to_string(state.count.load());
  }

  const RowLayout layout_;
  const NewRow columns_;
};

}  // namespace

PhysicalOperator& PlanLakeInsert(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                 lake::TableCatalog& catalog, duckdb::LogicalInsert& insert,
                                 duckdb::optional_ptr<PhysicalOperator> rows) {
  if (insert.on_conflict_info.action_type != duckdb::OnConflictAction::THROW) {
    ThrowStatus(Status::Unsupported("ON CONFLICT: a Delta table has no keys; use MERGE INTO"));
  }
  if (!insert.column_index_map.empty()) rows = planner.ResolveDefaultsProjection(insert, *rows);
  TableEdit::Statement statement{.operation = "WRITE", .parameters = {{"mode", "Append"}}};
  const bool in_order = duckdb::PhysicalPlanGenerator::PreserveInsertionOrder(context, *rows);
  auto& write = planner.Make<LakeInsert>(insert.types, catalog, EditOf(insert.table), std::move(statement),
                                         insert.return_chunk, RowLayout::Of(insert.table.GetColumns()), in_order);
  write.children.push_back(*rows);
  return write;
}

PhysicalOperator& PlanLakeDelete(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                 duckdb::LogicalDelete& op, PhysicalOperator& rows) {
  BeginEdit begin = EditOf(op.table);
  const PlaceColumns place{ReferenceIn(*op.expressions[0]), ReferenceIn(*op.expressions[1])};
  auto& write = planner.Make<LakeDelete>(op.types, catalog, std::move(begin), op.return_chunk, place);
  write.children.push_back(rows);
  return write;
}

PhysicalOperator& PlanLakeUpdate(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                 duckdb::LogicalUpdate& update, PhysicalOperator& rows) {
  NewRow columns(update.table.GetColumns().PhysicalColumnCount());
  for (idx_t i = 0; i < update.columns.size(); i++) {
    const duckdb::Expression& value = *update.expressions[i];
    // No column has a default but NULL.
    if (value.GetExpressionType() == duckdb::ExpressionType::VALUE_DEFAULT) continue;
    columns[update.columns[i].index] = ReferenceIn(value);
  }
  auto& write = planner.Make<LakeUpdate>(update.types, catalog, EditOf(update.table), update.return_chunk,
                                         RowLayout::Of(update.table.GetColumns()), std::move(columns));
  write.children.push_back(rows);
  return write;
}

PhysicalOperator& PlanLakeCreateTableAs(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                        lake::TableCatalog& catalog, duckdb::LogicalCreateTable& create,
                                        PhysicalOperator& rows) {
  duckdb::BoundCreateTableInfo& info = *create.info;
  const lake::TableName name{create.schema.name, info.Base().table};
  NewTable table = DescribeNewTable(info);
  const RowLayout layout{table.types, info.Base().columns.GetColumnNames()};
  PhysicalOperator& cast = CastRows(planner, rows, table.types);
  auto begin = [&catalog, name,
                options = std::move(table.options)](duckdb::ClientContext&) -> Result<std::unique_ptr<TableEdit>> {
    TARN_ASSIGN_OR_RETURN(auto place, catalog.PlaceForNew(name));
    return TableEdit::Create(name, std::move(place), options);
  };
  TableEdit::Statement statement{.operation = "CREATE TABLE AS SELECT"};
  const bool in_order = duckdb::PhysicalPlanGenerator::PreserveInsertionOrder(context, cast);
  auto& write = planner.Make<LakeInsert>(create.types, catalog, std::move(begin), std::move(statement),
                                         /*returns_rows=*/false, layout, in_order);
  write.children.push_back(cast);
  return write;
}

}  // namespace tarn::engine
