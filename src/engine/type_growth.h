#pragma once

namespace duckdb {
class DatabaseInstance;
}  // namespace duckdb

namespace tarn::engine {

/// Makes the functions that put values into one (struct_pack, row, map …) refuse with InvalidArgument what would have a
/// type of more than some thousand fields. In nested subqueries each may double the type of the one before, and
/// binding them would take all memory, which nothing interrupts.
void BoundTypeGrowth(duckdb::DatabaseInstance& instance);

}  // namespace tarn::engine
