#include "delta/operations/restore.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_names.h"
#include "delta/operations/vacuum.h"
#include "delta/testing/data_table.h"
#include "delta/testing/table_fixture.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using testing::FirstLines;
using ::testing::HasSubstr;
using testing::MemoryTable;

constexpr int64_t kDay = 24 * 3600 * kMicrosPerSecond;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64())};
const arrow::FieldVector kMoreColumns = {arrow::field("id", arrow::int64()), arrow::field("x", arrow::utf8())};

/// Two files, then a column more, a file with it, and the first file removed.
std::shared_ptr<const Snapshot> Grow(DataTable& table) {
  table.Create(arrow::schema(kColumns));
  const std::string first = table.Append(kColumns, R"([{"id":1}])")->File(0)->key;
  table.Append(kColumns, R"([{"id":2}])");
  const auto transaction = *Transaction::Begin(table.context(), table.Latest());
  EXPECT_TRUE(transaction->SetSchema(arrow::schema(kMoreColumns)).ok());
  EXPECT_TRUE(transaction->Commit().ok());
  table.Append(kMoreColumns, R"([{"id":3,"x":"a"}])");
  return table.Remove(first);
}

TEST(Restore, TakesRowsAndSchemaBackInANewVersion) {
  DataTable table;
  const auto before = Grow(table);
  const auto newest_rows = table.Rows(*before);
  const auto dry = Restore(table.context(), before, 2, {.dry_run = true});
  ASSERT_TRUE(dry.ok()) << dry.status().ToString();
  EXPECT_EQ(dry->files_restored, 1);
  EXPECT_EQ(dry->files_removed, 1);
  EXPECT_EQ(table.Latest()->version(), before->version());
  const auto result = Restore(table.context(), before, 2);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->version, before->version() + 1);
  const auto after = table.Latest();
  EXPECT_EQ(after->version(), result->version);
  EXPECT_EQ(after->schema()->field_names(), std::vector<std::string>{"id"});
  EXPECT_THAT(table.Rows(*after), ElementsAre("|1", "|2"));
  EXPECT_EQ(table.Rows(**LoadSnapshotAt(table.context(), before->version())), newest_rows);
  const HistoryEntry entry = ReadHistory(table.context(), *after, 1)->front();
  EXPECT_EQ(entry.info.operation, "RESTORE");
  EXPECT_EQ(entry.info.operation_parameters.at("version"), "2");
  EXPECT_EQ(entry.info.operation_metrics.at("numRestoredFiles"), "1");
  EXPECT_EQ(entry.info.operation_metrics.at("numOfFilesAfterRestore"), "2");
  // And there again.
  ASSERT_TRUE(Restore(table.context(), after, before->version()).ok());
  EXPECT_EQ(table.Rows(*table.Latest()), newest_rows);
}

TEST(Restore, OnlyAnOlderVersionThatIsThere) {
  DataTable table;
  const auto newest = Grow(table);
  for (const int64_t version : {int64_t{-1}, newest->version()}) {
    EXPECT_EQ(Restore(table.context(), newest, version).status().code(), StatusCode::kInvalidArgument) << version;
  }
  const Status beyond = Restore(table.context(), newest, newest->version() + 1).status();
  EXPECT_EQ(beyond.ToString(), LoadSnapshotAt(table.context(), newest->version() + 1).status().ToString());
  EXPECT_EQ(beyond.code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteCheckpoint(table.context(), *newest).ok());
  for (int64_t version = 0; version < newest->version(); ++version) {
    ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
  }
  EXPECT_EQ(Restore(table.context(), newest, 2).status().code(), StatusCode::kNotFound);
}

TEST(Restore, NamesTheFilesThatVacuumHasTaken) {
  DataTable table;
  const auto newest = Grow(table);
  const std::string key = (*LoadSnapshotAt(table.context(), 1))->File(0)->key;
  table.clock().Advance(8 * kDay);
  ASSERT_EQ(Vacuum(table.context(), newest, {})->files, 1);
  const int64_t version = table.Latest()->version();
  const auto refused = Restore(table.context(), newest, 2);
  EXPECT_EQ(refused.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(refused.status().message(), HasSubstr(key));
  EXPECT_EQ(table.Latest()->version(), version);
}

TEST(Restore, AnAppendMeanwhileIsAConflict) {
  DataTable table;
  const auto newest = Grow(table);
  // Restore reads the newest version itself, so that the other must come between that and the commit.
  class AppendFirst final : public CommitStore {
   public:
    explicit AppendFirst(DataTable& table) : table_(table), commits_(MakePutIfAbsentCommits(table.context().store)) {}
    Result<PublishedCommit> Publish(int64_t version, std::string_view text) override {
      if (!std::exchange(done_, true)) table_.Append(kMoreColumns, R"([{"id":9,"x":"b"}])");
      return commits_->Publish(version, text);
    }

   private:
    DataTable& table_;
    const std::shared_ptr<CommitStore> commits_;
    bool done_ = false;
  };
  TableContext context = table.context();
  context.commits = std::make_shared<AppendFirst>(table);
  EXPECT_EQ(Restore(context, newest, 2).status().code(), StatusCode::kConflict);
  EXPECT_EQ(table.Rows(*table.Latest()).size(), 3u);
}

TEST(Restore, RowsThatMayOnlyBeAddedStay) {
  MemoryTable table;
  const auto created = table.Create(false, {{"delta.appendOnly", "true"}});
  const auto newest = table.Append(created, {"a"});
  EXPECT_EQ(Restore(table.context(), newest, 0).status().code(), StatusCode::kPermissionDenied);
}

TEST(Restore, WhatMustNotGoBackStays) {
  MemoryTable table;
  table.ExpectBroken();
  const auto metadata = [](const std::string& properties) {
    std::string lines = FirstLines();
    lines.erase(0, lines.find('\n') + 1);
    const std::string configuration = R"("configuration":{)";
    return lines.insert(lines.find(configuration) + configuration.size(), properties);
  };
  const std::string upgrade =
      R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["appendOnly","invariants","inCommitTimestamp"]}})";
  table.PutCommit(0, FirstLines());
  table.PutCommit(1, R"({"commitInfo":{"inCommitTimestamp":5000000000000,"timestamp":1,"operation":"x"}})"
                     "\n" +
                         upgrade + "\n" +
                         metadata(R"("delta.enableInCommitTimestamps":"true","user":"new",)"
                                  R"("delta.inCommitTimestampEnablementVersion":"1",)"
                                  R"("delta.inCommitTimestampEnablementTimestamp":"5000000000000")"));
  const auto result = Restore(table.context(), *LoadSnapshot(table.context()), 0);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  const auto& snapshot = *result->snapshot;
  EXPECT_EQ(snapshot.protocol().min_writer_version, 7);
  EXPECT_EQ(snapshot.metadata().configuration.at("delta.enableInCommitTimestamps"), "true");
  EXPECT_FALSE(snapshot.metadata().configuration.contains("user"));
  EXPECT_EQ(snapshot.timestamp_millis(), 5000000000001);
}

TEST(Restore, WhatAnOldVersionImpliedAndNothingUsedIsNoObstacle) {
  // As delta-rs upgrades a table of (1,2): the lists leave out what the version stood for.
  DataTable table;
  table.ExpectBroken();
  table.Create(arrow::schema(kColumns));
  table.Append(kColumns, R"([{"id":1}])");
  const std::string upgrade =
      R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],)"
      R"("writerFeatures":["deletionVectors"]}})"
      "\n";
  ASSERT_TRUE(table.store()
                  .Put("_delta_log/" + PaddedVersion(2) + ".json",
                       ByteSpan(reinterpret_cast<const std::byte*>(upgrade.data()), upgrade.size()),
                       storage::Precondition::None())
                  .ok());
  const auto restored = Restore(table.context(), table.Latest(), 0);
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(table.Latest()->num_files(), 0u);
  EXPECT_EQ(table.Latest()->protocol().min_writer_version, 7);
}

TEST(Restore, AFeatureThatWasGivenUpRefuses) {
  MemoryTable table;
  table.ExpectBroken();
  const std::string with =
      R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],)"
      R"("writerFeatures":["deletionVectors"]}})";
  table.PutCommit(0, FirstLines().replace(0, FirstLines().find('\n'), with));
  table.PutCommit(1, R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":[]}})"
                     "\n");
  const auto refused = Restore(table.context(), *LoadSnapshot(table.context()), 0);
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_THAT(refused.status().message(), HasSubstr("deletionVectors"));
}

}  // namespace
}  // namespace tarn::delta
