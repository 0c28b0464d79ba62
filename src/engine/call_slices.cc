#include "engine/call_slices.h"

#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "engine/bounded_allocator.h"

namespace tarn::engine {
namespace {

void Slice(duckdb::DataChunk& args, duckdb::idx_t begin, duckdb::idx_t end, duckdb::DataChunk& slice) {
  slice.InitializeEmpty(args.GetTypes());
  for (duckdb::idx_t i = 0; i < args.ColumnCount(); ++i) slice.data[i].Slice(args.data[i], begin, end);
  slice.SetCardinality(end - begin);
}

}  // namespace

void CallInSlices(const duckdb::scalar_function_t& function, duckdb::DataChunk& args, duckdb::ExpressionState& state,
                  duckdb::Vector& result, const std::function<double(duckdb::idx_t row)>& work) {
  const duckdb::idx_t rows = args.size();
  if (rows > 1 && args.ColumnCount() > 0 && args.AllConstant()) {
    duckdb::DataChunk one;
    Slice(args, 0, 1, one);
    function(one, state, result);
    result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
    return;
  }
  for (duckdb::idx_t begin = 0; begin < rows;) {
    duckdb::idx_t end = begin;
    double slice_work = 0;
    do slice_work += work(end++);
    while (end < rows && slice_work < kMaxSliceWork);
    if (end - begin == rows) break;
    ThrowIfInterrupted();
    duckdb::DataChunk slice;
    Slice(args, begin, end, slice);
    duckdb::Vector part(result.GetType());
    function(slice, state, part);
    duckdb::VectorOperations::Copy(part, result, end - begin, 0, begin);
    if (end == rows) return;
    begin = end;
  }
  function(args, state, result);
}

}  // namespace tarn::engine
