#include "engine/bind_hook.h"

#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/expression.hpp"

namespace tarn::engine {
namespace {

struct HookedBind : public duckdb::ScalarFunctionInfo {
  HookedBind(duckdb::bind_scalar_function_t plain_bind, duckdb::bind_scalar_function_extended_t extended_bind)
      : plain(plain_bind), extended(extended_bind) {}
  const duckdb::bind_scalar_function_t plain;
  const duckdb::bind_scalar_function_extended_t extended;
};

}  // namespace

void HookBind(duckdb::ScalarFunction& function, duckdb::bind_scalar_function_extended_t hook) {
  function.SetExtraFunctionInfo<HookedBind>(function.GetBindCallback(), function.GetBindExtendedCallback());
  function.SetBindCallback(nullptr);
  function.SetBindExtendedCallback(hook);
}

duckdb::unique_ptr<duckdb::FunctionData> OriginalBind(
    duckdb::ScalarFunctionBindInput& input, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  const auto& original = function.GetExtraFunctionInfo().Cast<HookedBind>();
  if (original.extended != nullptr) return original.extended(input, function, arguments);
  return original.plain == nullptr ? nullptr : original.plain(input.binder.context, function, arguments);
}

}  // namespace tarn::engine
