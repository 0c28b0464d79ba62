#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "lake/lake.h"
#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::CommittedIdsOf;
using testing::Ids;
using testing::IdsIn;
using testing::IdsOf;
using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::MustOpen;
using testing::RejectedIds;

/// Rows `begin` to `end` - 1, one record each, on two days in turn.
void AppendOneByOne(Lake& lake, int64_t begin, int64_t end, Ids& all) {
  for (int64_t id = begin; id < end; ++id) {
    ASSERT_OK(AppendIds(lake, {id}, id % 2));
    all.insert(id);
  }
}

TEST(Coalesce, ManySmallRecordsAreFewSegments) {
  LakeWorld world;
  auto options = world.Options();
  options.coalesce_fan_in = 10;
  auto lake = std::move(*world.Open(options));
  Ids all;
  AppendOneByOne(*lake, 0, 5, all);
  const auto pinned = *lake->Pin(kTable, std::nullopt);
  AppendOneByOne(*lake, 5, 1000, all);
  const auto view = *lake->Pin(kTable, std::nullopt);
  EXPECT_LT(view->segments.size(), 2u * 3u * 10u) << "two partitions and three sizes";
  EXPECT_EQ(IdsOf(*view), all);
  EXPECT_EQ(IdsOf(*pinned), (Ids{0, 1, 2, 3, 4})) << "a view that has the small ones keeps them";
  EXPECT_EQ(lake->stats().buffered_rows, 1000);
  EXPECT_LT(lake->stats().buffered_bytes, 200'000);
  lake.reset();
  world.nodes.LosePower();
  lake = std::move(*world.Open(options));
  EXPECT_EQ(IdsIn(*lake, kTable), all);
  AppendOneByOne(*lake, 1000, 1100, all);
  EXPECT_EQ(IdsIn(*lake, kTable), all);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), all);
  EXPECT_EQ(lake->stats().wal.segments, 0) << "every record was let go of";
}

TEST(Coalesce, WhatAFlushTookStaysApartFromWhatComesLater) {
  LakeWorld world;
  bool lost = false;
  // The commit is made, but nobody here is told.
  world.at_point = [&](std::string_view point) {
    return point == "after-commit" && !std::exchange(lost, true) ? Status::Unavailable("reply lost") : Status::Ok();
  };
  auto lake = MustOpen(world);
  Ids all;
  AppendOneByOne(*lake, 0, 20, all);
  EXPECT_FALSE(lake->FlushAll().ok());
  AppendOneByOne(*lake, 20, 40, all);
  EXPECT_EQ(IdsIn(*lake, kTable), all);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), all);
}

TEST(Coalesce, RejectedRowsAreNamedByTheirRecordsWhateverWasPutTogether) {
  const auto row = [](int64_t id) {
    return MakeRows({.ids = {id}, .extra_name = "x", .extra_type = arrow::float64()});
  };
  LakeWorld world;
  world.at_point = [](std::string_view point) {
    return point == "before-commit" ? Status::Unavailable("crash") : Status::Ok();
  };
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {0}));
  Ids all;
  for (int64_t id = 1; id <= 10; ++id) {
    ASSERT_OK(lake->Append({{kTable, row(id)}}));
    all.insert(id);
  }
  // Another writer makes the table, with another type for `x`.
  auto other = world.Options();
  world.at_point = nullptr;
  auto neighbour = std::move(*world.Open(other));
  ASSERT_OK(neighbour->Append({{kTable, MakeRows({.ids = {100}, .extra_name = "x", .extra_type = arrow::utf8()})}}));
  ASSERT_OK(neighbour->FlushAll());
  EXPECT_FALSE(lake->FlushAll().ok());
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), all);
  lake.reset();
  world.nodes.LosePower();
  lake = MustOpen(world);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), all) << "written over, not beside";
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{0, 100}));
}

}  // namespace
}  // namespace tarn::lake
