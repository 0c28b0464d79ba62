#include "lake/testing/lake_sim.h"

#include <gtest/gtest.h>

namespace tarn::lake::testing {
namespace {

TEST(LakeSimulation, HoldsForSomeSeeds) {
  SimulationCounts total;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SimulationCounts counts;
    const Status status = RunSimulation({.seed = seed}, &counts);
    ASSERT_TRUE(status.ok()) << status.ToString();
    total.rows_acknowledged += counts.rows_acknowledged;
    total.crashes += counts.crashes;
    total.faults += counts.faults;
    total.adoptions += counts.adoptions;
  }
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(total.rows_acknowledged, 400);
  EXPECT_GT(total.crashes, 5);
  EXPECT_GT(total.faults, 20);
  EXPECT_GT(total.adoptions, 0);
}

TEST(LakeSimulation, FindsAPlantedBug) {
  bool found = false;
  for (uint64_t seed = 1; seed <= 20 && !found; ++seed) {
    found = !RunSimulation({.seed = seed, .canary_replays_twice = true}).ok();
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace tarn::lake::testing
