#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "delta/transaction.h"
#include "duckdb/common/types.hpp"
#include "lake/table_view.h"

namespace duckdb {
struct BoundCreateTableInfo;
class PhysicalOperator;
class PhysicalPlanGenerator;
}  // namespace duckdb

/// CREATE TABLE of lake tables. What DuckDB calls throws.
namespace tarn::engine {

/// The type of a Delta column that holds every value of an SQL type: itself where Delta has it, a wider one for
/// unsigned integers and HUGEINT, text for UUID, ENUM and JSON. Unsupported names the type of which Delta has none, or
/// none without a table feature: `zoneless_times` says that there is timestampNtz.
Result<std::shared_ptr<arrow::DataType>> StoredType(const duckdb::LogicalType& type, bool zoneless_times);

/// delta::PropertyName of a name in SQL. InvalidArgument for one that lost its "delta." since it was not quoted: DuckDB
/// drops what stands before the dot.
Result<std::string> SqlPropertyName(const std::string& name);

/// What a CREATE TABLE asks for.
struct NewTable {
  delta::CreateTableOptions options;
  /// Of its columns when they are read.
  duckdb::vector<duckdb::LogicalType> types;
};
/// Throws Unsupported for what a Delta table cannot have (keys, defaults, generated columns, …).
NewTable DescribeNewTable(duckdb::BoundCreateTableInfo& info);

/// Rows with their columns cast to `types`, where they differ.
duckdb::PhysicalOperator& CastRows(duckdb::PhysicalPlanGenerator& planner, duckdb::PhysicalOperator& rows,
                                   const duckdb::vector<duckdb::LogicalType>& types);

/// Makes a table without rows.
Status CreateLakeTable(lake::TableCatalog& catalog, const lake::TableName& name, duckdb::BoundCreateTableInfo& info);

}  // namespace tarn::engine
