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
    total.compactions += counts.compactions;
    total.races += counts.races;
    total.files_vacuumed += counts.files_vacuumed;
    total.log_files_cleaned += counts.log_files_cleaned;
  }
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(total.rows_acknowledged, 400);
  EXPECT_GT(total.crashes, 5);
  EXPECT_GT(total.faults, 20);
  EXPECT_GT(total.adoptions, 0);
  EXPECT_GT(total.compactions, 5);
  EXPECT_GT(total.races, 20);
  EXPECT_GT(total.files_vacuumed, 5);
  EXPECT_GT(total.log_files_cleaned, 5);
}

class PlantedBugTest : public ::testing::TestWithParam<Canary> {};

TEST_P(PlantedBugTest, IsFound) {
  Status found;
  for (uint64_t seed = 1; seed <= 20 && found.ok(); ++seed) found = RunSimulation({.seed = seed, .canary = GetParam()});
  EXPECT_FALSE(found.ok());
}

INSTANTIATE_TEST_SUITE_P(Canaries, PlantedBugTest,
                         ::testing::Values(Canary::kReplaysTwice, Canary::kOverwritesCommits,
                                           Canary::kVacuumsTooEarly));

}  // namespace
}  // namespace tarn::lake::testing
