#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "lake/lake.h"
#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::CommittedIdsOf;
using testing::Ids;
using testing::IdsIn;
using testing::kTable;
using testing::LakeWorld;
using testing::MustOpen;

TEST(Adoption, ALiveServerShowsTheRowsOfADeadNeighbourWithinSeconds) {
  LakeWorld world;
  auto survivor = MustOpen(world);
  auto dying = MustOpen(world);
  ASSERT_OK(AppendIds(*survivor, {1}));
  ASSERT_OK(AppendIds(*dying, {2}));
  ASSERT_OK(dying->FlushAll());
  ASSERT_OK(AppendIds(*dying, {3, 4}));
  dying.reset();
  world.nodes.LosePower();
  // Not before the interval: somebody may just be starting it again.
  ASSERT_OK(survivor->FlushDue());
  EXPECT_EQ(IdsIn(*survivor, kTable), (Ids{1, 2}));
  world.clock.Advance(kAdoptionIntervalMicros);
  ASSERT_OK(survivor->FlushDue());
  EXPECT_EQ(IdsIn(*survivor, kTable), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(survivor->stats().wals_adopted, 1);
  EXPECT_EQ(survivor->stats().rows_adopted, 2);
  EXPECT_EQ(survivor->stats().foreign_live_wals, 0);
  ASSERT_OK(survivor->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**survivor->Pin(kTable, std::nullopt)), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(survivor->stats().adopted_wals, 0);
  // The folder that was given up is not adopted again, and serves the next server.
  world.clock.Advance(kAdoptionIntervalMicros);
  ASSERT_OK(survivor->FlushDue());
  EXPECT_EQ(survivor->stats().wals_adopted, 1);
  auto next = MustOpen(world);
  EXPECT_EQ(world.nodes.Nodes().size(), 2u);
  EXPECT_EQ(IdsIn(*next, kTable), (Ids{1, 2, 3, 4}));
}

TEST(Adoption, ALiveNeighbourIsLeftAlone) {
  LakeWorld world;
  auto one = MustOpen(world);
  auto two = MustOpen(world);
  ASSERT_OK(AppendIds(*two, {1}));
  world.clock.Advance(kAdoptionIntervalMicros);
  ASSERT_OK(one->FlushDue());
  EXPECT_EQ(one->stats().wals_adopted, 0);
  EXPECT_EQ(one->stats().foreign_live_wals, 1);
}

TEST(Adoption, ADamagedLogIsReportedAndShowsNothing) {
  LakeWorld world;
  auto survivor = MustOpen(world);
  auto dying = MustOpen(world);
  for (int64_t id = 1; id <= 5; ++id) ASSERT_OK(AppendIds(*dying, {id}));
  dying.reset();
  auto files = world.nodes.Backup("node-1");
  for (auto& [name, bytes] : files) {
    if (name != "wal.json") bytes[bytes.size() / 2] ^= 0x40;
  }
  world.nodes.Restore("node-1", files);
  for (int i = 0; i < 3; ++i) {
    world.clock.Advance(kAdoptionIntervalMicros);
    ASSERT_OK(survivor->FlushDue());
  }
  EXPECT_TRUE(IdsIn(*survivor, kTable).empty());
  EXPECT_EQ(survivor->stats().wals_adopted, 0);
  ASSERT_OK(AppendIds(*survivor, {9}));
  ASSERT_OK(survivor->FlushAll());
}

TEST(Adoption, AnAdoptionThatFailsHalfwayIsMadeAgainWithoutDoublingRows) {
  LakeWorld world;
  auto survivor = MustOpen(world);
  auto dying = MustOpen(world);
  Ids all;
  for (int64_t id = 1; id <= 4; ++id) {
    ASSERT_OK(AppendIds(*dying, {id}, 0, {"db", "t" + std::to_string(id)}));
    ASSERT_OK(AppendIds(*dying, {id}));
    all.insert(id);
  }
  dying.reset();
  for (int64_t nth = 1; survivor->stats().wals_adopted == 0; ++nth) {
    ASSERT_LT(nth, 60);
    world.clock.Advance(60 * kMicrosPerSecond);
    world.faults->Arm({.nth = nth, .mode = storage::testing::FaultMode::kForever});
    (void)survivor->FlushDue();
    world.faults->Disarm();
    const Ids shown = IdsIn(*survivor, kTable);
    EXPECT_TRUE(shown.empty() || shown == all) << nth;
  }
  EXPECT_EQ(IdsIn(*survivor, kTable), all);
  ASSERT_OK(survivor->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**survivor->Pin(kTable, std::nullopt)), all);
}

/// A survivor that adopted rows 2 and 3 of a dead neighbour and fails to commit them until `*heal`.
std::unique_ptr<Lake> SurvivorThatCannotCommit(LakeWorld& world, const bool* heal) {
  world.at_point = [heal](std::string_view point) {
    return point == "before-commit" && !*heal ? Status::Unavailable("not now") : Status::Ok();
  };
  auto survivor = MustOpen(world);
  world.at_point = nullptr;
  auto dying = MustOpen(world);
  EXPECT_TRUE(AppendIds(*dying, {2, 3}).ok());
  dying.reset();
  world.clock.Advance(kAdoptionIntervalMicros);
  EXPECT_FALSE(survivor->FlushDue().ok());
  EXPECT_EQ(survivor->stats().adopted_wals, 1);
  return survivor;
}

// It has acknowledged them before it died, and a query that starts after that sees them.
TEST(Adoption, AServerStartedAgainWaitsForItsRowsThatANeighbourTookOver) {
  LakeWorld world;
  bool heal = false;
  auto survivor = SurvivorThatCannotCommit(world, &heal);
  auto options = world.Options();
  options.adoption_patience_micros = 3600 * kMicrosPerSecond;
  std::atomic<bool> opened = false;
  std::unique_ptr<Lake> again;
  std::jthread opening([&] {
    again = std::move(*world.Open(options));
    opened = true;
  });
  heal = true;
  while (!opened) {
    (void)survivor->FlushDue();
    world.clock.Advance(kMicrosPerSecond);
  }
  opening.join();
  EXPECT_EQ(IdsIn(*again, kTable), (Ids{2, 3}));
}

TEST(Adoption, AServerStartsWithoutRowsThatANeighbourDoesNotCommit) {
  LakeWorld world;
  bool heal = false;
  auto survivor = SurvivorThatCannotCommit(world, &heal);
  auto options = world.Options();
  options.adoption_patience_micros = 10 * kMicrosPerSecond;
  const int64_t began = world.clock.MonotonicMicros();
  std::atomic<bool> opened = false;
  std::unique_ptr<Lake> again;
  std::jthread opening([&] {
    again = std::move(*world.Open(options));
    opened = true;
  });
  while (!opened) world.clock.Advance(kMicrosPerMilli);
  opening.join();
  EXPECT_GE(world.clock.MonotonicMicros() - began, options.adoption_patience_micros);
  EXPECT_EQ(IdsIn(*again, kTable), Ids{});
  heal = true;
  world.clock.Advance(kMicrosPerSecond);
  ASSERT_OK(survivor->FlushDue());
  EXPECT_EQ(IdsIn(*again, kTable), (Ids{2, 3}));
}

// The background thread does it by itself.
TEST(Adoption, HappensInTheBackground) {
  LakeWorld world;
  ThreadPool pool({.name = "adoption-test", .threads = 2});
  auto options = world.Options();
  options.executor = &pool;
  auto survivor = std::move(*world.Open(options));
  auto dying = MustOpen(world);
  ASSERT_OK(AppendIds(*dying, {1}));
  dying.reset();
  while (survivor->stats().wals_adopted == 0) world.clock.Advance(kAdoptionIntervalMicros);
  EXPECT_EQ(IdsIn(*survivor, kTable), Ids{1});
  survivor->Close();
}

}  // namespace
}  // namespace tarn::lake
