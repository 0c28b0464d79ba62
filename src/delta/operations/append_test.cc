#include "delta/operations/append.h"

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/operations/alter_table.h"
#include "delta/operations/delete.h"
#include "delta/operations/overwrite.h"
#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Lines = std::vector<std::string>;

const auto kPoint = arrow::struct_({arrow::field("x", arrow::int64()), arrow::field("y", arrow::int64())});
const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("at", kPoint),
                                     arrow::field("day", arrow::utf8())};

std::shared_ptr<arrow::RecordBatchReader> Rows(const std::string& rows) {
  const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(kColumns), rows);
  return *arrow::RecordBatchReader::Make({*arrow::RecordBatch::FromStructArray(array)});
}

/// A table whose newest version others have made by the time of an append that began with an older one.
class AppendBehindTest : public ::testing::Test {
 protected:
  void SetUp() override {
    table_.Create(arrow::schema(kColumns), {"day"});
    ASSERT_TRUE(Append(table_.context(), table_.Latest(), *Rows(R"([{"id":1,"at":{"x":1,"y":2},"day":"a"}])")).ok());
  }

  void Alter(const TableChange& change) {
    const auto done = AlterTable(table_.context(), table_.Latest(), change);
    ASSERT_TRUE(done.ok()) << done.status().ToString();
  }

  Result<Committed> AppendTwo(const std::shared_ptr<const Snapshot>& snapshot, const AppendOptions& options = {}) {
    return Append(table_.context(), snapshot,
                  *Rows(R"([{"id":2,"at":{"x":3,"y":4},"day":"a"},{"id":3,"at":null,"day":null}])"), options);
  }

  Lines All() { return table_.Rows(*table_.Latest()); }

  DataTable table_;
};

TEST_F(AppendBehindTest, TakesWhatTheTableHasBecome) {
  const auto before = table_.Latest();
  Alter(AddColumns{{{.record = {}, .field = arrow::field("more", arrow::float64()), .position = {}},
                    {.record = {"at"}, .field = arrow::field("z", arrow::int64()), .position = {}}}});
  Alter(AddConstraint{"few", "id < 10"});
  Alter(SetTableComment{"changed"});
  AppendOptions options;
  options.txn = Txn{"app", 7, std::nullopt};
  options.operation = "STREAMING UPDATE";
  const auto committed = AppendTwo(before, options);
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  EXPECT_EQ(committed->version, table_.Latest()->version());
  EXPECT_THAT(All(), SizeIs(3));
  EXPECT_THAT(table_.DataKeys(), SizeIs(3)) << "what was written first is gone";
  EXPECT_EQ(table_.Latest()->TxnVersion("app"), 7);
  EXPECT_EQ(AppendTwo(before, options).status().code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(table_.DataKeys(), SizeIs(3));
}

TEST_F(AppendBehindTest, FindsColumnsThatHaveOtherNamesNow) {
  const auto before = table_.Latest();
  Alter(SetProperties{{{"delta.columnMapping.mode", "name"}}});
  const auto mapped = table_.Latest();
  Alter(RenameColumn{{"id"}, "number"});
  Alter(RenameColumn{{"at", "x"}, "left"});
  Alter(RenameColumn{{"day"}, "date"});
  for (const auto& snapshot : {before, mapped}) {
    const auto committed = AppendTwo(snapshot);
    ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  }
  const Lines all = All();
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_EQ(all[1], all[2]);
  EXPECT_THAT(all[1], HasSubstr("3")) << "of the member that is called left";
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& line) { return line.starts_with("|2|"); }), 2);
}

TEST_F(AppendBehindTest, FilesThatFitAreCommittedAsTheyAre) {
  const auto before = table_.Latest();
  Alter(UpgradeProtocol{1, 3});
  ASSERT_TRUE(AppendTwo(before).ok());
  EXPECT_THAT(All(), SizeIs(3));
}

TEST_F(AppendBehindTest, SaysWhatDoesNotFitAnyMoreAndLeavesNothing) {
  const auto before = table_.Latest();
  const auto keys = table_.DataKeys();
  Alter(AddConstraint{"few", "id < 3"});
  auto refused = AppendTwo(before).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("few"));
  Alter(DropConstraint{"few"});
  Alter(ChangeColumn{.column = {"at"}, .nullable = std::nullopt, .comment = "place"});
  EXPECT_EQ(table_.DataKeys(), keys);
  // An overwritten schema: a column that is gone is nothing that rows may lose silently.
  Alter(SetProperties{{{"delta.columnMapping.mode", "name"}}});
  Alter(DropColumns{{{"at"}}});
  EXPECT_EQ(AppendTwo(before).status().code(), StatusCode::kConflict);
  EXPECT_EQ(table_.DataKeys(), keys);
  EXPECT_THAT(All(), SizeIs(1));
}

}  // namespace
}  // namespace tarn::delta
