#include "delta/operations/overwrite.h"

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::HasSubstr;
using Op = Predicate::Op;
using Rows = std::vector<std::string>;

constexpr int kDay = 1;
constexpr int64_t kFirstDay = 20454;  // 2026-01-01
const arrow::FieldVector kFile = {arrow::field("id", arrow::int64(), /*nullable=*/false)};
const arrow::FieldVector kTable = {kFile[0], arrow::field("day", arrow::date32())};

class OverwriteTest : public ::testing::Test {
 protected:
  static void MakeTable(DataTable& table, std::map<std::string, std::string> configuration = {}) {
    table.Create(arrow::schema(kTable), {"day"}, std::move(configuration));
    table.Append(kFile, R"([{"id":1},{"id":2}])", {{"day", "2026-01-01"}});
    table.Append(kFile, R"([{"id":3}])", {{"day", "2026-01-02"}});
    table.Append(kFile, R"([{"id":4}])", {{"day", std::nullopt}});
  }
  void SetUp() override { MakeTable(table_); }

  static Result<ChangeResult> Run(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                  const std::string& rows, const OverwriteOptions& options) {
    const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(kTable), rows);
    const auto reader = *arrow::RecordBatchReader::Make({*arrow::RecordBatch::FromStructArray(array)});
    return Overwrite(table, std::move(snapshot), *reader, options);
  }
  Result<ChangeResult> Run(const std::string& rows, const OverwriteOptions& options) {
    return Run(table_.context(), table_.Latest(), rows, options);
  }
  Rows Latest() { return table_.Rows(*table_.Latest()); }
  std::string LatestCommit() { return *table_.store().Get(CommitKey(table_.Latest()->version())); }

  DataTable table_;
};

TEST_F(OverwriteTest, TheWholeTable) {
  const auto result = Run(R"([{"id":7,"day":20454},{"id":8,"day":20460}])", {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(Latest(), (Rows{"|7|2026-01-01", "|8|2026-01-07"}));
  EXPECT_EQ(result->counts.files_removed, 3);
  EXPECT_EQ(result->counts.files_added, 2);
  EXPECT_EQ(result->counts.rows, 4);
  EXPECT_THAT(LatestCommit(), HasSubstr(R"("operation":"WRITE")"));
  EXPECT_THAT(LatestCommit(), HasSubstr("Overwrite"));
  EXPECT_THAT(LatestCommit(), HasSubstr(R"("isBlindAppend":false)"));
  EXPECT_THAT(LatestCommit(), HasSubstr(R"("numOutputRows":"2")"));
  // By nothing.
  ASSERT_TRUE(Run("[]", {}).ok());
  EXPECT_EQ(table_.Latest()->num_files(), 0U);
  EXPECT_EQ(Run("[]", {})->version, std::nullopt);
}

TEST_F(OverwriteTest, OnePartitionByCondition) {
  const auto where = *MakeCondition(*arrow::schema(kTable), {Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  const OverwriteOptions options{.scope = OverwriteScope::kCondition, .where = where.get(), .predicate = "day = then"};
  const auto keys = table_.DataKeys();
  const Status refused = Run(R"([{"id":7,"day":20454},{"id":8,"day":20455}])", options).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("day = then"));
  EXPECT_EQ(Run(R"([{"id":7,"day":null}])", options).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(table_.DataKeys(), keys);
  ASSERT_TRUE(Run(R"([{"id":7,"day":20454}])", options).ok());
  EXPECT_EQ(Latest(), (Rows{"|3|2026-01-02", "|4|null", "|7|2026-01-01"}));
}

TEST_F(OverwriteTest, PartOfAFileByCondition) {
  const auto where = *MakeCondition(*arrow::schema(kTable), {Predicate::Compare(Op::kGe, 0, int64_t{2})});
  ASSERT_TRUE(Run(R"([{"id":7,"day":20454}])", {.scope = OverwriteScope::kCondition, .where = where.get()}).ok());
  EXPECT_EQ(Latest(), (Rows{"|1|2026-01-01", "|7|2026-01-01"}));
}

TEST_F(OverwriteTest, ThePartitionsThatNewRowsAreIn) {
  const OverwriteOptions options{.scope = OverwriteScope::kPartitions};
  const auto result = Run(R"([{"id":7,"day":20455},{"id":8,"day":null},{"id":9,"day":20460}])", options);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(Latest(), (Rows{"|1|2026-01-01", "|2|2026-01-01", "|7|2026-01-02", "|8|null", "|9|2026-01-07"}));
  EXPECT_EQ(result->counts.files_removed, 2);
  EXPECT_EQ(Run("[]", options)->version, std::nullopt) << "no row, no partition";
}

TEST_F(OverwriteTest, ManyPartitionsAtOnce) {
  std::string rows = "[";
  for (int day = 0; day < 100; ++day) rows += R"({"id":9,"day":)" + std::to_string(20400 + day) + "},";
  rows.back() = ']';
  ASSERT_TRUE(Run(rows, {.scope = OverwriteScope::kPartitions}).ok());
  EXPECT_EQ(Latest().size(), 101U);
  EXPECT_THAT(Latest(), ::testing::Contains("|4|null"));
}

TEST_F(OverwriteTest, OthersChangesElsewhereAreNoMatter) {
  const auto stale = table_.Latest();
  table_.Append(kFile, R"([{"id":5}])", {{"day", "2026-01-03"}});
  const auto where = *MakeCondition(*arrow::schema(kTable), {Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  ASSERT_TRUE(Run(table_.context(), stale, R"([{"id":7,"day":20454}])",
                  {.scope = OverwriteScope::kCondition, .where = where.get()})
                  .ok());
  EXPECT_EQ(Latest(), (Rows{"|3|2026-01-02", "|4|null", "|5|2026-01-03", "|7|2026-01-01"}));
}

// Somebody replaced the same partition meanwhile: theirs goes too, and nothing of ours is written twice.
TEST_F(OverwriteTest, BehindARivalItIsPlannedAgain) {
  const auto stale = table_.Latest();
  const OverwriteOptions options{.scope = OverwriteScope::kPartitions};
  ASSERT_TRUE(Run(table_.context(), stale, R"([{"id":6,"day":20454}])", options).ok());
  const auto result = Run(table_.context(), stale, R"([{"id":7,"day":20454}])", options);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(Latest(), (Rows{"|3|2026-01-02", "|4|null", "|7|2026-01-01"}));
}

TEST_F(OverwriteTest, RowsThatDoNotFitAreRefusedByName) {
  const auto keys = table_.DataKeys();
  const arrow::FieldVector loose = {arrow::field("id", arrow::int64()), kTable[1]};
  const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(loose), R"([{"id":null,"day":1}])");
  const auto batch = *arrow::RecordBatch::FromStructArray(array);
  const auto nulls = arrow::RecordBatch::Make(arrow::schema(kTable), 1, batch->columns());
  const auto reader = *arrow::RecordBatchReader::Make({nulls});
  const Status status = Overwrite(table_.context(), table_.Latest(), *reader).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("'id' must not be null"));
  EXPECT_EQ(table_.DataKeys(), keys);
}

TEST_F(OverwriteTest, AppendOnlyTablesRefuse) {
  DataTable table;
  MakeTable(table, {{"delta.appendOnly", "true"}});
  EXPECT_EQ(Run(table.context(), table.Latest(), R"([{"id":7,"day":20454}])", {}).status().code(),
            StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace tarn::delta
