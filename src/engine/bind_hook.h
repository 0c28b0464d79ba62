#pragma once

#include "duckdb/function/scalar_function.hpp"

namespace tarn::engine {

/// Puts `hook` in the place of what `function` does when it is bound; the hook may call OriginalBind.
void HookBind(duckdb::ScalarFunction& function, duckdb::bind_scalar_function_extended_t hook);

/// What the function did before HookBind.
duckdb::unique_ptr<duckdb::FunctionData> OriginalBind(
    duckdb::ScalarFunctionBindInput& input, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments);

}  // namespace tarn::engine
