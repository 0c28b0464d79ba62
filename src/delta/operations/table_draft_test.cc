#include "delta/operations/table_draft.h"

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/log/commit_json.h"
#include "delta/operations/row_places.h"
#include "delta/testing/data_table.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Rows = std::vector<std::string>;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};
constexpr char kRows[] = R"([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}])";

class TableDraftTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::map<std::string, std::string> properties{{"delta.enableInCommitTimestamps", "true"}};
    if (GetParam()) properties["delta.enableDeletionVectors"] = "true";
    table_.Create(arrow::schema(kColumns), {}, properties);
    base_ = table_.Append(kColumns, kRows);
  }

  /// A file with one row, not committed.
  Add NewFile(const std::string& row) {
    TableWriter writer(table_.context(), base_, {});
    auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(kColumns), "[" + row + "]");
    EXPECT_TRUE(writer.Append(**arrow::RecordBatch::FromStructArray(*rows)).ok());
    return writer.Finish()->at(0);
  }
  static Status Insert(TableDraft& draft, Add file) {
    ChangeRequest request{.operation = "WRITE"};
    request.new_files.push_back(std::move(file));
    return draft.Change(request);
  }
  /// Deletes the rows whose text ends so.
  Status Delete(TableDraft& draft, const std::string& text) {
    RowPlaces places;
    for (FileIndex file = 0; file < draft.snapshot()->num_files(); ++file) {
      const Rows rows = table_.FileRows(*draft.snapshot(), *draft.snapshot()->File(file));
      for (size_t row = 0; row < rows.size(); ++row) {
        if (rows[row].find(text) != std::string::npos) places.Add(file, static_cast<int64_t>(row));
      }
    }
    return draft.Change({.places = &places, .reads = {.whole_table = true}, .operation = "DELETE"});
  }

  DataTable table_;
  std::shared_ptr<const Snapshot> base_;
};
INSTANTIATE_TEST_SUITE_P(Vectors, TableDraftTest, ::testing::Bool());

TEST_P(TableDraftTest, ChangesAreMadeOnThoseBeforeThemAndAreOneCommit) {
  TableDraft draft(table_.context(), base_);
  const size_t rows_before = table_.Rows(*base_).size();
  ASSERT_TRUE(Insert(draft, NewFile(R"({"id": 4, "name": "d"})")).ok());
  ASSERT_TRUE(Insert(draft, NewFile(R"({"id": 5, "name": "e"})")).ok());
  ASSERT_TRUE(Delete(draft, "|b").ok());
  ASSERT_TRUE(Delete(draft, "|d").ok());
  EXPECT_EQ(draft.changes(), 4);
  EXPECT_EQ(table_.Rows(*draft.snapshot()).size(), rows_before);
  EXPECT_EQ(table_.Latest()->version(), base_->version()) << "nobody else sees it";
  const auto committed = draft.Commit();
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  EXPECT_EQ((*committed)->version(), base_->version() + 1);
  EXPECT_EQ(table_.Rows(**committed), table_.Rows(*draft.snapshot()));
  EXPECT_EQ(table_.Rows(*table_.Latest()), table_.Rows(**committed));
  EXPECT_EQ(table_.DataKeys().size(), 3U) << "what was added and removed again is gone";
  const std::string text = *table_.store().Get(CommitKey((*committed)->version()));
  EXPECT_THAT(text, HasSubstr(R"("operation":"TRANSACTION")"));
}

TEST_P(TableDraftTest, WhatIsNotCommittedIsDeleted) {
  const auto before = table_.DataKeys();
  {
    TableDraft draft(table_.context(), base_);
    ASSERT_TRUE(Insert(draft, NewFile(R"({"id": 4, "name": "d"})")).ok());
    ASSERT_TRUE(Delete(draft, "|b").ok());
  }
  EXPECT_EQ(table_.DataKeys(), before);
  TableDraft nothing(table_.context(), base_);
  ASSERT_TRUE(Delete(nothing, "none").ok());
  EXPECT_EQ(*nothing.Commit(), nullptr);
  EXPECT_EQ(table_.Latest()->version(), base_->version());
}

TEST_P(TableDraftTest, BehindAnotherCommitOfWhatItReadItIsAConflict) {
  const auto before = table_.DataKeys();
  {
    TableDraft draft(table_.context(), base_);
    ASSERT_TRUE(Delete(draft, "none").ok()) << "it has read all the same";
    ASSERT_TRUE(Insert(draft, NewFile(R"({"id": 4, "name": "d"})")).ok());
    table_.Remove(base_->File(0)->key);
    EXPECT_EQ(draft.Commit().status().code(), StatusCode::kConflict);
  }
  EXPECT_EQ(table_.DataKeys(), before);
  TableDraft blind(table_.context(), table_.Latest());
  ASSERT_TRUE(Insert(blind, NewFile(R"({"id": 5, "name": "e"})")).ok());
  const auto latest = table_.Append(kColumns, kRows);
  const auto committed = blind.Commit();
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  EXPECT_EQ((*committed)->version(), latest->version() + 1);
}

}  // namespace
}  // namespace tarn::delta
