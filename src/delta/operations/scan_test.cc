#include "delta/operations/scan.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "delta/operations/append.h"
#include "delta/operations/delete.h"
#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::IsEmpty;
using Op = Predicate::Op;
using Lines = std::vector<std::string>;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                                     arrow::field("day", arrow::utf8())};

std::shared_ptr<arrow::RecordBatchReader> RowsOf(const std::vector<std::string>& batches) {
  arrow::RecordBatchVector made;
  for (const std::string& rows : batches) {
    made.push_back(
        *arrow::RecordBatch::FromStructArray(*arrow::json::ArrayFromJSONString(arrow::struct_(kColumns), rows)));
  }
  return *arrow::RecordBatchReader::Make(made, arrow::schema(kColumns));
}

class ScanTest : public ::testing::Test {
 protected:
  void SetUp() override { table_.Create(arrow::schema(kColumns), {"day"}, {{"delta.enableDeletionVectors", "true"}}); }

  std::shared_ptr<const Snapshot> Add(const std::vector<std::string>& batches, const AppendOptions& options = {}) {
    auto committed = Append(table_.context(), table_.Latest(), *RowsOf(batches), options);
    EXPECT_TRUE(committed.ok()) << committed.status().ToString();
    return committed->snapshot;
  }

  Lines Scan(const std::vector<int>& columns, RowCondition* where = nullptr) {
    Lines lines;
    const Status status = ScanTable(table_.context(), *table_.Latest(), {.columns = columns, .where = where},
                                    [&](const std::shared_ptr<arrow::RecordBatch>& rows) {
                                      for (int64_t row = 0; row < rows->num_rows(); ++row) {
                                        std::string line;
                                        for (const auto& column : rows->columns()) {
                                          line += (*column->GetScalar(row))->ToString() + "|";
                                        }
                                        lines.push_back(line);
                                      }
                                      return Status::Ok();
                                    });
    EXPECT_TRUE(status.ok()) << status.ToString();
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  std::unique_ptr<RowCondition> Where(Predicate predicate) {
    return *MakeCondition(*table_.Latest()->schema(), {std::move(predicate)});
  }

  DataTable table_;
};

TEST_F(ScanTest, GivesTheColumnsAskedForInTheirOrder) {
  Add({R"([{"id":1,"name":"a","day":"x"},{"id":2,"name":null,"day":"y"}])", R"([{"id":3,"name":"c","day":"x"}])"});
  EXPECT_EQ(Scan(AllColumns(*table_.Latest())), (Lines{"1|a|x|", "2|null|y|", "3|c|x|"}));
  EXPECT_EQ(Scan({2, 0}), (Lines{"x|1|", "x|3|", "y|2|"}));
  EXPECT_EQ(Scan({2}), (Lines{"x|", "x|", "y|"}));
  EXPECT_EQ(Scan({}), (Lines{"", "", ""}));
}

TEST_F(ScanTest, GivesOnlyTheRowsThatTheConditionSelects) {
  Add({R"([{"id":1,"name":"a","day":"x"},{"id":2,"name":null,"day":"y"},{"id":3,"name":"c","day":"x"}])"});
  const auto by_value = Where(Predicate::Compare(Op::kGt, 0, int64_t{1}));
  EXPECT_EQ(Scan({1}, by_value.get()), (Lines{"c|", "null|"}));
  EXPECT_EQ(Scan({}, by_value.get()), (Lines{"", ""}));
  const auto by_partition = Where(Predicate::Compare(Op::kEq, 2, std::string("x")));
  EXPECT_EQ(Scan({0}, by_partition.get()), (Lines{"1|", "3|"}));
  EXPECT_THAT(Scan({0}, Where({Op::kIsNull, 0, {}, {}}).get()), IsEmpty());
}

TEST_F(ScanTest, LeavesOutDeletedRows) {
  Add({R"([{"id":1,"name":"a","day":"x"},{"id":2,"name":"b","day":"x"},{"id":3,"name":"c","day":"x"}])"});
  const auto second = Where(Predicate::Compare(Op::kEq, 0, int64_t{2}));
  ASSERT_TRUE(Delete(table_.context(), table_.Latest(), *second).ok());
  EXPECT_EQ(Scan({0}), (Lines{"1|", "3|"}));
  EXPECT_THAT(Scan({0}, second.get()), IsEmpty());
}

TEST_F(ScanTest, OpensNoFileThatCannotHoldARow) {
  Add({R"([{"id":1,"name":"a","day":"x"}])"});
  Add({R"([{"id":2,"name":"b","day":"x"}])"});
  const auto snapshot = table_.Latest();
  for (FileIndex i = 0; i < snapshot->num_files(); ++i) {
    if (snapshot->Bounds(i, 0)->min == columnar::Value(int64_t{1})) {
      ASSERT_TRUE(table_.store().Delete(snapshot->File(i)->key).ok());
    }
  }
  EXPECT_EQ(Scan({0}, Where(Predicate::Compare(Op::kEq, 0, int64_t{2})).get()), (Lines{"2|"}));
  const Status all = ScanTable(table_.context(), *snapshot, {.columns = {0}}, [](const auto&) { return Status::Ok(); });
  EXPECT_TRUE(all.Is(StatusCode::kNotFound)) << all.ToString();
  table_.ExpectBroken();
}

TEST_F(ScanTest, AVisitorThatFailsEndsIt) {
  Add({R"([{"id":1,"name":"a","day":"x"},{"id":2,"name":"b","day":"y"}])"});
  int calls = 0;
  const Status status = ScanTable(table_.context(), *table_.Latest(), {.columns = {0}}, [&](const auto&) {
    ++calls;
    return Status::Cancelled("enough");
  });
  EXPECT_TRUE(status.Is(StatusCode::kCancelled));
  EXPECT_EQ(calls, 1);
}

TEST_F(ScanTest, AnAppendIsOneCommitAndHappensOnce) {
  const Txn txn{.app_id = "loader", .version = 7, .last_updated_millis = std::nullopt};
  const auto snapshot = Add({R"([{"id":1,"name":"a","day":"x"},{"id":2,"name":"b","day":"y"}])"}, {.txn = txn});
  EXPECT_EQ(snapshot->version(), 1);
  EXPECT_EQ(snapshot->TxnVersion("loader"), 7);
  const auto files = table_.DataKeys().size();
  const auto again = Append(table_.context(), snapshot, *RowsOf({R"([{"id":1,"name":"a","day":"x"}])"}), {.txn = txn});
  EXPECT_TRUE(again.status().Is(StatusCode::kAlreadyExists)) << again.status().ToString();
  EXPECT_EQ(table_.DataKeys().size(), files);
  EXPECT_EQ(Scan({0}), (Lines{"1|", "2|"}));
}

}  // namespace
}  // namespace tarn::delta
