#pragma once

#include <cstdint>

namespace tarn::engine {

/// Puts a limit on what DuckDB allocates outside its buffer manager, which is where values of a running expression
/// live: `memory_limit` does not count them. A large allocation beyond the limit fails the query that asked for it with
/// ResourceExhausted. For the whole process, and before the first instance is opened; later calls only move the limit
/// (0 is none).
void BoundEngineAllocations(int64_t limit_bytes);

/// Bytes that DuckDB holds now, those of its buffer manager included.
int64_t EngineAllocatedBytes();

}  // namespace tarn::engine
