#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "delta/log/log_names.h"
#include "delta/operations/delete.h"
#include "delta/operations/optimize.h"
#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};
constexpr char kTag[] = "tarn.sortedBy";

class SortedOptimizeTest : public ::testing::Test {
 protected:
  /// Ids from all over the range, so that every file overlaps every other one.
  void AppendScattered(int files, int rows_each, const PartitionValues& partition = {}) {
    for (int file = 0; file < files; ++file) {
      std::string rows = "[";
      for (int row = 0; row < rows_each; ++row) {
        const int id = (row * 7919 + file * 104'729) % 100'000;
        rows += (row == 0 ? "" : ",") + (R"({"id":)" + std::to_string(id)) + R"(,"name":"n)" + std::to_string(id % 13) +
                R"("})";
      }
      table_.Append(kColumns, rows + "]", partition);
    }
  }
  static OptimizeOptions By(std::vector<std::string> columns) {
    OptimizeOptions options;
    options.sort_by = std::move(columns);
    return options;
  }
  OptimizeResult Run(const OptimizeOptions& options) {
    Result<OptimizeResult> result = Optimize(table_.context(), table_.Latest(), options);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return *std::move(result);
  }
  std::vector<int64_t> IdsOf(const Snapshot& snapshot, FileIndex index) {
    std::vector<int64_t> ids;
    for (const std::string& row : table_.FileRows(snapshot, *snapshot.File(index))) {
      ids.push_back(std::stoll(row.substr(1)));
    }
    return ids;
  }
  /// Each file in order, and none reaches into another one of its partition.
  void ExpectDisjoint(const Snapshot& snapshot) {
    std::map<std::string, std::vector<std::pair<int64_t, int64_t>>> ranges;
    for (size_t i = 0; i < snapshot.num_files(); ++i) {
      const std::vector<int64_t> ids = IdsOf(snapshot, static_cast<FileIndex>(i));
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end())) << i;
      const std::string key = snapshot.File(static_cast<FileIndex>(i))->key;
      ranges[key.substr(0, key.find('/'))].emplace_back(ids.front(), ids.back());
    }
    for (auto& [partition, files] : ranges) {
      std::sort(files.begin(), files.end());
      for (size_t i = 1; i < files.size(); ++i) EXPECT_LE(files[i - 1].second, files[i].first) << partition;
    }
  }

  DataTable table_;
};

TEST_F(SortedOptimizeTest, RowsStayAndLieInOrder) {
  table_.Create(arrow::schema(kColumns));
  table_.Append(kColumns, R"([{"id":3,"name":"b"},{"id":null,"name":"z"},{"id":1,"name":"c"}])");
  table_.Append(kColumns, R"([{"id":3,"name":null},{"id":2,"name":"a"},{"id":3,"name":"B"}])");
  const std::vector<std::string> rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run(By({"ID", "name"}));
  EXPECT_EQ(result.files_removed, 2);
  EXPECT_EQ(result.files_added, 1);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  EXPECT_THAT(table_.FileRows(*result.snapshot, *result.snapshot->File(0)),
              ElementsAre("|null|z", "|1|c", "|2|a", "|3|null", "|3|B", "|3|b"));
  EXPECT_EQ(result.snapshot->AddAction(0)->tags.at(kTag), R"(["id","name"])");
  const std::string commit = *table_.store().Get(CommitKey(*result.version));
  EXPECT_THAT(commit, HasSubstr(R"("sortBy":"[\"ID\",\"name\"]")"));
  EXPECT_THAT(commit, ::testing::Not(HasSubstr(R"("dataChange":true)")));
}

TEST_F(SortedOptimizeTest, FilesOfAPartitionDoNotOverlapAndAreSkipped) {
  arrow::FieldVector fields = kColumns;
  fields.push_back(arrow::field("day", arrow::utf8()));
  table_.Create(arrow::schema(fields), {"day"});
  AppendScattered(4, 2000, {{"day", "a"}});
  AppendScattered(3, 2000, {{"day", "b"}});
  const std::vector<std::string> rows = table_.Rows(*table_.Latest());
  OptimizeOptions options = By({"id"});
  options.target_file_bytes = 6000;
  options.sort_memory_bytes = 100'000;
  const OptimizeResult result = Run(options);
  EXPECT_EQ(result.files_removed, 7);
  EXPECT_GT(result.files_added, 6);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  ExpectDisjoint(*result.snapshot);
  const Predicate one = Predicate::Compare(Predicate::Op::kEq, 0, int64_t{50'000});
  EXPECT_LE(result.snapshot->Select({one})->size(), 4U) << "one of each partition, or two that meet there";
}

TEST_F(SortedOptimizeTest, WhatIsSortedAndLargeIsLeftAlone) {
  table_.Create(arrow::schema(kColumns));
  AppendScattered(3, 2000);
  OptimizeOptions options = By({"id"});
  options.target_file_bytes = 8000;
  options.min_file_bytes = 100;
  options.sort_memory_bytes = 100'000;
  ASSERT_TRUE(Run(options).version.has_value());
  EXPECT_EQ(Run(options).version, std::nullopt);
  const size_t sorted = table_.Latest()->num_files();
  AppendScattered(1, 2000);
  const OptimizeResult more = Run(options);
  EXPECT_EQ(more.files_removed, 1) << "the new one alone";
  EXPECT_GT(table_.Latest()->num_files(), sorted);
  EXPECT_EQ(Run(options).version, std::nullopt);
  // By other columns all is to be done anew.
  OptimizeOptions others = options;
  others.sort_by = {"name"};
  EXPECT_EQ(static_cast<size_t>(Run(others).files_removed), sorted + static_cast<size_t>(more.files_added));
}

TEST_F(SortedOptimizeTest, SmallSortedFilesAreSortedTogether) {
  table_.Create(arrow::schema(kColumns));
  AppendScattered(1, 100);
  ASSERT_EQ(Run(By({"id"})).files_removed, 1);
  EXPECT_EQ(Run(By({"id"})).version, std::nullopt) << "one small file that is sorted";
  AppendScattered(1, 200);
  const OptimizeResult result = Run(By({"id"}));
  EXPECT_EQ(result.files_removed, 2);
  EXPECT_EQ(result.files_added, 1);
  ExpectDisjoint(*result.snapshot);
}

TEST_F(SortedOptimizeTest, DeletedRowsAreLeftOut) {
  table_.Create(arrow::schema(kColumns), {}, {{"delta.enableDeletionVectors", "true"}});
  AppendScattered(2, 500);
  ASSERT_TRUE(Run(By({"id"})).version.has_value());
  const auto condition =
      *MakeCondition(*arrow::schema(kColumns), {Predicate::Compare(Predicate::Op::kLt, 0, int64_t{30'000})});
  const auto deleted = Delete(table_.context(), table_.Latest(), *condition);
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  const std::vector<std::string> rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run(By({"id"}));
  EXPECT_EQ(result.vectors_removed, 1);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  ExpectDisjoint(*result.snapshot);
}

TEST_F(SortedOptimizeTest, ColumnsThatHaveNoOrderAreRefusedByName) {
  arrow::FieldVector fields = kColumns;
  fields.push_back(arrow::field("day", arrow::utf8()));
  fields.push_back(arrow::field("tags", arrow::list(arrow::utf8())));
  table_.Create(arrow::schema(fields), {"day"});
  AppendScattered(2, 10, {{"day", "a"}});
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"nothing"}, "'nothing'"}, {{"day"}, "'day'"}, {{"tags"}, "'tags'"}, {{"id", "ID"}, "twice"}};
  for (const auto& [columns, why] : wrong) {
    const auto refused = Optimize(table_.context(), table_.Latest(), By(columns));
    EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument) << why;
    EXPECT_THAT(refused.status().message(), HasSubstr(why));
  }
  EXPECT_EQ(table_.DataKeys().size(), 2U);
}

}  // namespace
}  // namespace tarn::delta
