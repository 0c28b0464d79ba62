#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "columnar/parquet_reader.h"
#include "delta/log/checkpoint_source.h"
#include "delta/log/commit_json.h"
#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta {
namespace {

using ::testing::HasSubstr;
using testing::MemoryTable;
using ::testing::UnorderedElementsAre;

constexpr int64_t kDayMillis = 86'400'000;

/// Everything a snapshot holds, as text.
std::vector<std::string> Contents(const TableContext& table, const Snapshot& snapshot) {
  std::vector<std::string> lines(1);
  AppendLine(lines[0], snapshot.protocol());
  AppendLine(lines[0], snapshot.metadata());
  const auto* source = dynamic_cast<const CheckpointSource*>(&snapshot);
  const auto append = [&](const auto& action) {
    AppendLine(lines.emplace_back(), action);
    return Status::Ok();
  };
  EXPECT_TRUE(source->VisitTxns(append).ok());
  EXPECT_TRUE(source->VisitDomains(append).ok());
  EXPECT_TRUE(source
                  ->VisitAdds([&](Add add) {
                    add.data_change = false;
                    return append(add);
                  })
                  .ok());
  EXPECT_TRUE(source
                  ->VisitRemoves(table, -1,
                                 [&](Remove remove) {
                                   remove.data_change = false;
                                   return append(remove);
                                 })
                  .ok());
  std::sort(lines.begin() + 1, lines.end());
  return lines;
}

/// A table whose log has every kind of action that a checkpoint keeps. The last version is 3.
void PutRichLog(MemoryTable& table, bool v2 = false) {
  const int64_t now = table.clock().WallMicros() / kMicrosPerMilli;
  Protocol protocol{3, 7, std::vector<std::string>{"timestampNtz"},
                    std::vector<std::string>{"domainMetadata", "timestampNtz"}};
  Metadata metadata;
  metadata.id = "11111111-2222-3333-4444-555555555555";
  metadata.name = "näme";
  metadata.schema_string = R"({"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},)"
                           R"({"name":"day","type":"date","nullable":true,"metadata":{}}]})";
  metadata.partition_columns = {"day"};
  metadata.configuration = {{"delta.appendOnly", "false"}, {"x", ""}};
  metadata.created_time_millis = 1234;
  if (v2) {
    protocol.reader_features->emplace_back("v2Checkpoint");
    protocol.writer_features->emplace_back("v2Checkpoint");
    metadata.configuration["delta.checkpointPolicy"] = "v2";
  }
  std::string text;
  AppendLine(text, protocol);
  AppendLine(text, metadata);
  table.PutCommit(0, text);

  const auto add = [](const std::string& path, std::optional<std::string> day) {
    Add action = MemoryTable::MakeAdd(path, R"({"numRecords":3,"minValues":{"id":-9}})");
    action.partition_values = {{"day", std::move(day)}};
    return action;
  };
  text.clear();
  AppendLine(text, add("a", "2024-01-01"));
  AppendLine(text, add("b%20c", std::nullopt));
  Add tagged = add("t", "2024-01-02");
  tagged.tags = {{"k", "v"}};
  tagged.stats.clear();
  AppendLine(text, tagged);
  AppendLine(text, add("gone", "2024-01-01"));
  AppendLine(text, add("old", "2024-01-01"));
  AppendLine(text, Txn{"app", 7, 99});
  AppendLine(text, Txn{"other", 1, std::nullopt});
  AppendLine(text, DomainMetadata{"d1", "{\"a\":1}", false});
  AppendLine(text, DomainMetadata{"d2", "x", false});
  table.PutCommit(1, text);

  const auto remove = [&](const std::string& path, int64_t at) {
    Remove action;
    action.path = path;
    action.deletion_timestamp_millis = at;
    action.partition_values = {{"day", "2024-01-01"}};
    action.size_bytes = 100;
    return action;
  };
  text.clear();
  AppendLine(text, remove("gone", now - kDayMillis));
  AppendLine(text, remove("old", now - 8 * kDayMillis));
  AppendLine(text, DomainMetadata{"d2", "", true});
  table.PutCommit(2, text);
  text.clear();
  AppendLine(text, Txn{"app", 8, 100});
  table.PutCommit(3, text);
}

class CheckpointOfEitherKind : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(CheckpointWriter, CheckpointOfEitherKind, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "V2" : "Classic"; });

/// Keys of the log below a prefix.
std::vector<std::string> LogKeys(MemoryTable& table, const std::string& prefix) {
  std::vector<std::string> keys;
  const auto entries = *table.store().ListAll({.prefix = std::string(kLogFolder) + prefix});
  for (const storage::ListEntry& entry : entries) keys.push_back(entry.object.key);
  return keys;
}

TEST_P(CheckpointOfEitherKind, OpensTheTableAlone) {
  MemoryTable table;
  PutRichLog(table, GetParam());
  const auto snapshot = LoadSnapshot(table.context());
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  std::vector<std::string> expected = Contents(table.context(), **snapshot);
  const Status status = WriteCheckpoint(table.context(), **snapshot);
  ASSERT_TRUE(status.ok()) << status.ToString();
  testing::ExpectNone(table.context(), "checkpoint");
  for (int64_t version = 0; version < 3; ++version) ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
  const auto reopened = LoadSnapshot(table.context());
  ASSERT_TRUE(reopened.ok()) << reopened.status().ToString();
  EXPECT_EQ((*reopened)->version(), 3);
  EXPECT_EQ((*reopened)->metadata(), (*snapshot)->metadata());
  EXPECT_EQ((*reopened)->protocol(), (*snapshot)->protocol());
  // All is there except the tombstone beyond the retention.
  std::erase_if(expected, [](const std::string& line) { return line.find("\"old\"") != std::string::npos; });
  EXPECT_EQ(Contents(table.context(), **reopened), expected);
}

TEST(CheckpointWriter, TheHintTellsWhatWasWritten) {
  MemoryTable table;
  PutRichLog(table);
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  const auto info = table.store().Head(CheckpointKey(3));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(*table.store().Get(kLastCheckpointKey),
            R"({"version":3,"size":9,"sizeInBytes":)" + std::to_string(info->size_bytes) + R"(,"numOfAddFiles":3})");
}

TEST(CheckpointWriter, RetentionOfTombstonesFollowsTheProperty) {
  const auto removes = [](const std::string& retention) {
    MemoryTable table;
    auto snapshot = table.Create(false, {{"delta.deletedFileRetentionDuration", retention}});
    snapshot = table.Append(snapshot, {"a"});
    const auto transaction = *Transaction::Begin(table.context(), snapshot);
    Remove remove;
    remove.path = "a";
    remove.deletion_timestamp_millis = table.clock().WallMicros() / kMicrosPerMilli;
    transaction->RemoveFile(remove);
    snapshot = transaction->Commit()->snapshot;
    table.clock().Advance(2 * 3600 * kMicrosPerSecond);
    EXPECT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
    int64_t count = 0;
    EXPECT_TRUE(columnar::ReadParquet(table.store(), CheckpointKey(2), {{"remove"}, 100}, [&](const auto& batch) {
                  count += batch->num_rows() - batch->column(0)->null_count();
                  return Status::Ok();
                }).ok());
    return count;
  };
  EXPECT_EQ(removes("interval 1 hour"), 0);
  EXPECT_EQ(removes("interval 3 hours"), 1);
  EXPECT_EQ(removes("no interval"), 1);
}

TEST(CheckpointWriter, StatisticsAreLeftOutWhenThePropertySaysSo) {
  MemoryTable table;
  auto snapshot = table.Create(false, {{"delta.checkpoint.writeStatsAsJson", "false"}});
  snapshot = table.Append(snapshot, {"a", "b"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  const auto reopened = LoadSnapshot(table.context());
  ASSERT_TRUE(reopened.ok());
  EXPECT_EQ((*reopened)->num_files(), 2U);
  EXPECT_EQ((*reopened)->AddAction(0)->stats, "");
  EXPECT_EQ((*reopened)->File(0)->num_records, -1);
}

TEST(CheckpointWriter, StatisticsInColumnsAloneAreNotLost) {
  MemoryTable table;
  auto snapshot = table.Create(/*partitioned=*/true, {{"delta.checkpoint.writeStatsAsJson", "false"},
                                                      {"delta.checkpoint.writeStatsAsStruct", "true"}});
  const auto transaction = *Transaction::Begin(table.context(), snapshot);
  Add add = MemoryTable::MakeAdd("a", R"({"numRecords":5,"minValues":{"id":7,"name":"b"},"maxValues":{"id":9,)"
                                      R"("name":"c"},"nullCount":{"id":0,"name":1}})");
  add.partition_values = {{"day", "2024-02-29"}};
  transaction->AddFile(add);
  Add bare = MemoryTable::MakeAdd("b", "");
  bare.partition_values = {{"day", std::nullopt}};
  transaction->AddFile(bare);
  snapshot = transaction->Commit()->snapshot;
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  const auto file = *columnar::ParquetFile::Open(table.store(), CheckpointKey(1));
  EXPECT_EQ(file->FindLeaves({"add", "partitionValues_parsed", "day"}).size(), 1U);
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(1)).ok());
  const auto reopened = *LoadSnapshot(table.context());
  ASSERT_EQ(reopened->num_files(), 2U);
  EXPECT_EQ(reopened->AddAction(0)->stats, add.stats);
  EXPECT_EQ(reopened->File(0)->num_records, 5);
  EXPECT_EQ(std::get<int64_t>(reopened->Bounds(0, 0)->max), 9);
  EXPECT_EQ(reopened->AddAction(1)->stats, "");
  const auto later = reopened->Select({Predicate::Compare(Predicate::Op::kGt, 0, int64_t{9})});
  EXPECT_EQ(*later, std::vector<FileIndex>{1});
}

TEST(CheckpointWriter, AddsHaveRowGroupsOfTheirOwn) {
  MemoryTable table;
  PutRichLog(table);
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  const auto file = columnar::ParquetFile::Open(table.store(), CheckpointKey(3));
  ASSERT_TRUE(file.ok());
  ASSERT_EQ((*file)->num_row_groups(), 2);
  const std::vector<int> path = (*file)->FindLeaves({"add", "path"});
  ASSERT_EQ(path.size(), 1U);
  EXPECT_EQ((*file)->NullCount(0, path[0]), (*file)->row_group_rows(0));
  EXPECT_EQ((*file)->NullCount(1, path[0]), 0);
}

TEST(CheckpointWriter, AnExistingCheckpointIsLeftAndIsSuccess) {
  MemoryTable table;
  auto snapshot = table.Append(table.Create(), {"a"});
  table.Put(CheckpointKey(1), "somebody's");
  EXPECT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  EXPECT_EQ(*table.store().Get(CheckpointKey(1)), "somebody's");
  EXPECT_TRUE(table.store().Head(kLastCheckpointKey).status().Is(StatusCode::kNotFound));
}

TEST(CheckpointWriter, TheHintNeverGoesBack) {
  MemoryTable table;
  const auto first = table.Append(table.Create(), {"a"});
  const auto second = table.Append(first, {"b"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *second).ok());
  ASSERT_TRUE(WriteCheckpoint(table.context(), *first).ok());
  EXPECT_TRUE(table.store().Head(CheckpointKey(1)).ok());
  EXPECT_EQ(ReadLastCheckpoint(table.store())->version, 2);
  // A broken hint is replaced.
  table.Put(std::string(kLastCheckpointKey), "{");
  const auto third = table.Append(second, {"c"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *third).ok());
  EXPECT_EQ(ReadLastCheckpoint(table.store())->version, 3);
}

TEST(CheckpointWriter, ManyFilesSpanRowGroups) {
  MemoryTable table;
  std::string text = testing::FirstLines();
  constexpr int kFiles = 40'000;
  for (int i = 0; i < kFiles; ++i) AppendLine(text, MemoryTable::MakeAdd("part-" + std::to_string(i)));
  table.PutCommit(0, text);
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  const auto file = columnar::ParquetFile::Open(table.store(), CheckpointKey(0));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->num_rows(), kFiles + 2);
  EXPECT_EQ((*file)->num_row_groups(), 3);
  const auto reopened = LoadSnapshot(table.context());
  ASSERT_TRUE(reopened.ok());
  EXPECT_EQ((*reopened)->num_files(), static_cast<size_t>(kFiles));
}

TEST(CheckpointWriter, DomainsOfALogWithoutTheirFeatureAreKept) {
  MemoryTable table;
  std::string text = testing::FirstLines();
  AppendLine(text, DomainMetadata{.domain = "theirs", .configuration = "{}"});
  table.PutCommit(0, text);
  const auto domains = [&] {
    std::string names;
    const auto snapshot = LoadSnapshot(table.context());
    EXPECT_TRUE(dynamic_cast<const CheckpointSource&>(**snapshot)
                    .VisitDomains([&](const DomainMetadata& domain) {
                      names += domain.domain;
                      return Status::Ok();
                    })
                    .ok());
    return names;
  };
  EXPECT_EQ(domains(), "theirs");
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  EXPECT_EQ(domains(), "theirs");
}

TEST(CheckpointWriter, AV2CheckpointHasItsFilesInSidecars) {
  MemoryTable table;
  PutRichLog(table, /*v2=*/true);
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  const auto manifests = LogKeys(table, PaddedVersion(3) + ".checkpoint.");
  ASSERT_EQ(manifests.size(), 1U);
  const auto info = *table.store().Head(manifests[0]);
  const auto sidecars = LogKeys(table, "_sidecars/");
  ASSERT_EQ(sidecars.size(), 1U);
  const int64_t sidecar_bytes = table.store().Head(sidecars[0])->size_bytes;
  // Three files, a tombstone that is not expired, five other actions of the table and two of the checkpoint.
  EXPECT_EQ(*table.store().Get(kLastCheckpointKey),
            R"({"version":3,"size":11,"sizeInBytes":)" + std::to_string(info.size_bytes + sidecar_bytes) +
                R"(,"numOfAddFiles":3,"v2Checkpoint":{"path":")" + manifests[0].substr(kLogFolder.size()) +
                R"(","sizeInBytes":)" + std::to_string(info.size_bytes) + R"(,"modificationTime":)" +
                std::to_string(info.modified_micros / kMicrosPerMilli) + "}}");
  EXPECT_EQ(ReadLastCheckpoint(table.store())->version, 3);
  // Another writer's is as good.
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  EXPECT_EQ(LogKeys(table, PaddedVersion(3) + ".checkpoint.").size(), 1U);
}

TEST(CheckpointWriter, SidecarsAreOfBoundedSize) {
  MemoryTable table;
  std::string text;
  AppendLine(text, Protocol{3, 7, std::vector<std::string>{"v2Checkpoint"}, std::vector<std::string>{"v2Checkpoint"}});
  Metadata metadata;
  metadata.id = "m";
  metadata.schema_string = R"({"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]})";
  metadata.configuration = {{"delta.checkpointPolicy", "v2"}};
  AppendLine(text, metadata);
  table.PutCommit(0, text);
  // Without files there are no sidecars.
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  EXPECT_TRUE(LogKeys(table, "_sidecars/").empty());
  constexpr int kFiles = 70'000;
  text.clear();
  for (int i = 0; i < kFiles; ++i) AppendLine(text, MemoryTable::MakeAdd("part-" + std::to_string(i)));
  table.PutCommit(1, text);
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  EXPECT_EQ(LogKeys(table, "_sidecars/").size(), 2U);
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(1)).ok());
  EXPECT_EQ((*LoadSnapshot(table.context()))->num_files(), static_cast<size_t>(kFiles));
}

TEST(CheckpointWriter, ClassicCheckpointsAreWrittenWithoutTheFeatureOrThePolicy) {
  MemoryTable without_policy;
  const auto able = without_policy.Create(false, {{"delta.feature.v2Checkpoint", "supported"}});
  ASSERT_TRUE(WriteCheckpoint(without_policy.context(), *able).ok());
  EXPECT_TRUE(without_policy.store().Head(CheckpointKey(0)).ok());
  MemoryTable without_feature;
  std::string text = testing::FirstLines();
  const std::string nothing = R"("configuration":{})";
  ASSERT_NE(text.find(nothing), std::string::npos);
  text.replace(text.find(nothing), nothing.size(), R"("configuration":{"delta.checkpointPolicy":"v2"})");
  without_feature.PutCommit(0, text);
  ASSERT_TRUE(WriteCheckpoint(without_feature.context(), **LoadSnapshot(without_feature.context())).ok());
  EXPECT_TRUE(without_feature.store().Head(CheckpointKey(0)).ok());
}

TEST_P(CheckpointOfEitherKind, FaultsLeaveATableThatOpensTheSame) {
  for (const auto mode : {storage::testing::FaultMode::kOnce, storage::testing::FaultMode::kForever,
                          storage::testing::FaultMode::kReplyLost}) {
    storage::testing::FaultPlan plan;
    plan.mode = mode;
    storage::testing::SweepFaults(plan, [&](auto injector, const auto& arm) {
      MemoryTable healthy;
      PutRichLog(healthy, GetParam());
      const auto snapshot = *LoadSnapshot(healthy.context());
      TableContext faulty = healthy.context();
      faulty.store = storage::testing::MakeFaultyStore(healthy.context().store, injector);
      arm();
      (void)WriteCheckpoint(faulty, *snapshot);
      injector->Disarm();
      const auto reopened = LoadSnapshot(healthy.context());
      ASSERT_TRUE(reopened.ok()) << reopened.status().ToString();
      EXPECT_EQ((*reopened)->num_files(), 3U);
      EXPECT_TRUE(WriteCheckpoint(healthy.context(), *snapshot).ok());
    });
  }
}

}  // namespace
}  // namespace tarn::delta
