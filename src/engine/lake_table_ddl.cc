#include "engine/lake_table_ddl.h"

#include <arrow/type.h>

#include <set>
#include <utility>

#include "delta/constraints.h"
#include "delta/table_properties.h"
#include "duckdb/common/string_util.hpp"
#include "duckdb/execution/operator/projection/physical_projection.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/parser/constraints/not_null_constraint.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"
#include "engine/check_constraint.h"
#include "engine/exception_barrier.h"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

Result<std::shared_ptr<arrow::DataType>> NestedType(const LogicalType& type, bool zoneless_times) {
  switch (type.id()) {
    case LogicalTypeId::STRUCT: {
      arrow::FieldVector fields;
      for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
        TARN_ASSIGN_OR_RETURN(auto stored, StoredType(child, zoneless_times));
        fields.push_back(arrow::field(name, std::move(stored)));
      }
      return arrow::struct_(std::move(fields));
    }
    case LogicalTypeId::MAP: {
      TARN_ASSIGN_OR_RETURN(auto key, StoredType(duckdb::MapType::KeyType(type), zoneless_times));
      TARN_ASSIGN_OR_RETURN(auto value, StoredType(duckdb::MapType::ValueType(type), zoneless_times));
      return arrow::map(std::move(key), std::move(value));
    }
    case LogicalTypeId::ARRAY: {
      TARN_ASSIGN_OR_RETURN(auto element, StoredType(duckdb::ArrayType::GetChildType(type), zoneless_times));
      return arrow::list(std::move(element));
    }
    default: {
      TARN_ASSIGN_OR_RETURN(auto element, StoredType(duckdb::ListType::GetChildType(type), zoneless_times));
      return arrow::list(std::move(element));
    }
  }
}

[[noreturn]] void Refuse(const std::string& what) { ThrowStatus(Status::Unsupported("CREATE TABLE: " + what)); }

std::string NameOf(const duckdb::ParsedExpression& expression) {
  if (expression.GetExpressionClass() != duckdb::ExpressionClass::COLUMN_REF) {
    Refuse("a table is partitioned by columns, not by " + expression.ToString());
  }
  return expression.Cast<duckdb::ColumnRefExpression>().GetColumnName();
}

std::string TextOf(const std::string& option, const duckdb::ParsedExpression& expression) {
  if (expression.GetExpressionClass() != duckdb::ExpressionClass::CONSTANT) {
    Refuse("the property '" + option + "' takes a constant");
  }
  return expression.Cast<duckdb::ConstantExpression>().value.ToString();
}

/// Indices of columns that are NOT NULL.
std::set<uint64_t> RequiredColumns(const duckdb::CreateTableInfo& info) {
  std::set<uint64_t> required;
  for (const auto& constraint : info.constraints) {
    if (constraint->type != duckdb::ConstraintType::NOT_NULL) continue;
    required.insert(constraint->Cast<duckdb::NotNullConstraint>().index.index);
  }
  return required;
}

/// CHECK constraints by name; refuses keys.
std::vector<delta::AddConstraint> ChecksOf(const duckdb::CreateTableInfo& info, const arrow::Schema& schema) {
  std::vector<const NamedCheck*> given;
  std::set<std::string> names;
  for (const auto& constraint : info.constraints) {
    if (constraint->type == duckdb::ConstraintType::NOT_NULL) continue;
    const auto* check = dynamic_cast<const NamedCheck*>(constraint.get());
    if (check == nullptr) Refuse("no " + constraint->ToString());
    given.push_back(check);
    names.insert(duckdb::StringUtil::Lower(check->name));
  }
  std::vector<delta::AddConstraint> checks;
  for (const NamedCheck* check : given) {
    std::string name = check->name;
    if (name.empty()) name = NextCheckName([&](const std::string& next) { return !names.insert(next).second; });
    checks.push_back(ValueOrThrow(StoredConstraint(name, *check->expression, schema)));
  }
  return checks;
}

}  // namespace

Result<std::shared_ptr<arrow::DataType>> StoredType(const LogicalType& type, bool zoneless_times) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return arrow::boolean();
    case LogicalTypeId::TINYINT:
      return arrow::int8();
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::UTINYINT:
      return arrow::int16();
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::USMALLINT:
    case LogicalTypeId::SQLNULL:
      return arrow::int32();
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::UINTEGER:
      return arrow::int64();
    case LogicalTypeId::UBIGINT:
      return arrow::decimal128(20, 0);
    case LogicalTypeId::HUGEINT:
      return arrow::decimal128(38, 0);
    case LogicalTypeId::DECIMAL:
      return arrow::decimal128(duckdb::DecimalType::GetWidth(type), duckdb::DecimalType::GetScale(type));
    case LogicalTypeId::FLOAT:
      return arrow::float32();
    case LogicalTypeId::DOUBLE:
      return arrow::float64();
    case LogicalTypeId::VARCHAR:
    case LogicalTypeId::UUID:
    case LogicalTypeId::ENUM:
      return arrow::utf8();
    case LogicalTypeId::BLOB:
      return arrow::binary();
    case LogicalTypeId::DATE:
      return arrow::date32();
    case LogicalTypeId::TIMESTAMP_TZ:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_SEC:
    case LogicalTypeId::TIMESTAMP_MS:
      if (zoneless_times) return arrow::timestamp(arrow::TimeUnit::MICRO);
      return Status::Unsupported("a column of type " + type.ToString() +
                                 " needs the table feature timestampNtz ('delta.feature.timestampNtz' = 'supported'); "
                                 "use TIMESTAMPTZ, as in ts::timestamptz");
    case LogicalTypeId::STRUCT:
    case LogicalTypeId::MAP:
    case LogicalTypeId::LIST:
    case LogicalTypeId::ARRAY:
      return NestedType(type, zoneless_times);
    default:
      return Status::Unsupported("a Delta table has no columns of type " + type.ToString());
  }
}

Result<std::string> SqlPropertyName(const std::string& name) {
  TARN_ASSIGN_OR_RETURN(std::string property, delta::PropertyName(name));
  const auto meant = delta::PropertyName("delta." + name);
  if (!meant.ok()) return property;
  return Status::InvalidArgument("the property " + name + ": a name with a dot is written in quotes, '" + *meant + "'");
}

NewTable DescribeNewTable(duckdb::BoundCreateTableInfo& bound) {
  duckdb::CreateTableInfo& info = bound.Base();
  if (info.on_conflict == duckdb::OnCreateConflict::REPLACE_ON_CONFLICT) Refuse("no OR REPLACE");
  if (!info.sort_keys.empty()) Refuse("no SORTED BY");
  NewTable table;
  const std::set<uint64_t> required = RequiredColumns(info);
  for (const auto& [name, value] : info.options) {
    const std::string property = ValueOrThrow(SqlPropertyName(name));
    std::string text = TextOf(name, *value);
    // As in Spark's table properties: no property, but what the table says of itself.
    if (duckdb::StringUtil::CIEquals(property, "comment")) {
      table.options.description = std::move(text);
      continue;
    }
    ThrowIfError(delta::CheckPropertyValue(property, text));
    table.options.configuration[property] = std::move(text);
  }
  auto properties = table.options.configuration;
  const bool zoneless_times = ValueOrThrow(delta::TakeFeatures(properties)).contains("timestampNtz");
  arrow::FieldVector fields;
  for (const auto& column : info.columns.Logical()) {
    if (column.Generated()) Refuse("no generated columns, as " + column.Name());
    if (column.HasDefaultValue()) Refuse("no default for the column " + column.Name());
    auto type = StoredType(column.Type(), zoneless_times);
    if (!type.ok()) ThrowStatus(type.status().WithContext("column " + column.Name()));
    table.types.push_back(ValueOrThrow(SqlType(**type)));
    fields.push_back(arrow::field(column.Name(), *std::move(type), !required.contains(column.Logical().index)));
  }
  table.options.schema = arrow::schema(std::move(fields));
  for (const delta::AddConstraint& check : ChecksOf(info, *table.options.schema)) {
    const std::string key = std::string(delta::kConstraintPrefix) + duckdb::StringUtil::Lower(check.name);
    if (!table.options.configuration.emplace(key, check.expression).second) {
      ThrowStatus(Status::AlreadyExists("two constraints are called " + check.name));
    }
  }
  for (const auto& key : info.partition_keys) table.options.partition_columns.push_back(NameOf(*key));
  return table;
}

duckdb::PhysicalOperator& CastRows(duckdb::PhysicalPlanGenerator& planner, duckdb::PhysicalOperator& rows,
                                   const duckdb::vector<LogicalType>& types) {
  if (rows.types == types) return rows;
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> columns;
  for (duckdb::idx_t i = 0; i < types.size(); i++) {
    duckdb::unique_ptr<duckdb::Expression> column =
        duckdb::make_uniq<duckdb::BoundReferenceExpression>(rows.types[i], i);
    columns.push_back(duckdb::BoundCastExpression::AddDefaultCastToType(std::move(column), types[i]));
  }
  auto& cast = planner.Make<duckdb::PhysicalProjection>(types, std::move(columns), rows.estimated_cardinality);
  cast.children.push_back(rows);
  return cast;
}

Status CreateLakeTable(lake::TableCatalog& catalog, const lake::TableName& name, duckdb::BoundCreateTableInfo& info) {
  const NewTable table = DescribeNewTable(info);
  const auto place = catalog.PlaceForNew(name);
  if (place.status().Is(StatusCode::kAlreadyExists) &&
      info.Base().on_conflict == duckdb::OnCreateConflict::IGNORE_ON_CONFLICT) {
    return Status::Ok();
  }
  TARN_RETURN_NOT_OK(place.status());
  TARN_ASSIGN_OR_RETURN(const auto transaction, delta::Transaction::Create(*place, table.options));
  transaction->SetOperation("CREATE TABLE", {});
  TARN_ASSIGN_OR_RETURN(const auto committed, transaction->Commit());
  catalog.NoteCommit(name, committed.snapshot);
  return Status::Ok();
}

}  // namespace tarn::engine
