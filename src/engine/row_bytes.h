#pragma once

#include <cstdint>
#include <vector>

namespace duckdb {
class DataChunk;
}  // namespace duckdb

namespace tarn::engine {

/// What each row of `chunk` takes in Arrow, roughly. There every value stands for itself: what rows, fields or elements
/// share in DuckDB counts once for each.
std::vector<int64_t> RowBytes(duckdb::DataChunk& chunk);

}  // namespace tarn::engine
