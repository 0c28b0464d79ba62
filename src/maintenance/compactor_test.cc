#include "maintenance/compactor.h"

#include <gtest/gtest.h>

#include <thread>

#include "maintenance/testing/scripted_lake.h"

namespace tarn::maintenance {
namespace {

using testing::ScriptedLake;

TEST(Compactor, PassesOverTablesThatHaveNotChanged) {
  ScriptedLake lake;
  FakeClock clock;
  Compactor compactor(lake, clock, {});
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  lake.version = 2;
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 4);
}

TEST(Compactor, CountsWhatItDid) {
  ScriptedLake lake;
  lake.has_work = true;
  FakeClock clock;
  Compactor compactor(lake, clock, {});
  compactor.RunOnce();
  EXPECT_EQ(compactor.stats().tables_compacted, 2);
  EXPECT_EQ(compactor.stats().files_removed, 6);
  EXPECT_EQ(compactor.stats().rounds.rounds, 1);
}

TEST(Compactor, AFailingTableBacksOffAndNeverHoldsUpTheOthers) {
  ScriptedLake lake;
  lake.fails = "a";
  FakeClock clock;
  Compactor compactor(lake, clock, {.interval_micros = kMicrosPerSecond});
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  EXPECT_EQ(compactor.stats().rounds.failures, 1);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2) << "too early for another try";
  clock.Advance(2 * kMicrosPerSecond);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 3);
  clock.Advance(2 * kMicrosPerSecond);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 3) << "the second wait is longer";
}

TEST(Compactor, RunsOncePerIntervalAndStops) {
  ScriptedLake lake;
  lake.has_work = true;
  FakeClock clock;
  Compactor compactor(lake, clock, {.interval_micros = 60 * kMicrosPerSecond});
  compactor.Start();
  clock.Advance(61 * kMicrosPerSecond);
  while (compactor.stats().rounds.rounds < 1) std::this_thread::yield();
  compactor.Stop();
  EXPECT_EQ(compactor.stats().rounds.rounds, 1);
}

}  // namespace
}  // namespace tarn::maintenance
