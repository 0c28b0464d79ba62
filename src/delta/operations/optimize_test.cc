#include "delta/operations/optimize.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "columnar/parquet_reader.h"
#include "delta/log/commit_json.h"
#include "delta/operations/delete.h"
#include "delta/testing/data_table.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};

class OptimizeTest : public ::testing::Test {
 protected:
  void AppendFiles(int count, const PartitionValues& partition = {}) {
    for (int i = 0; i < count; ++i) {
      const std::string id = std::to_string(next_id_++);
      table_.Append(kColumns, R"([{"id":)" + id + R"(,"name":"a"},{"id":-)" + id + R"(,"name":null}])", partition);
    }
  }
  OptimizeResult Run(const OptimizeOptions& options = {}) {
    Result<OptimizeResult> result = Optimize(table_.context(), table_.Latest(), options);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return *std::move(result);
  }

  DataTable table_;
  int next_id_ = 1;
};

TEST_F(OptimizeTest, APartitionThatIsSpelledInTwoWaysIsMergedUnderDeltasOwn) {
  table_.Create(
      arrow::schema({kColumns[0], kColumns[1], arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))}),
      {"at"});
  AppendFiles(1, {{"at", "2024-01-01 00:00:00"}});
  AppendFiles(1, {{"at", "2024-01-01T00:00:00.000000Z"}});
  const auto before = table_.Rows(*table_.Latest());
  EXPECT_EQ(Run().files_added, 1);
  const auto after = table_.Latest();
  EXPECT_EQ(table_.Rows(*after), before);
  EXPECT_EQ(after->AddAction(0)->partition_values, (PartitionValues{{"at", "2024-01-01T00:00:00.000000Z"}}));
}

TEST_F(OptimizeTest, SmallFilesBecomeOneWithTheSameRows) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(5);
  const auto before = table_.Latest();
  const std::vector<std::string> rows = table_.Rows(*before);
  const OptimizeResult result = Run();
  ASSERT_TRUE(result.version.has_value());
  EXPECT_EQ(*result.version, 6);
  EXPECT_EQ(result.files_removed, 5);
  EXPECT_EQ(result.files_added, 1);
  EXPECT_EQ(result.bytes_read, before->total_bytes());
  EXPECT_EQ(result.bytes_written, result.snapshot->total_bytes());
  EXPECT_EQ(result.snapshot->num_files(), 1U);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  EXPECT_EQ(table_.Rows(*table_.Latest()), rows);
  // Oldest first, each file's rows in their order.
  const auto file_rows = table_.FileRows(*result.snapshot, *result.snapshot->File(0));
  EXPECT_EQ(file_rows[0], "|1|a");
  EXPECT_EQ(file_rows[1], "|-1|null");
  EXPECT_EQ(file_rows[9], "|-5|null");
  EXPECT_THAT(result.snapshot->AddAction(0)->stats,
              HasSubstr(R"({"numRecords":10,"minValues":{"id":-5,"name":"a"},"maxValues":{"id":5,"name":"a"})"));
  // Nothing more to do.
  EXPECT_EQ(Run().version, std::nullopt);
}

TEST_F(OptimizeTest, TheCommitChangesNoDataAndNamesItself) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(2);
  const OptimizeResult result = Run();
  const std::string commit = *table_.store().Get(CommitKey(*result.version));
  EXPECT_THAT(commit, HasSubstr(R"("operation":"OPTIMIZE")"));
  EXPECT_THAT(commit, ::testing::Not(HasSubstr(R"("dataChange":true)")));
  EXPECT_THAT(commit, HasSubstr(R"("extendedFileMetadata":true)"));
  EXPECT_THAT(commit,
              HasSubstr(R"("deletionTimestamp":)" + std::to_string(table_.clock().WallMicros() / kMicrosPerMilli)));
}

TEST_F(OptimizeTest, PartitionsAreNotMixed) {
  arrow::FieldVector fields = kColumns;
  fields.push_back(arrow::field("day", arrow::date32()));
  table_.Create(arrow::schema(fields), {"day"});
  AppendFiles(2, {{"day", "2024-01-01"}});
  AppendFiles(2, {{"day", std::nullopt}});
  AppendFiles(1, {{"day", "2024-01-02"}});
  const auto rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run();
  EXPECT_EQ(result.files_removed, 4);
  EXPECT_EQ(result.files_added, 2);
  EXPECT_EQ(result.snapshot->num_files(), 3U);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  std::set<std::string> folders;
  for (FileIndex i = 0; i < 3; ++i) {
    const std::string key = result.snapshot->File(i)->key;
    folders.insert(key.substr(0, key.rfind('/')));
  }
  EXPECT_THAT(folders, ElementsAre("day=2024-01-01", "day=2024-01-02", "day=__HIVE_DEFAULT_PARTITION__"));
}

TEST_F(OptimizeTest, ColumnsAddedLaterAreFilledWithNulls) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(1);
  arrow::FieldVector wider = kColumns;
  wider.push_back(arrow::field("extra", arrow::struct_({arrow::field("x", arrow::date32())})));
  const auto transaction = *Transaction::Begin(table_.context(), table_.Latest());
  ASSERT_TRUE(transaction->SetSchema(arrow::schema(wider)).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  table_.Append(wider, R"([{"id":7,"name":"b","extra":{"x":1}}])");
  // Another writer's narrower integer.
  table_.Append({arrow::field("id", arrow::int32())}, R"([{"id":8}])");
  const auto rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run();
  EXPECT_EQ(result.files_removed, 3);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  const auto file = columnar::ParquetFile::Open(table_.store(), result.snapshot->File(0)->key);
  EXPECT_EQ((*file)->schema()->ToString(), "id: int64\nname: string\nextra: struct<x: date32[day]>");
}

TEST_F(OptimizeTest, AFileThatDoesNotFitFailsByNameAndLeavesNothing) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(1);
  table_.Append({arrow::field("id", arrow::utf8())}, R"([{"id":"x"}])");
  const auto keys = table_.DataKeys();
  const auto result = Optimize(table_.context(), table_.Latest(), {});
  EXPECT_TRUE(result.status().Is(StatusCode::kInvalidArgument)) << result.status().ToString();
  EXPECT_THAT(result.status().message(), HasSubstr("'id'"));
  EXPECT_EQ(table_.DataKeys(), keys);
}

TEST_F(OptimizeTest, AConcurrentAppendDoesNotDisturb) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(3);
  const auto stale = table_.Latest();
  AppendFiles(1);
  const auto rows = table_.Rows(*table_.Latest());
  const auto result = Optimize(table_.context(), stale, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->files_removed, 3);
  EXPECT_EQ(result->snapshot->num_files(), 2U);
  EXPECT_EQ(table_.Rows(*result->snapshot), rows);
}

TEST_F(OptimizeTest, AGroupWhoseInputWasRemovedIsGivenUpAndTheOthersCommitted) {
  arrow::FieldVector fields = kColumns;
  fields.push_back(arrow::field("day", arrow::date32()));
  table_.Create(arrow::schema(fields), {"day"});
  AppendFiles(2, {{"day", "2024-01-01"}});
  AppendFiles(2, {{"day", "2024-01-02"}});
  const auto stale = table_.Latest();
  table_.Remove(stale->File(0)->key);
  const auto rows = table_.Rows(*table_.Latest());
  const auto result = Optimize(table_.context(), stale, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->files_removed, 2);
  EXPECT_EQ(result->files_added, 1);
  EXPECT_EQ(table_.Rows(*result->snapshot), rows);
  // Four inputs and the one output that was committed.
  EXPECT_EQ(table_.DataKeys().size(), 5U);
}

TEST_F(OptimizeTest, ItPlansAnewWhenEveryGroupWasOvertaken) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(4);
  const auto stale = table_.Latest();
  const std::string removed = stale->File(0)->key;
  table_.Remove(removed);
  const auto rows = table_.Rows(*table_.Latest());
  // The removed file's bytes are gone too, as after a vacuum.
  ASSERT_TRUE(table_.store().Delete(removed).ok());
  const auto result = Optimize(table_.context(), stale, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->files_removed, 3);
  EXPECT_EQ(table_.Rows(*result->snapshot), rows);
  EXPECT_EQ(table_.DataKeys().size(), 4U);
}

TEST_F(OptimizeTest, ALostInputIsReportedByName) {
  table_.Create(arrow::schema(kColumns));
  AppendFiles(2);
  const std::string lost = table_.Latest()->File(0)->key;
  ASSERT_TRUE(table_.store().Delete(lost).ok());
  table_.ExpectBroken();
  const auto result = Optimize(table_.context(), table_.Latest(), {});
  EXPECT_TRUE(result.status().Is(StatusCode::kNotFound));
  EXPECT_THAT(result.status().message(), HasSubstr(lost));
  EXPECT_EQ(table_.DataKeys().size(), 1U);
}

// Forty rows from `first` on, in one file.
std::string FortyRows(int first) {
  std::string rows = "[";
  for (int id = first; id < first + 40; ++id) rows += R"({"id":)" + std::to_string(id) + "},";
  rows.back() = ']';
  return rows;
}

class PurgeTest : public OptimizeTest {
 protected:
  void SetUp() override {
    table_.Create(arrow::schema(kColumns), {}, {{"delta.enableDeletionVectors", "true"}});
    table_.Append(kColumns, FortyRows(0));
  }
  void DeleteBelow(int64_t from, int64_t to) {
    const auto condition = *MakeCondition(*arrow::schema(kColumns), {Predicate::Compare(Predicate::Op::kGe, 0, from),
                                                                     Predicate::Compare(Predicate::Op::kLt, 0, to)});
    const auto deleted = Delete(table_.context(), table_.Latest(), *condition);
    ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
    ASSERT_EQ(deleted->counts.vectors_added, 1);
  }
  static int Vectors(const Snapshot& snapshot) {
    int vectors = 0;
    for (FileIndex i = 0; i < snapshot.num_files(); ++i) {
      if (snapshot.File(i)->deletion_vector.has_value()) ++vectors;
    }
    return vectors;
  }
};

TEST_F(PurgeTest, ALoneFileIsPurgedOnceEnoughIsDeleted) {
  DeleteBelow(0, 2);
  EXPECT_EQ(Run().version, std::nullopt) << "a twentieth, and no more";
  DeleteBelow(2, 3);
  const auto rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run();
  ASSERT_TRUE(result.version.has_value());
  EXPECT_EQ(result.vectors_removed, 1);
  EXPECT_EQ(Vectors(*result.snapshot), 0);
  EXPECT_EQ(result.snapshot->File(0)->num_records, 37);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
  EXPECT_EQ(Run().version, std::nullopt);
}

TEST_F(PurgeTest, LargeFilesToo) {
  table_.Append(kColumns, FortyRows(100));
  DeleteBelow(110, 130);
  const auto rows = table_.Rows(*table_.Latest());
  // Every file is large enough by itself.
  const OptimizeResult result = Run({.target_file_bytes = 100});
  EXPECT_EQ(result.files_removed, 1);
  EXPECT_EQ(result.files_added, 1);
  EXPECT_EQ(Vectors(*result.snapshot), 0);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
}

TEST_F(PurgeTest, SmallOnesAreMergedWithoutTheirDeletedRows) {
  table_.Append(kColumns, FortyRows(100));
  DeleteBelow(0, 1);
  const auto rows = table_.Rows(*table_.Latest());
  const OptimizeResult result = Run();
  EXPECT_EQ(result.files_removed, 2);
  EXPECT_EQ(result.files_added, 1);
  EXPECT_EQ(result.vectors_removed, 1);
  EXPECT_EQ(result.snapshot->File(0)->num_records, 79);
  EXPECT_EQ(table_.Rows(*result.snapshot), rows);
}

// A delete that comes first is not undone.
TEST_F(PurgeTest, ADeleteMeanwhileIsKept) {
  DeleteBelow(0, 10);
  const auto stale = table_.Latest();
  DeleteBelow(10, 20);
  const auto rows = table_.Rows(*table_.Latest());
  const auto result = Optimize(table_.context(), stale, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(table_.Rows(*result->snapshot), rows);
  EXPECT_EQ(Vectors(*result->snapshot), 0);
}

std::string AddLine(const std::string& key, int64_t size, int64_t modified) {
  Add add;
  add.path = key;
  add.size_bytes = size;
  add.modification_time_millis = modified;
  std::string line;
  AppendLine(line, add);
  return line;
}

/// The sizes of each planned group for files of these sizes, oldest first.
std::vector<std::vector<int64_t>> Plan(const std::vector<int64_t>& sizes, const OptimizeOptions& options) {
  DataTable table;
  table.ExpectBroken();
  table.Create(arrow::schema(kColumns));
  std::string commit;
  for (size_t i = 0; i < sizes.size(); ++i) {
    commit += AddLine("f" + std::to_string(i), sizes[i], static_cast<int64_t>(i));
  }
  EXPECT_TRUE(table.store().Put(CommitKey(1), AsBytes(commit), storage::Precondition::IfAbsent()).ok());
  const auto snapshot = table.Latest();
  const auto plan = PlanOptimize(*snapshot, options);
  EXPECT_TRUE(plan.ok());
  std::vector<std::vector<int64_t>> groups;
  for (const OptimizeGroup& group : *plan) {
    std::vector<int64_t>& group_sizes = groups.emplace_back();
    for (const FileIndex file : group) group_sizes.push_back(snapshot->File(file)->size_bytes);
  }
  return groups;
}

TEST(PlanOptimize, PacksByAgeUpToTheTarget) {
  const OptimizeOptions options{.target_file_bytes = 100};
  EXPECT_THAT(Plan({30, 30, 30, 30, 30, 30}, options), ElementsAre(ElementsAre(30, 30, 30), ElementsAre(30, 30, 30)));
  EXPECT_THAT(Plan({10}, options), ElementsAre());
}

TEST(PlanOptimize, LargeFilesAndLoneOnesAreLeft) {
  const OptimizeOptions options{.target_file_bytes = 100};
  EXPECT_THAT(Plan({75, 10, 500, 10}, options), ElementsAre(ElementsAre(10, 10)));
  EXPECT_THAT(Plan({74, 74, 74}, options), ElementsAre());
  EXPECT_THAT(Plan({10, 10}, {.target_file_bytes = 100, .min_file_bytes = 10}), ElementsAre());
}

TEST(PlanOptimize, AGrownFileWaitsUntilTheOthersAreWorthIt) {
  const OptimizeOptions options{.target_file_bytes = 100};
  EXPECT_THAT(Plan({60, 5, 5}, options), ElementsAre(ElementsAre(5, 5)));
  EXPECT_THAT(Plan({60, 5, 10}, options), ElementsAre(ElementsAre(60, 5, 10)));
  EXPECT_THAT(Plan({60, 1}, options), ElementsAre());
  EXPECT_THAT(Plan({60, 1}, {.target_file_bytes = 100, .min_growth = 0}), ElementsAre(ElementsAre(60, 1)));
}

TEST(PlanOptimize, BoundsHold) {
  EXPECT_THAT(Plan({10, 10, 10}, {.target_file_bytes = 100, .min_files = 4}), ElementsAre());
  EXPECT_THAT(Plan({40, 40, 40, 40, 40, 40}, {.target_file_bytes = 100, .max_bytes_per_commit = 170}),
              ElementsAre(ElementsAre(40, 40), ElementsAre(40, 40)));
  EXPECT_THAT(Plan({40, 40}, {.target_file_bytes = 100, .max_bytes_per_commit = 1}), ElementsAre(ElementsAre(40, 40)));
}

}  // namespace
}  // namespace tarn::delta
