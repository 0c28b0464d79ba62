#include "engine/bounded_allocator.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "duckdb/common/exception.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/client_context_state.hpp"

namespace tarn::engine {
namespace {

/// Smaller ones always succeed: code that cleans up after a failure needs them, and no huge value is made of them.
constexpr duckdb::idx_t kLargeAllocation = 1 << 20;

std::atomic<int64_t> g_limit_bytes = 0;
std::atomic<int64_t> g_allocated_bytes = 0;

/// Whether the query that this thread has a task of was interrupted; null outside tasks.
thread_local const std::atomic<bool>* t_interrupted = nullptr;
/// What the large allocations of this thread's planning may come to at once, 0 when it does not plan; and what they do.
thread_local int64_t t_planning_limit = 0;
thread_local int64_t t_planning_bytes = 0;

class InterruptibleTasks final : public duckdb::ClientContextState {
 public:
  static constexpr char kKey[] = "tarn_interruptible_tasks";
  void OnTaskStart(duckdb::ClientContext& context) override { t_interrupted = &context.interrupted; }
  void OnTaskStop(duckdb::ClientContext&) override { t_interrupted = nullptr; }
};

bool Interrupted() { return t_interrupted != nullptr && t_interrupted->load(std::memory_order_relaxed); }

bool Take(int64_t bytes, bool large) {
  if (large && Interrupted()) return false;
  if (large && PlanningScope::active()) {
    if (t_planning_bytes + bytes > t_planning_limit) return false;
    t_planning_bytes += bytes;
  }
  const int64_t total = g_allocated_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const int64_t limit = g_limit_bytes.load(std::memory_order_relaxed);
  if (!large || limit == 0 || total <= limit) return true;
  g_allocated_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

// A null result is DuckDB's way to be told that there is no memory; it throws OutOfMemoryException.

duckdb::data_ptr_t Allocate(duckdb::PrivateAllocatorData* data, duckdb::idx_t size) {
  if (!Take(static_cast<int64_t>(size), size >= kLargeAllocation)) return nullptr;
  return duckdb::Allocator::DefaultAllocate(data, size);
}

void Free(duckdb::PrivateAllocatorData* data, duckdb::data_ptr_t pointer, duckdb::idx_t size) {
  if (size >= kLargeAllocation && PlanningScope::active()) {
    // As after each of many files that are looked into.
    t_planning_bytes = std::max<int64_t>(0, t_planning_bytes - static_cast<int64_t>(size));
  }
  g_allocated_bytes.fetch_sub(static_cast<int64_t>(size), std::memory_order_relaxed);
  duckdb::Allocator::DefaultFree(data, pointer, size);
}

duckdb::data_ptr_t Reallocate(duckdb::PrivateAllocatorData* data, duckdb::data_ptr_t pointer, duckdb::idx_t old_size,
                              duckdb::idx_t size) {
  const int64_t growth = static_cast<int64_t>(size) - static_cast<int64_t>(old_size);
  if (!Take(growth, growth > 0 && size >= kLargeAllocation)) return nullptr;
  return duckdb::Allocator::DefaultReallocate(data, pointer, old_size, size);
}

}  // namespace

void BoundEngineAllocations(int64_t limit_bytes) {
  g_limit_bytes = limit_bytes;
  // DuckDB hands out references to the default allocator; the first one must stay alive for those.
  static const duckdb::shared_ptr<duckdb::Allocator> original = [] {
    duckdb::shared_ptr<duckdb::Allocator>& current = duckdb::Allocator::DefaultAllocatorReference();
    duckdb::shared_ptr<duckdb::Allocator> before = current;
    current = duckdb::make_shared_ptr<duckdb::Allocator>(Allocate, Free, Reallocate, nullptr);
    return before;
  }();
}

duckdb::unique_ptr<duckdb::Allocator> MakeBoundedAllocator() {
  return duckdb::make_uniq<duckdb::Allocator>(Allocate, Free, Reallocate, nullptr);
}

void MakeAllocationsInterruptible(duckdb::ClientContext& context) {
  context.registered_state->Insert(InterruptibleTasks::kKey, duckdb::make_shared_ptr<InterruptibleTasks>());
}

void ThrowIfInterrupted() {
  if (Interrupted()) throw duckdb::InterruptException();
}

PlanningScope::PlanningScope(duckdb::ClientContext& context, int64_t limit_bytes) {
  t_interrupted = &context.interrupted;
  t_planning_limit = limit_bytes;
  t_planning_bytes = 0;
}

PlanningScope::~PlanningScope() {
  t_interrupted = nullptr;
  t_planning_limit = 0;
}

bool PlanningScope::active() { return t_planning_limit != 0; }

int64_t EngineAllocatedBytes() { return g_allocated_bytes.load(std::memory_order_relaxed); }

void ReleaseFreedEngineMemory() { duckdb::Allocator::FlushAll(); }

}  // namespace tarn::engine
