#include "engine/table_changes_function.h"

#include <utility>

#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/qualified_name.hpp"
#include "duckdb/parser/tableref/at_clause.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

duckdb::unique_ptr<duckdb::TableRef> Replace(duckdb::ClientContext&, duckdb::TableFunctionBindInput& input) {
  for (const duckdb::Value& value : input.inputs) {
    if (value.IsNull()) {
      ThrowStatus(Status::InvalidArgument("table_changes takes a table, a first and perhaps a last version, not NULL"));
    }
  }
  const auto name = duckdb::QualifiedName::Parse(duckdb::StringValue::Get(input.inputs[0]));
  auto table = duckdb::make_uniq<duckdb::BaseTableRef>();
  table->catalog_name = name.catalog;
  table->schema_name = name.schema;
  table->table_name = name.name;
  duckdb::vector<duckdb::Value> ends(input.inputs.begin() + 1, input.inputs.end());
  auto range = duckdb::Value::LIST(input.inputs[1].type(), std::move(ends));
  table->at_clause = duckdb::make_uniq<duckdb::AtClause>(
      kChangesUnit, duckdb::make_uniq<duckdb::ConstantExpression>(std::move(range)));
  return table;
}

}  // namespace

void RegisterTableChanges(duckdb::DatabaseInstance& instance) {
  duckdb::TableFunctionSet functions(kTableChangesFunction);
  const duckdb::LogicalType name = duckdb::LogicalType::VARCHAR;
  for (const auto point : {duckdb::LogicalTypeId::BIGINT, duckdb::LogicalTypeId::TIMESTAMP_TZ}) {
    for (auto arguments :
         {duckdb::vector<duckdb::LogicalType>{name, point}, duckdb::vector<duckdb::LogicalType>{name, point, point}}) {
      duckdb::TableFunction function(std::move(arguments), nullptr, nullptr);
      function.bind_replace = Replace;
      functions.AddFunction(std::move(function));
    }
  }
  duckdb::ExtensionLoader loader(instance, "tarn");
  loader.RegisterFunction(std::move(functions));
}

}  // namespace tarn::engine
