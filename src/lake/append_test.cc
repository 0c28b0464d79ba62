#include <arrow/array/builder_binary.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <set>

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
using testing::MakeRows;
using testing::MustOpen;

constexpr char kUnwritable[] =
    R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking"]}}
{"metaData":{"id":"1","format":{"provider":"parquet"},"schemaString":"{\"type\":\"struct\",\"fields\":[]}",)"
    R"("partitionColumns":[],"configuration":{}}}
)";

constexpr size_t kMemory = size_t{512} << 20;

/// Rows numbered from 1, with a value of so many MiB each.
std::shared_ptr<arrow::RecordBatch> FatRows(const std::vector<int64_t>& mebibytes) {
  std::vector<int64_t> ids;
  arrow::BinaryBuilder builder;
  for (const int64_t size : mebibytes) {
    ids.push_back(static_cast<int64_t>(ids.size()) + 1);
    EXPECT_TRUE(builder.Append(std::string(static_cast<size_t>(size) << 20, 'x')).ok());
  }
  std::shared_ptr<arrow::Array> fat;
  EXPECT_TRUE(builder.Finish(&fat).ok());
  const auto rows = MakeRows({.ids = ids});
  return *rows->AddColumn(rows->num_columns(), "fat", fat);
}

TEST(Append, RowsThatOneRecordCannotHoldTakeSeveral) {
  LakeWorld world(1, kMemory);
  auto lake = MustOpen(world);
  // The second batch must be cut twice: its first half is still too large.
  const auto appended = lake->Append({{{"db", "even"}, FatRows({20, 20, 20, 20, 20})},
                                      {{"db", "skewed"}, FatRows({60, 3, 3, 1, 1})},
                                      {kTable, MakeRows({.ids = {1}})}});
  ASSERT_OK(appended);
  EXPECT_EQ(*appended, 2u + 3u + 1u) << "one record each";
  const Ids all = {1, 2, 3, 4, 5};
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    if (restarts) {
      lake.reset();
      world.nodes.LosePower();
      lake = MustOpen(world);
    }
    EXPECT_EQ(IdsIn(*lake, {"db", "even"}), all);
    EXPECT_EQ(IdsIn(*lake, {"db", "skewed"}), all);
    EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
  }
  ASSERT_OK(lake->FlushAll());
  const auto view = *lake->Pin({"db", "skewed"}, std::nullopt);
  EXPECT_EQ(CommittedIdsOf(*view), all);
  EXPECT_EQ(view->snapshot->version(), 0) << "one commit";
  EXPECT_EQ(world.budget.used_bytes(), 0u);
}

TEST(Append, ARowThatNoRecordCanHoldIsRefusedByTable) {
  LakeWorld world(1, kMemory);
  auto lake = MustOpen(world);
  const TableBatch fat = {{"db", "fat"}, FatRows({1, 65})};
  for (const Status& refused :
       {lake->Append({{kTable, MakeRows({.ids = {1}})}, fat}).status(), lake->CheckAppend(fat)}) {
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(refused.message().find("db.fat: a row of 68"), std::string::npos) << refused.ToString();
  }
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{});
  ASSERT_OK(lake->Append({{{"db", "fat"}, MakeRows({.ids = {1}})}}));
}

TEST(Append, ARefusalIsTracedToTheTableWithoutKeepingAnything) {
  LakeWorld world;
  const std::string log = "/_delta_log/00000000000000000000.json";
  ASSERT_OK(world.store->Put("db/features" + log, AsBytes(kUnwritable), storage::Precondition::None()));
  ASSERT_OK(world.store->Put("db/garbage" + log, AsBytes("no json\n"), storage::Precondition::None()));
  auto lake = MustOpen(world);
  const auto rows = MakeRows({.ids = {1}});
  const TableBatch good = {kTable, rows};
  const TableBatch features = {{"db", "features"}, rows};
  const TableBatch garbage = {{"db", "garbage"}, rows};
  EXPECT_EQ(lake->Append({good, features}).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(lake->Append({good, garbage}).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{});

  ASSERT_OK(lake->CheckAppend(good));
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{});
  EXPECT_TRUE(lake->ListTables("db")->size() == 2) << "a check begins no table that anyone sees";
  for (const TableBatch& bad : {features, garbage}) {
    const Status checked = lake->CheckAppend(bad);
    EXPECT_TRUE(checked.Is(StatusCode::kUnsupported) || checked.Is(StatusCode::kCorruption)) << checked.ToString();
    EXPECT_NE(checked.message().find(bad.name.ToString()), std::string::npos) << checked.ToString();
  }
  const Status schema = lake->SchemaOf({"db", "garbage"}).status();
  EXPECT_EQ(schema.code(), StatusCode::kCorruption);
  EXPECT_NE(schema.message().find("db.garbage"), std::string::npos) << schema.ToString();
  ASSERT_OK(AppendIds(*lake, {2}));
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{2});
}

TEST(Append, WhatStorageSaysIsNeverTheRowsFault) {
  const std::set<StatusCode> blames_rows = {StatusCode::kInvalidArgument, StatusCode::kNotFound,
                                            StatusCode::kResourceExhausted, StatusCode::kAlreadyExists};
  for (int i = 1; i < kStatusCodeCount; ++i) {
    const auto code = static_cast<StatusCode>(i);
    int64_t nth = 0;
    int refused = 0;
    for (bool fired = true; fired; ++refused) {
      SCOPED_TRACE(std::string(StatusCodeName(code)) + " by operation " + std::to_string(++nth));
      LakeWorld world;
      ASSERT_OK(MustOpen(world)->Append({{kTable, MakeRows({.ids = {1}})}}));
      ASSERT_OK(MustOpen(world)->FlushAll());
      auto lake = MustOpen(world);
      world.faults->Arm({.nth = nth, .mode = storage::testing::FaultMode::kForever, .operation = {}, .code = code});
      const Status schema = lake->SchemaOf(kTable).status();
      const Status appended = AppendIds(*lake, {2});
      fired = world.faults->fired();
      world.faults->Disarm();
      EXPECT_FALSE(blames_rows.contains(appended.code())) << appended.ToString();
      // A log that is not there has no schema, which is no fault.
      EXPECT_TRUE(schema.Is(StatusCode::kNotFound) || !blames_rows.contains(schema.code())) << schema.ToString();
      EXPECT_TRUE(fired || (schema.ok() && appended.ok()));
    }
    EXPECT_GT(refused, 2);
  }
}

}  // namespace
}  // namespace tarn::lake
