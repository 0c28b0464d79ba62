#pragma once

namespace duckdb {
class DatabaseInstance;
}  // namespace duckdb

namespace tarn::engine {

/// Makes the functions that call a lambda for each element of a list look whether their query was interrupted at each
/// call of it; one call of list_reduce may make millions.
void MakeLambdasInterruptible(duckdb::DatabaseInstance& instance);

}  // namespace tarn::engine
