#pragma once

#include "duckdb/execution/physical_operator.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "lake/table_view.h"

namespace duckdb {
class LogicalCreateTable;
class LogicalDelete;
class LogicalInsert;
class LogicalMergeInto;
class LogicalUpdate;
}  // namespace duckdb

/// Plans of statements that change tables: each ends in an operator that hands rows to a TableEdit and commits it when
/// the last row has come. Errors are thrown.
namespace tarn::engine {

duckdb::PhysicalOperator& PlanLakeInsert(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                         lake::TableCatalog& catalog, duckdb::LogicalInsert& insert,
                                         duckdb::optional_ptr<duckdb::PhysicalOperator> rows);
duckdb::PhysicalOperator& PlanLakeDelete(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                         duckdb::LogicalDelete& op, duckdb::PhysicalOperator& rows);
duckdb::PhysicalOperator& PlanLakeUpdate(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                         duckdb::LogicalUpdate& update, duckdb::PhysicalOperator& rows);
duckdb::PhysicalOperator& PlanLakeMerge(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                        duckdb::LogicalMergeInto& merge, duckdb::PhysicalOperator& rows);
duckdb::PhysicalOperator& PlanLakeCreateTableAs(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                                lake::TableCatalog& catalog, duckdb::LogicalCreateTable& create,
                                                duckdb::PhysicalOperator& rows);

}  // namespace tarn::engine
