#pragma once

#include <cstdint>

#include "duckdb/common/allocator.hpp"

namespace duckdb {
class ClientContext;
}  // namespace duckdb

namespace tarn::engine {

/// Puts a limit on what DuckDB allocates outside its buffer manager, which is where values of a running expression
/// live: `memory_limit` does not count them. A large allocation beyond the limit fails the query that asked for it with
/// ResourceExhausted. For the whole process, and before the first instance is opened; later calls only move the limit
/// (0 is none).
void BoundEngineAllocations(int64_t limit_bytes);

/// The same bound for an instance's own allocator.
duckdb::unique_ptr<duckdb::Allocator> MakeBoundedAllocator();

/// Makes large allocations fail in the tasks of a query once it is interrupted. DuckDB looks for interrupts between
/// vectors of rows only, and a function may work long on one.
void MakeAllocationsInterruptible(duckdb::ClientContext& context);

/// Throws when the query that this thread works on was interrupted: for functions that work long on one vector.
void ThrowIfInterrupted();

/// While it lives, this thread plans a statement: large allocations fail once the query is interrupted or when they
/// come to more than the limit at once, which planning needs for footers of wide files. Folding a constant must not
/// take what running it would; DuckDB then leaves it to the run, where it can be stopped.
class PlanningScope {
 public:
  PlanningScope(duckdb::ClientContext& context, int64_t limit_bytes);
  ~PlanningScope();
  PlanningScope(const PlanningScope&) = delete;
  PlanningScope& operator=(const PlanningScope&) = delete;

  /// Whether this thread plans now.
  static bool active();
};

/// Bytes that DuckDB holds now, those of its buffer manager included.
int64_t EngineAllocatedBytes();

/// Gives the system back what DuckDB's allocator keeps of freed memory.
void ReleaseFreedEngineMemory();

}  // namespace tarn::engine
