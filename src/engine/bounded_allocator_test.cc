#include "engine/bounded_allocator.h"

#include <gtest/gtest.h>

#include "duckdb/main/client_context.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"

namespace tarn::engine {
namespace {

constexpr duckdb::idx_t kSmall = 1 << 10;
constexpr duckdb::idx_t kLarge = 4 << 20;

bool Allocates(duckdb::Allocator& allocator, duckdb::idx_t bytes) {
  try {
    return allocator.Allocate(bytes).get() != nullptr;
  } catch (const duckdb::OutOfMemoryException&) {
    return false;
  }
}

TEST(BoundedAllocatorTest, RefusesLargeAllocationsAboveTheLimit) {
  BoundEngineAllocations(EngineAllocatedBytes() + static_cast<int64_t>(2 * kLarge));
  auto allocator = MakeBoundedAllocator();
  {
    auto held = allocator->Allocate(kLarge + kLarge / 2);
    EXPECT_FALSE(Allocates(*allocator, kLarge));
    EXPECT_TRUE(Allocates(*allocator, kSmall));
  }
  EXPECT_TRUE(Allocates(*allocator, kLarge));
  BoundEngineAllocations(0);
}

TEST(BoundedAllocatorTest, RefusesLargeAllocationsToTheTasksOfAnInterruptedQuery) {
  BoundEngineAllocations(0);
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  duckdb::ClientContext& context = *connection.context;
  MakeAllocationsInterruptible(context);
  auto allocator = MakeBoundedAllocator();
  const auto in_task = [&](duckdb::idx_t bytes) {
    for (const auto& state : context.registered_state->States()) state->OnTaskStart(context);
    const bool allocates = Allocates(*allocator, bytes);
    for (const auto& state : context.registered_state->States()) state->OnTaskStop(context);
    return allocates;
  };
  EXPECT_TRUE(in_task(kLarge));
  context.Interrupt();
  EXPECT_FALSE(in_task(kLarge));
  EXPECT_TRUE(in_task(kSmall));
  EXPECT_TRUE(Allocates(*allocator, kLarge)) << "outside the query's tasks";
}

TEST(BoundedAllocatorTest, PlanningHasALimitOfWhatItHoldsAtOnce) {
  BoundEngineAllocations(0);
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  auto allocator = MakeBoundedAllocator();
  const PlanningScope planning(*connection.context, 2 * static_cast<int64_t>(kLarge));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Allocates(*allocator, 2 * kLarge)) << "what was freed counts no more";
  auto held = allocator->Allocate(kLarge);
  EXPECT_FALSE(Allocates(*allocator, kLarge + 1));
  EXPECT_TRUE(Allocates(*allocator, kLarge));
}

}  // namespace
}  // namespace tarn::engine
