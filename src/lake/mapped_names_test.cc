// Names that no plain table can have, as they come with rows: such a table maps its columns, and no other.

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "delta/operations/alter_table.h"
#include "delta/validate/validate.h"
#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::ForeignContext;
using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::MustOpen;
using testing::RowCountOf;
using Names = std::vector<std::string>;

std::shared_ptr<const delta::Snapshot> Committed(LakeWorld& world) {
  const auto context = ForeignContext(world, "db/cpu");
  const auto report = delta::ValidateTable(context, {.check_data = true});
  EXPECT_TRUE(report.ok() && report->findings.empty());
  return *delta::LoadSnapshot(context);
}

Status AppendWith(Lake& lake, int64_t id, const std::string& column) {
  return lake.Append({{kTable, MakeRows({.ids = {id}, .extra_name = column, .extra_type = arrow::float64()})}})
      .status();
}

TEST(MappedNames, ANewTableThatNeedsThemMapsItsColumns) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_TRUE(AppendWith(*lake, 1, "room temp").ok());
  EXPECT_EQ((*lake->Pin(kTable, std::nullopt))->schema->field_names(), (Names{"time", "time_date", "id", "room temp"}));
  ASSERT_TRUE(lake->FlushAll().ok());
  const auto first = Committed(world);
  EXPECT_EQ(first->protocol(), (delta::Protocol{2, 5, {}, {}}));
  EXPECT_EQ(first->field_match(), columnar::FieldMatch::kPhysicalName);
  ASSERT_TRUE(AppendWith(*lake, 2, "a=b;c").ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  EXPECT_EQ(Committed(world)->schema()->field_names(), (Names{"time", "time_date", "id", "room temp", "a=b;c"}));
  EXPECT_EQ(RowCountOf(**lake->Pin(kTable, std::nullopt)), 2);
}

TEST(MappedNames, APlainTableMapsItsColumnsWithTheCommitThatNeedsIt) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_TRUE(AppendIds(*lake, {1}).ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  EXPECT_EQ(Committed(world)->protocol(), delta::Protocol());
  ASSERT_TRUE(AppendWith(*lake, 2, "room temp").ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  const auto mapped = Committed(world);
  EXPECT_EQ(mapped->version(), 1) << "protocol, metadata and rows are one commit";
  EXPECT_EQ(mapped->protocol(), (delta::Protocol{2, 5, {}, {}}));
  EXPECT_EQ(columnar::PhysicalName(*mapped->schema()->GetFieldByName("id")), "id");
  EXPECT_TRUE(columnar::PhysicalName(*mapped->schema()->GetFieldByName("room temp")).starts_with("col-"));
  EXPECT_EQ(RowCountOf(**lake->Pin(kTable, std::nullopt)), 2);
  EXPECT_EQ(testing::IdsIn(*lake, kTable), (std::multiset<int64_t>{1, 2}));
}

TEST(MappedNames, PlainNamesLeaveATableAsItIs) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_TRUE(AppendWith(*lake, 1, "a.b-c/d").ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  EXPECT_EQ(Committed(world)->protocol(), delta::Protocol());
}

TEST(MappedNames, RowsAcknowledgedBeforeARenameAreKeptUnderTheirOldName) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_TRUE(AppendIds(*lake, {1}).ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  const auto context = ForeignContext(world, "db/cpu");
  const auto alter = [&](const delta::TableChange& change) {
    return delta::AlterTable(context, *delta::LoadSnapshot(context), change).status();
  };
  ASSERT_TRUE(alter(delta::SetProperties{{{"delta.columnMapping.mode", "name"}}}).ok());
  ASSERT_TRUE(AppendIds(*lake, {2}).ok());
  ASSERT_TRUE(alter(delta::RenameColumn{{"id"}, "number"}).ok());
  ASSERT_TRUE(lake->FlushAll().ok());
  const auto after = Committed(world);
  EXPECT_EQ(after->schema()->field_names(), (Names{"time", "time_date", "number", "id"}));
  EXPECT_EQ(RowCountOf(**lake->Pin(kTable, std::nullopt)), 2);
  EXPECT_EQ(lake->stats().rows_rejected, 0);
}

}  // namespace
}  // namespace tarn::lake
