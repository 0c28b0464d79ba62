#include "engine/type_growth.h"

#include <string>

#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression.hpp"
#include "engine/bind_hook.h"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

constexpr size_t kMaxFields = 5'000;

constexpr const char* kGrowingFunctions[] = {
    "struct_pack", "row", "struct_insert", "struct_update", "struct_concat", "list_zip", "array_zip", "map",
};

/// The type itself and all within it.
size_t CountFields(const duckdb::LogicalType& type) {
  size_t fields = 1;
  switch (type.id()) {
    case duckdb::LogicalTypeId::STRUCT:
    case duckdb::LogicalTypeId::UNION:
      for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) fields += CountFields(child);
      break;
    case duckdb::LogicalTypeId::LIST:
    case duckdb::LogicalTypeId::MAP:
      fields += CountFields(duckdb::ListType::GetChildType(type));
      break;
    case duckdb::LogicalTypeId::ARRAY:
      fields += CountFields(duckdb::ArrayType::GetChildType(type));
      break;
    default:
      break;
  }
  return fields;
}

duckdb::unique_ptr<duckdb::FunctionData> CheckedBind(
    duckdb::ScalarFunctionBindInput& input, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  size_t fields = 0;
  for (const auto& argument : arguments) fields += CountFields(argument->return_type);
  if (fields > kMaxFields) {
    ThrowStatus(Status::InvalidArgument(function.name + " would make a type of more than " +
                                        std::to_string(kMaxFields) + " fields"));
  }
  return OriginalBind(input, function, arguments);
}

}  // namespace

void BoundTypeGrowth(duckdb::DatabaseInstance& instance) {
  duckdb::ExtensionLoader loader(instance, "tarn");
  for (const char* name : kGrowingFunctions) {
    auto& entry = loader.GetFunction(name).Cast<duckdb::ScalarFunctionCatalogEntry>();
    for (duckdb::ScalarFunction& function : entry.functions.functions) HookBind(function, CheckedBind);
  }
}

}  // namespace tarn::engine
