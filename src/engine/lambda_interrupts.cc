#include "engine/lambda_interrupts.h"

#include <utility>

#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/function/lambda_functions.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "engine/bind_hook.h"
#include "engine/bounded_allocator.h"

namespace tarn::engine {
namespace {

constexpr const char* kLambdaFunctions[] = {
    "list_transform", "array_transform", "list_apply",  "array_apply",  "apply",  "list_filter",
    "array_filter",   "filter",          "list_reduce", "array_reduce", "reduce",
};

void PassOn(duckdb::DataChunk& args, duckdb::ExpressionState&, duckdb::Vector& result) {
  ThrowIfInterrupted();
  result.Reference(args.data[0]);
}

duckdb::unique_ptr<duckdb::Expression> Interruptible(duckdb::unique_ptr<duckdb::Expression> expression) {
  const duckdb::LogicalType type = expression->return_type;
  duckdb::ScalarFunction pass_on("unless_interrupted", {type}, type, PassOn);
  pass_on.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> arguments;
  arguments.push_back(std::move(expression));
  return duckdb::make_uniq<duckdb::BoundFunctionExpression>(type, std::move(pass_on), std::move(arguments), nullptr);
}

duckdb::unique_ptr<duckdb::FunctionData> Bind(duckdb::ScalarFunctionBindInput& input, duckdb::ScalarFunction& function,
                                              duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto data = OriginalBind(input, function, arguments);
  if (data) {
    // Null for a list that is NULL.
    auto& lambda = data->Cast<duckdb::ListLambdaBindData>().lambda_expr;
    if (lambda) lambda = Interruptible(std::move(lambda));
  }
  return data;
}

}  // namespace

void MakeLambdasInterruptible(duckdb::DatabaseInstance& instance) {
  duckdb::ExtensionLoader loader(instance, "tarn");
  for (const char* name : kLambdaFunctions) {
    auto& entry = loader.GetFunction(name).Cast<duckdb::ScalarFunctionCatalogEntry>();
    for (duckdb::ScalarFunction& function : entry.functions.functions) HookBind(function, Bind);
  }
}

}  // namespace tarn::engine
