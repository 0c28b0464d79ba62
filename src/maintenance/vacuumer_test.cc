#include "maintenance/vacuumer.h"

#include <gtest/gtest.h>

#include <thread>

#include "maintenance/testing/scripted_lake.h"

namespace tarn::maintenance {
namespace {

using testing::ScriptedLake;

constexpr int64_t kDay = 24 * 3600 * kMicrosPerSecond;

TEST(Vacuumer, TakesEveryTableAndCountsWhatWent) {
  ScriptedLake lake;
  lake.has_work = true;
  FakeClock clock;
  Vacuumer vacuumer(lake, clock, {.interval_micros = kDay, .min_retention_micros = 5 * kMicrosPerMilli});
  vacuumer.RunOnce();
  vacuumer.RunOnce();
  EXPECT_EQ(lake.calls, 4) << "files grow old in tables that do not change";
  EXPECT_EQ(lake.min_retention_millis, 5);
  EXPECT_EQ(vacuumer.stats().rounds.rounds, 2);
  EXPECT_EQ(vacuumer.stats().tables_vacuumed, 4);
  EXPECT_EQ(vacuumer.stats().files_deleted, 8);
  EXPECT_EQ(vacuumer.stats().bytes_deleted, 80);
}

TEST(Vacuumer, ATableThatFailsWaitsNoLongerThanAnInterval) {
  ScriptedLake lake;
  lake.fails = "a";
  FakeClock clock;
  Vacuumer vacuumer(lake, clock, {.interval_micros = kDay});
  for (int round = 0; round < 4; ++round) {
    vacuumer.RunOnce();
    clock.Advance(kDay);
  }
  EXPECT_EQ(lake.calls, 8);
  EXPECT_EQ(vacuumer.stats().rounds.failures, 4);
  EXPECT_EQ(vacuumer.stats().tables_vacuumed, 0) << "nothing was deleted";
}

TEST(Vacuumer, RunsOncePerInterval) {
  ScriptedLake lake;
  FakeClock clock;
  Vacuumer vacuumer(lake, clock, {.interval_micros = kDay});
  vacuumer.Start();
  clock.Advance(kDay);
  while (vacuumer.stats().rounds.rounds < 1) std::this_thread::yield();
  vacuumer.Stop();
  EXPECT_EQ(lake.calls, 2);
}

TEST(Vacuumer, IsOffUnlessItHasAnInterval) {
  ScriptedLake lake;
  FakeClock clock;
  Vacuumer vacuumer(lake, clock, {});
  vacuumer.Start();
  clock.Advance(30 * kDay);
  vacuumer.Stop();
  EXPECT_EQ(lake.calls, 0);
}

}  // namespace
}  // namespace tarn::maintenance
