#include "delta/operations/table_writer.h"

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/clock.h"
#include "columnar/value_array.h"
#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::HasSubstr;
using Rows = std::vector<std::string>;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("part", arrow::utf8())};

class TableWriterTest : public ::testing::Test {
 protected:
  void SetUp() override { table_.Create(arrow::schema(kColumns), {"part"}); }

  static std::shared_ptr<arrow::RecordBatch> Batch(const std::string& rows) {
    const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(kColumns), rows);
    return *arrow::RecordBatch::FromStructArray(array);
  }
  std::shared_ptr<const Snapshot> Commit(const std::vector<Add>& adds) {
    const auto transaction = *Transaction::Begin(table_.context(), table_.Latest());
    for (const Add& add : adds) transaction->AddFile(add);
    return transaction->Commit()->snapshot;
  }

  DataTable table_;
};

TEST_F(TableWriterTest, RowsGoToTheirPartitions) {
  TableWriter writer(table_.context(), table_.Latest(), {});
  ASSERT_TRUE(writer.Append(*Batch(R"([{"id":1,"part":"a"},{"id":2,"part":"b"},{"id":3,"part":"a"},{"id":4}])")).ok());
  ASSERT_TRUE(writer.Append(*Batch(R"([{"id":5,"part":"a"},{"id":6,"part":""}])")).ok());
  const auto adds = writer.Finish();
  ASSERT_TRUE(adds.ok()) << adds.status().ToString();
  EXPECT_EQ(adds->size(), 3U);
  EXPECT_EQ(writer.keys().size(), 3U);
  EXPECT_EQ(table_.Rows(*Commit(*adds)), (Rows{"|1|a", "|2|b", "|3|a", "|4|null", "|5|a", "|6|null"}));
}

// The folder of null is a name that a value may have as well.
TEST_F(TableWriterTest, NullIsNoName) {
  TableWriter writer(table_.context(), table_.Latest(), {});
  ASSERT_TRUE(writer.Append(*Batch(R"([{"id":1,"part":"__HIVE_DEFAULT_PARTITION__"},{"id":2}])")).ok());
  const auto adds = writer.Finish();
  ASSERT_TRUE(adds.ok()) << adds.status().ToString();
  EXPECT_EQ(table_.Rows(*Commit(*adds)), (Rows{"|1|__HIVE_DEFAULT_PARTITION__", "|2|null"}));
}

TEST_F(TableWriterTest, FewFilesAreOpenAtOnceAndNoneGrowsTooLarge) {
  TableWriter writer(table_.context(), table_.Latest(), {.target_file_bytes = 1 << 20, .max_open_files = 2});
  for (int round = 0; round < 2; ++round) {
    for (const char* part : {"a", "b", "c"}) {
      ASSERT_TRUE(writer.Append(*Batch(R"([{"id":1,"part":")" + std::string(part) + R"("}])")).ok());
    }
  }
  // Each was closed for the next but one.
  EXPECT_EQ(writer.Finish()->size(), 6U);
  TableWriter small(table_.context(), table_.Latest(), {.target_file_bytes = 1});
  ASSERT_TRUE(small.Append(*Batch(R"([{"id":1,"part":"a"}])")).ok());
  ASSERT_TRUE(small.Append(*Batch(R"([{"id":1,"part":"a"}])")).ok());
  EXPECT_EQ(small.Finish()->size(), 2U);
  for (const auto& keys : {writer.keys(), small.keys()}) {
    for (const std::string& key : keys) ASSERT_TRUE(table_.store().Delete(key).ok());
  }
}

TEST_F(TableWriterTest, ABatchOfAnotherSchemaIsRefused) {
  TableWriter writer(table_.context(), table_.Latest(), {});
  const auto batch = *Batch(R"([{"id":1,"part":"a"}])")->RemoveColumn(1);
  EXPECT_EQ(writer.Append(*batch).code(), StatusCode::kInvalidArgument);
}

TEST_F(TableWriterTest, ARequiredPartitionIsNeverEmpty) {
  DataTable table;
  const arrow::FieldVector columns = {kColumns[0], arrow::field("part", arrow::utf8(), /*nullable=*/false)};
  table.Create(arrow::schema(columns), {"part"});
  TableWriter writer(table.context(), table.Latest(), {});
  const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(columns), R"([{"id":1,"part":""}])");
  const Status status = writer.Append(**arrow::RecordBatch::FromStructArray(array));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("'part' must not be null"));
}

// delta-rs and polars open no table with a partition beyond their calendar.
TEST_F(TableWriterTest, PartitionsAreOfYearsThatEveryReaderKnows) {
  struct Case {
    std::shared_ptr<arrow::DataType> type;
    int64_t value;
    /// Empty where it is taken.
    std::string refused;
  };
  constexpr int64_t kLastDay = 2932896;   // 9999-12-31
  constexpr int64_t kFirstDay = -719162;  // 0001-01-01
  constexpr int64_t kDay = 86400 * kMicrosPerSecond;
  const auto utc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto day = arrow::date32();
  const std::vector<Case> cases = {
      {day, kLastDay, ""},
      {day, kFirstDay, ""},
      {day, kLastDay + 1, "+10000-01-01"},
      {day, kFirstDay - 1, "0000-12-31"},
      {day, std::numeric_limits<int32_t>::max(), "infinity"},
      {day, -std::numeric_limits<int32_t>::max(), "-infinity"},
      {utc, (kLastDay + 1) * kDay - 1, ""},
      {utc, (kLastDay + 1) * kDay, "+10000-01-01T00:00:00.000000Z"},
      {utc, kFirstDay * kDay, ""},
      {utc, kFirstDay * kDay - 1, "0000-12-31T23:59:59.999999Z"},
      {utc, std::numeric_limits<int64_t>::max(), "infinity"},
      {utc, -std::numeric_limits<int64_t>::max(), "-infinity"},
  };
  for (const auto& type : {day, utc}) {
    DataTable table;
    const arrow::FieldVector columns = {kColumns[0], arrow::field("at", type)};
    table.Create(arrow::schema(columns), {"at"});
    for (const Case& c : cases) {
      if (c.type != type) continue;
      const auto at = *columnar::ConstantArray(c.value, type, 1);
      const auto id = *columnar::ConstantArray(int64_t{1}, arrow::int64(), 1);
      const auto rows = arrow::RecordBatch::Make(arrow::schema(columns), 1, {id, at});
      TableWriter writer(table.context(), table.Latest(), {});
      const Status status = writer.Append(*rows);
      EXPECT_EQ(status.ok(), c.refused.empty()) << c.value << ": " << status.ToString();
      if (!status.ok()) {
        EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
        EXPECT_THAT(status.message(), HasSubstr("'at' partitions the table and cannot be " + c.refused + ":"));
      }
      // Those that a table has already are kept when its rows are changed.
      TableWriter copier(table.context(), table.Latest(), {});
      EXPECT_TRUE(copier.AppendCopied(*rows).ok());
    }
  }
}

}  // namespace
}  // namespace tarn::delta
