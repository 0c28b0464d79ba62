#include "delta/operations/row_change.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "columnar/value_array.h"
#include "delta/log/commit_json.h"
#include "delta/operations/delete.h"
#include "delta/operations/optimize.h"
#include "delta/operations/update.h"
#include "delta/testing/data_table.h"
#include "delta/testing/expect_valid.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Op = Predicate::Op;
using Rows = std::vector<std::string>;

constexpr int kId = 0;
constexpr int kName = 1;
constexpr int kDay = 2;
constexpr int64_t kFirstDay = 20454;  // 2026-01-01
const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64(), /*nullable=*/false),
                                     arrow::field("name", arrow::utf8())};

Predicate IdIn(const std::vector<int64_t>& ids) {
  Predicate predicate{Op::kIn, kId, {}, {}};
  for (const int64_t id : ids) predicate.values.emplace_back(id);
  return predicate;
}

/// Adds to the id, names the row anew, and moves it to another day where one is given.
class Renaming final : public RowUpdate {
 public:
  explicit Renaming(std::optional<int64_t> day = std::nullopt, columnar::Value name = std::string("new"))
      : day_(day), name_(std::move(name)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    auto columns = rows->columns();
    TARN_ASSIGN_OR_RETURN(columns[kName], columnar::ConstantArray(name_, arrow::utf8(), rows->num_rows()));
    if (day_.has_value()) {
      TARN_ASSIGN_OR_RETURN(columns[kDay], columnar::ConstantArray(*day_, arrow::date32(), rows->num_rows()));
    }
    return arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), columns);
  }

 private:
  const std::optional<int64_t> day_;
  const columnar::Value name_;
};

/// A condition that tells what it was asked.
class Watched final : public RowCondition {
 public:
  explicit Watched(RowCondition& condition) : condition_(condition) {}
  const std::vector<int>& columns() const override { return condition_.columns(); }
  const std::vector<Predicate>& predicates() const override { return condition_.predicates(); }
  Result<std::shared_ptr<arrow::BooleanArray>> Select(const arrow::RecordBatch& rows) override {
    asked.push_back(rows.num_rows());
    return condition_.Select(rows);
  }

  std::vector<int64_t> asked;

 private:
  RowCondition& condition_;
};

/// The parameter says whether the table has deletion vectors.
class RowChangeTest : public ::testing::TestWithParam<bool> {
 protected:
  /// Two files of the first day, one of the second; nine rows.
  void MakeTable(DataTable& table, std::map<std::string, std::string> configuration = {}) {
    arrow::FieldVector fields = kColumns;
    fields.push_back(arrow::field("day", arrow::date32()));
    if (GetParam()) configuration["delta.enableDeletionVectors"] = "true";
    table.Create(arrow::schema(fields), {"day"}, std::move(configuration));
    table.Append(kColumns, R"([{"id":1,"name":"a"},{"id":2,"name":null},{"id":3,"name":"c"},{"id":4,"name":"d"}])",
                 {{"day", "2026-01-01"}});
    table.Append(kColumns, R"([{"id":5,"name":"a"},{"id":6,"name":"f"}])", {{"day", "2026-01-01"}});
    table.Append(kColumns, R"([{"id":7,"name":"a"},{"id":8,"name":"h"},{"id":9,"name":null}])",
                 {{"day", "2026-01-02"}});
  }
  void SetUp() override { MakeTable(table_); }

  std::unique_ptr<RowCondition> Where(std::vector<Predicate> all_of) {
    return *MakeCondition(*table_.Latest()->schema(), std::move(all_of));
  }
  Result<ChangeResult> TryDelete(std::vector<Predicate> all_of, std::shared_ptr<const Snapshot> from = nullptr) {
    const auto condition = Where(std::move(all_of));
    return Delete(table_.context(), from != nullptr ? from : table_.Latest(), *condition, {.predicate = "a \"text\""});
  }
  ChangeResult DeleteRows(std::vector<Predicate> all_of) {
    auto result = TryDelete(std::move(all_of));
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return *std::move(result);
  }
  Result<ChangeResult> TryUpdate(std::vector<Predicate> all_of, Renaming update,
                                 std::shared_ptr<const Snapshot> from = nullptr) {
    const auto condition = Where(std::move(all_of));
    return Update(table_.context(), from != nullptr ? from : table_.Latest(), *condition, update);
  }
  /// The ids there are, and that old and new reading agree.
  std::vector<int> Ids(const std::shared_ptr<const Snapshot>& snapshot = nullptr) {
    const Rows rows = table_.Rows(*(snapshot != nullptr ? snapshot : table_.Latest()));
    std::vector<int> ids;
    for (const std::string& row : rows) ids.push_back(std::stoi(row.substr(1)));
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::string LatestCommit() { return *table_.store().Get(CommitKey(table_.Latest()->version())); }
  size_t VectorFiles() {
    const auto keys = table_.DataKeys();
    return static_cast<size_t>(
        std::count_if(keys.begin(), keys.end(), [](const std::string& key) { return key.ends_with(".bin"); }));
  }

  DataTable table_;
};

INSTANTIATE_TEST_SUITE_P(Vectors, RowChangeTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Vectors" : "Rewriting"; });

TEST_P(RowChangeTest, DeletesTheRowsAndNoOthers) {
  const auto before = table_.Latest();
  const ChangeResult result = DeleteRows({IdIn({2, 4, 7})});
  EXPECT_EQ(result.version, 4);
  EXPECT_EQ(result.counts.rows, 3);
  EXPECT_THAT(Ids(result.snapshot), ElementsAre(1, 3, 5, 6, 8, 9));
  EXPECT_THAT(Ids(), ElementsAre(1, 3, 5, 6, 8, 9));
  EXPECT_EQ(Ids(before).size(), 9U) << "the version before";
  const std::string commit = LatestCommit();
  EXPECT_THAT(commit, HasSubstr(R"("operation":"DELETE")"));
  EXPECT_THAT(commit, HasSubstr(R"("operationParameters":{"predicate":"[\"a \\\"text\\\"\"]"})"));
  EXPECT_THAT(commit, HasSubstr(R"("numDeletedRows":"3")"));
  EXPECT_THAT(commit, HasSubstr(R"("isBlindAppend":false)"));
  if (GetParam()) {
    EXPECT_EQ(result.counts.vectors_added, 2);
    EXPECT_EQ(result.counts.files_removed, 0);
    EXPECT_EQ(result.counts.files_added, 0);
    EXPECT_EQ(result.snapshot->num_files(), 3U);
    EXPECT_EQ(VectorFiles(), 1U) << "both vectors in one file";
    EXPECT_THAT(commit, HasSubstr(R"("numDeletionVectorsAdded":"2")"));
    EXPECT_THAT(commit, HasSubstr(R"(\"numRecords\":4,\"minValues\":{\"id\":1,)"));
    EXPECT_THAT(commit, HasSubstr(R"(\"tightBounds\":false})"));
  } else {
    EXPECT_EQ(result.counts.vectors_added, 0);
    EXPECT_EQ(result.counts.files_removed, 2);
    EXPECT_EQ(result.counts.files_added, 2);
    EXPECT_EQ(result.counts.rows_copied, 4);
    EXPECT_EQ(VectorFiles(), 0U);
  }
}

TEST_P(RowChangeTest, WhatWasDeletedBeforeStaysDeleted) {
  DeleteRows({IdIn({2})});
  const ChangeResult second = DeleteRows({IdIn({1, 2, 5})});
  EXPECT_EQ(second.counts.rows, 2) << "2 is no more";
  EXPECT_THAT(Ids(), ElementsAre(3, 4, 6, 7, 8, 9));
  if (GetParam()) {
    EXPECT_EQ(second.counts.vectors_added, 2);
    EXPECT_EQ(second.counts.vectors_updated, 1);
    EXPECT_THAT(LatestCommit(), HasSubstr(R"("cardinality":2)"));
  }
  // The rest of the first file.
  const ChangeResult third = DeleteRows({IdIn({3, 4})});
  EXPECT_EQ(third.counts.files_removed, 1);
  // Written anew, it had come to share a file with others of its partition.
  EXPECT_EQ(third.counts.files_added, GetParam() ? 0 : 1);
  EXPECT_EQ(third.counts.vectors_added, 0);
  EXPECT_THAT(Ids(), ElementsAre(6, 7, 8, 9));
  EXPECT_THAT(Ids(*LoadSnapshotAt(table_.context(), 4)), ElementsAre(1, 3, 4, 5, 6, 7, 8, 9));
}

TEST_P(RowChangeTest, FilesWhosePartitionDecidesAreNotRead) {
  const auto condition = Where({Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  Watched watched(*condition);
  const auto keys = table_.DataKeys();
  const auto result = Delete(table_.context(), table_.Latest(), watched);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_THAT(watched.asked, ElementsAre(1, 1));
  EXPECT_EQ(result->counts.files_removed, 2);
  EXPECT_EQ(result->counts.rows, 6);
  EXPECT_THAT(Ids(), ElementsAre(7, 8, 9));
  EXPECT_EQ(table_.DataKeys(), keys);
}

TEST_P(RowChangeTest, WithoutAConditionAllRowsGo) {
  const ChangeResult result = DeleteRows({});
  EXPECT_EQ(result.counts.rows, 9);
  EXPECT_EQ(result.snapshot->num_files(), 0U);
  EXPECT_EQ(DeleteRows({}).version, std::nullopt) << "nothing is left";
}

TEST_P(RowChangeTest, FilesThatCannotMatchAreNotRead) {
  const auto condition = Where({Predicate::Compare(Op::kGt, kId, int64_t{8})});
  Watched watched(*condition);
  ASSERT_TRUE(Delete(table_.context(), table_.Latest(), watched).ok());
  EXPECT_THAT(watched.asked, ElementsAre(3));
}

TEST_P(RowChangeTest, NothingSelectedIsNoCommit) {
  const auto keys = table_.DataKeys();
  EXPECT_EQ(DeleteRows({IdIn({100})}).version, std::nullopt);
  // Within the bounds of a file, but not there.
  EXPECT_EQ(DeleteRows({Predicate::Compare(Op::kEq, kName, std::string("b"))}).version, std::nullopt);
  EXPECT_EQ(table_.Latest()->version(), 3);
  EXPECT_EQ(table_.DataKeys(), keys);
}

TEST_P(RowChangeTest, NullIsNotTrue) {
  const Predicate is_a = Predicate::Compare(Op::kEq, kName, std::string("a"));
  EXPECT_EQ(DeleteRows({{Op::kNot, -1, {}, {is_a}}}).counts.rows, 4);
  EXPECT_THAT(Ids(), ElementsAre(1, 2, 5, 7, 9)) << "neither a nor not a";
  EXPECT_EQ(DeleteRows({{Op::kIsNull, kName, {}, {}}}).counts.rows, 2);
  EXPECT_THAT(Ids(), ElementsAre(1, 5, 7));
}

TEST_P(RowChangeTest, AppendOnlyTablesRefuse) {
  DataTable table;
  MakeTable(table, {{"delta.appendOnly", "true"}});
  const auto condition = Where({IdIn({2})});
  const auto keys = table.DataKeys();
  Renaming update;
  EXPECT_EQ(Delete(table.context(), table.Latest(), *condition).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Update(table.context(), table.Latest(), *condition, update).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(table.DataKeys(), keys);
}

TEST_P(RowChangeTest, WithAChangeFeedOnlyWholeFilesGo) {
  DataTable table;
  MakeTable(table, {{"delta.enableChangeDataFeed", "true"}});
  const auto keys = table.DataKeys();
  const auto rows = Where({IdIn({2, 5, 6})});
  const Status refused = Delete(table.context(), table.Latest(), *rows).status();
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_THAT(refused.message(), HasSubstr("delta.enableChangeDataFeed"));
  const auto files = Where({IdIn({5, 6})});
  Renaming update;
  EXPECT_EQ(Update(table.context(), table.Latest(), *files, update).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(table.DataKeys(), keys);
  const auto done = Delete(table.context(), table.Latest(), *files);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->counts.files_removed, 1);
  EXPECT_EQ(table.Rows(*done->snapshot).size(), 7U);
}

// As other writers leave them; a deletion vector needs the number.
TEST_P(RowChangeTest, FilesWithoutStatisticsAreCounted) {
  const auto latest = table_.Latest();
  const auto transaction = *Transaction::Begin(table_.context(), latest);
  for (FileIndex i = 0; i < latest->num_files(); ++i) {
    Add add = *latest->AddAction(i);
    transaction->RemoveFile(RemoveOf(add, 1, /*data_change=*/false));
    add.path = add.path.substr(0, add.path.rfind('/')) + "/bare-" + std::to_string(i) + ".parquet";
    add.stats.clear();
    add.data_change = false;
    const std::string bytes = *table_.store().Get(latest->File(i)->key);
    const std::string key = latest->File(i)->key.substr(0, latest->File(i)->key.rfind('/'));
    ASSERT_TRUE(table_.store()
                    .Put(key + "/bare-" + std::to_string(i) + ".parquet", AsBytes(bytes), storage::Precondition::None())
                    .ok());
    transaction->AddFile(add);
  }
  const auto bare = transaction->Commit();
  ASSERT_TRUE(bare.ok()) << bare.status().ToString();
  EXPECT_EQ(DeleteRows({IdIn({2, 7})}).counts.rows, 2);
  EXPECT_THAT(Ids(), ElementsAre(1, 3, 4, 5, 6, 8, 9));
  if (GetParam()) {
    EXPECT_THAT(LatestCommit(), HasSubstr(R"({\"numRecords\":4,\"tightBounds\":false})"));
  }
  // Unread, nobody knows how many rows it was.
  const ChangeResult whole = DeleteRows({Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  EXPECT_EQ(whole.counts.rows, std::nullopt);
  EXPECT_THAT(LatestCommit(), Not(HasSubstr("numDeletedRows")));
  EXPECT_THAT(Ids(), ElementsAre(8, 9));
}

TEST_P(RowChangeTest, UpdatedRowsReplaceTheirFormerSelves) {
  const auto result = TryUpdate({IdIn({1, 4, 9})}, Renaming());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->counts.rows, 3);
  EXPECT_EQ(table_.Rows(*table_.Latest()),
            (Rows{"|1|new|2026-01-01", "|2|null|2026-01-01", "|3|c|2026-01-01", "|4|new|2026-01-01", "|5|a|2026-01-01",
                  "|6|f|2026-01-01", "|7|a|2026-01-02", "|8|h|2026-01-02", "|9|new|2026-01-02"}));
  const std::string commit = LatestCommit();
  EXPECT_THAT(commit, HasSubstr(R"("operation":"UPDATE")"));
  EXPECT_THAT(commit, HasSubstr(R"("numUpdatedRows":"3")"));
  EXPECT_EQ(result->counts.vectors_added, GetParam() ? 2 : 0);
  EXPECT_EQ(result->counts.files_removed, GetParam() ? 0 : 2);
  EXPECT_EQ(result->counts.rows_copied, GetParam() ? 0 : 4);
}

TEST_P(RowChangeTest, UpdatedRowsGoWhereTheyBelong) {
  const auto result = TryUpdate({IdIn({1, 5, 6})}, Renaming(kFirstDay + 1));
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->counts.files_removed, GetParam() ? 1 : 2);
  const auto condition = Where({Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  EXPECT_EQ(table_.Rows(*table_.Latest()),
            (Rows{"|1|new|2026-01-02", "|2|null|2026-01-01", "|3|c|2026-01-01", "|4|d|2026-01-01", "|5|new|2026-01-02",
                  "|6|new|2026-01-02", "|7|a|2026-01-02", "|8|h|2026-01-02", "|9|null|2026-01-02"}));
  // All rows, and again: none is left behind or doubled.
  ASSERT_TRUE(TryUpdate({}, Renaming(kFirstDay)).ok());
  ASSERT_TRUE(TryUpdate({Predicate::Compare(Op::kEq, kDay, kFirstDay)}, Renaming()).ok());
  EXPECT_EQ(Ids(), (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

class Nulling final : public RowUpdate {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    auto columns = rows->columns();
    TARN_ASSIGN_OR_RETURN(columns[kId], columnar::ConstantArray({}, arrow::int64(), rows->num_rows()));
    return arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), columns);
  }
};

TEST_P(RowChangeTest, AColumnThatMustNotBeNullIsNamed) {
  const auto keys = table_.DataKeys();
  const auto condition = Where({IdIn({1, 7})});
  Nulling update;
  const Status refused = Update(table_.context(), table_.Latest(), *condition, update).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("'id' must not be null"));
  EXPECT_EQ(table_.DataKeys(), keys) << "what was written is deleted again";
}

TEST_P(RowChangeTest, OthersAppendsAreLetThrough) {
  const auto stale = table_.Latest();
  table_.Append(kColumns, R"([{"id":10,"name":"a"}])", {{"day", "2026-01-01"}});
  const auto result = TryDelete({IdIn({1, 10})}, stale);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->counts.rows, 1);
  EXPECT_THAT(Ids(), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10)) << "as if the append had come later";
}

TEST_P(RowChangeTest, SerializableTablesSeeOthersAppends) {
  DataTable table;
  MakeTable(table, {{"delta.isolationLevel", "Serializable"}});
  const auto stale = table.Latest();
  table.Append(kColumns, R"([{"id":10,"name":"a"}])", {{"day", "2026-01-01"}});
  const auto condition = Where({IdIn({1, 10})});
  const auto result = Delete(table.context(), stale, *condition);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->counts.rows, 2) << "planned again";
  EXPECT_EQ(table.Rows(*table.Latest()).size(), 8U);
}

TEST_P(RowChangeTest, BehindCompactionItIsPlannedAgain) {
  const auto stale = table_.Latest();
  ASSERT_TRUE(Optimize(table_.context(), stale, {}).ok());
  const auto result = TryDelete({IdIn({1, 5, 7})}, stale);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_THAT(Ids(), ElementsAre(2, 3, 4, 6, 8, 9));
}

TEST_P(RowChangeTest, TwoDeletesInOneFileBothCount) {
  const auto stale = table_.Latest();
  DeleteRows({IdIn({1})});
  const auto result = TryDelete({IdIn({2})}, stale);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_THAT(Ids(), ElementsAre(3, 4, 5, 6, 7, 8, 9));
  const auto update = TryUpdate({IdIn({2, 3})}, Renaming(), stale);
  ASSERT_TRUE(update.ok()) << update.status().ToString();
  EXPECT_EQ(update->counts.rows, 1);
  EXPECT_THAT(Ids(), ElementsAre(3, 4, 5, 6, 7, 8, 9));
}

TEST_P(RowChangeTest, AChangedSchemaIsTheCallersToSee) {
  const auto stale = table_.Latest();
  const auto evolve = *Transaction::Begin(table_.context(), stale);
  arrow::FieldVector fields = stale->schema()->fields();
  fields.push_back(arrow::field("extra", arrow::int64()));
  ASSERT_TRUE(evolve->SetSchema(arrow::schema(fields)).ok());
  ASSERT_TRUE(evolve->Commit().ok());
  const auto keys = table_.DataKeys();
  EXPECT_EQ(TryDelete({IdIn({1})}, stale).status().code(), StatusCode::kConflict);
  EXPECT_EQ(table_.DataKeys(), keys) << "nothing is left behind";
}

TEST_P(RowChangeTest, ALostFileIsNamed) {
  const std::string lost = table_.Latest()->File(0)->key;
  ASSERT_TRUE(table_.store().Delete(lost).ok());
  table_.ExpectBroken();
  const Status status = TryDelete({IdIn({1})}).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(lost));
}

TEST_P(RowChangeTest, RowsNamedByTheirPlaceGoWithWhatComesIn) {
  DeleteRows({IdIn({2})});
  const auto snapshot = table_.Latest();
  RowPlaces places;
  for (FileIndex file = 0; file < snapshot->num_files(); ++file) {
    if (snapshot->File(file)->partition_values[0] != columnar::Value(kFirstDay + 1)) continue;
    EXPECT_TRUE(places.Add(file, 2));
    EXPECT_TRUE(places.Add(file, 0));
    EXPECT_FALSE(places.Add(file, 2)) << "it is in already";
  }
  ASSERT_EQ(places.count(), 2);
  TableWriter writer(table_.context(), snapshot, {});
  const auto id = columnar::ConstantArray(int64_t{10}, arrow::int64(), 1);
  const auto name = columnar::ConstantArray(std::string("x"), arrow::utf8(), 1);
  const auto day = columnar::ConstantArray(kFirstDay, arrow::date32(), 1);
  ASSERT_TRUE(writer.Append(*arrow::RecordBatch::Make(snapshot->schema(), 1, {*id, *name, *day})).ok());
  ChangeRequest request{.places = &places, .reads = {.whole_table = true}, .operation = "MERGE"};
  request.new_files = *writer.Finish();
  request.metrics = {{"numTargetRowsDeleted", "2"}};
  // What others only append meanwhile is not lost.
  table_.Append(kColumns, R"([{"id":11,"name":"k"}])", {{"day", "2026-01-02"}});
  const auto result = ChangeRows(table_.context(), snapshot, request);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->counts.rows, 2);
  EXPECT_THAT(Ids(), ElementsAre(1, 3, 4, 5, 6, 8, 10, 11));
  EXPECT_THAT(LatestCommit(), HasSubstr(R"("numTargetRowsDeleted":"2")"));
  EXPECT_EQ(result->counts.vectors_added, GetParam() ? 1 : 0);
}

TEST_P(RowChangeTest, PlacesAreOfOneSnapshot) {
  const auto snapshot = table_.Latest();
  RowPlaces places;
  places.Add(0, 0);
  // Another change of the same file: the places are not what they were.
  DeleteRows({Predicate::Compare(Op::kEq, kDay, kFirstDay)});
  const auto keys = table_.DataKeys();
  const ChangeRequest request{.places = &places, .reads = {.whole_table = true}, .operation = "DELETE"};
  const auto refused = ChangeRows(table_.context(), snapshot, request);
  EXPECT_EQ(refused.status().code(), StatusCode::kConflict) << refused.status().ToString();
  EXPECT_EQ(table_.DataKeys(), keys) << "nothing is left behind";
  for (const std::string& key : keys) EXPECT_TRUE(table_.store().Delete(key).ok());
  EXPECT_EQ(ChangeRows(table_.context(), snapshot, request).status().code(), StatusCode::kConflict);
  if (!GetParam()) {
    // No other version has it either: it is lost. (A vector is written without reading the file.)
    EXPECT_EQ(ChangeRows(table_.context(), table_.Latest(), request).status().code(), StatusCode::kNotFound);
  }
  table_.ExpectBroken();
}

}  // namespace
}  // namespace tarn::delta
