#pragma once

#include <functional>

#include "duckdb/function/scalar_function.hpp"

namespace tarn::engine {

/// Work that a function may do before it looks whether its query was interrupted: about as many nanoseconds.
inline constexpr double kMaxSliceWork = 64e6;

/// Calls `function` for a few rows at a time, so that its query can be stopped between two slices: by itself a function
/// looks for no interrupt within a vector of rows. `work` estimates a row's. Arguments that are all constant are worked
/// on once. For functions without side effects that depend on their arguments alone.
void CallInSlices(const duckdb::scalar_function_t& function, duckdb::DataChunk& args, duckdb::ExpressionState& state,
                  duckdb::Vector& result, const std::function<double(duckdb::idx_t row)>& work);

}  // namespace tarn::engine
