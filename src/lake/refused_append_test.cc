#include <gtest/gtest.h>

#include "lake/lake.h"
#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
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

TEST(RefusedAppend, IsTracedToTheTableWithoutKeepingAnything) {
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

}  // namespace
}  // namespace tarn::lake
