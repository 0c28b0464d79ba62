#include "delta/operations/log_cleanup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/log/checksum.h"
#include "delta/log/log_compaction.h"
#include "delta/log/log_names.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MemoryTable;

constexpr int64_t kDay = 24 * 3600 * kMicrosPerSecond;

std::vector<std::string> LogNames(MemoryTable& table) {
  std::vector<std::string> names;
  const auto entries = *table.store().ListAll({.prefix = std::string(kLogFolder)});
  for (const storage::ListEntry& entry : entries) {
    std::string name = entry.object.key.substr(kLogFolder.size());
    // 17 zeros say little.
    if (name[0] == '0') name = name.substr(17);
    names.push_back(std::move(name));
  }
  return names;
}

/// Eight versions, one a day from midnight on, with checkpoints of 2, 4 and 6 and a checksum each; the clock stands at
/// the eighth.
std::shared_ptr<const Snapshot> PutDays(MemoryTable& table, std::map<std::string, std::string> configuration = {}) {
  configuration.emplace("delta.logRetentionDuration", "interval 2 days");
  table.clock().Advance(kDay - table.clock().WallMicros() % kDay);
  auto snapshot = table.Create(false, configuration);
  for (int day = 1; day < 8; ++day) {
    EXPECT_TRUE(WriteChecksum(table.context(), *snapshot).ok());
    table.clock().Advance(kDay);
    snapshot = table.Append(snapshot, {"f" + std::to_string(day)});
    if (day % 2 == 0) {
      EXPECT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
    }
  }
  return snapshot;
}

TEST(LogCleanup, KeepsFromTheNewestCheckpointThatIsOldEnough) {
  MemoryTable table;
  const auto newest = PutDays(table);
  ASSERT_TRUE(WriteCompactedLog(table.context(), 1, 3).ok());
  ASSERT_TRUE(WriteCompactedLog(table.context(), 4, 7).ok());
  ASSERT_TRUE(WriteCompactedLog(table.context(), 5, 7).ok());
  // Version 5 is two days old at this midnight, so that the checkpoint of 4 is the one.
  std::vector<std::string> explained;
  LogCleanupOptions options{.dry_run = true, .explain = [&](const std::string& key) { explained.push_back(key); }};
  const auto before = LogNames(table);
  const auto dry = CleanUpLog(table.context(), *newest, options);
  ASSERT_TRUE(dry.ok()) << dry.status().ToString();
  EXPECT_EQ(dry->first_version, 4);
  EXPECT_EQ(LogNames(table), before);
  const auto result = CleanUpLog(table.context(), *newest);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->files, static_cast<int64_t>(explained.size()));
  EXPECT_EQ(result->bytes, dry->bytes);
  EXPECT_THAT(
      LogNames(table),
      ElementsAre("004.checkpoint.parquet", "004.crc", "004.json", "005.00000000000000000007.compacted.json", "005.crc",
                  "005.json", "006.checkpoint.parquet", "006.crc", "006.json", "007.json", "_last_checkpoint"));
  EXPECT_EQ((*LoadSnapshot(table.context()))->num_files(), 7u);
  for (int64_t version = 4; version <= 7; ++version) EXPECT_TRUE(LoadSnapshotAt(table.context(), version).ok());
  const auto gone = LoadSnapshotAt(table.context(), 3);
  EXPECT_EQ(gone.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(gone.status().message(), HasSubstr("4 to 7"));
  EXPECT_EQ(CleanUpLog(table.context(), *newest)->files, 0) << "there is nothing left to do";
}

TEST(LogCleanup, TheCutoffIsAtMidnight) {
  MemoryTable table;
  const auto newest = PutDays(table);
  const int64_t midnight = *LogCleanupCutoffMillis(newest->metadata(), table.clock());
  table.clock().Advance(kDay - 1000);
  EXPECT_EQ(*LogCleanupCutoffMillis(newest->metadata(), table.clock()), midnight);
  EXPECT_EQ(CleanUpLog(table.context(), *newest, {.dry_run = true})->first_version, 4);
  table.clock().Advance(1000);
  EXPECT_EQ(*LogCleanupCutoffMillis(newest->metadata(), table.clock()), midnight + kDay / 1000);
  EXPECT_EQ(CleanUpLog(table.context(), *newest, {.dry_run = true})->first_version, 6);
}

TEST(LogCleanup, WithoutACheckpointOldEnoughNothingGoes) {
  for (const std::string retention : {"interval 6 days", "interval 30 days"}) {
    MemoryTable table;
    const auto newest = PutDays(table, {{"delta.logRetentionDuration", retention}});
    const auto before = LogNames(table);
    const auto result = CleanUpLog(table.context(), *newest);
    ASSERT_TRUE(result.ok());
    EXPECT_FALSE(result->first_version.has_value());
    EXPECT_THAT(result->why_not, HasSubstr(retention == "interval 6 days" ? "checkpoint" : "commit"));
    EXPECT_EQ(LogNames(table), before);
  }
}

TEST(LogCleanup, IsOffWhereThePropertySaysSo) {
  MemoryTable table;
  const auto newest = PutDays(table, {{"delta.enableExpiredLogCleanup", "false"}});
  const auto before = LogNames(table);
  EXPECT_THAT(CleanUpLog(table.context(), *newest)->why_not, HasSubstr("enableExpiredLogCleanup"));
  EXPECT_EQ(LogNames(table), before);
}

TEST(LogCleanup, ARetentionThatCannotBeReadDeletesNothing) {
  MemoryTable table;
  const auto newest = PutDays(table, {{"delta.logRetentionDuration", "1 month"}});
  const auto before = LogNames(table);
  EXPECT_EQ(CleanUpLog(table.context(), *newest).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(LogNames(table), before);
}

TEST(LogCleanup, ACheckpointThatCannotBeReadIsNone) {
  MemoryTable table;
  const auto newest = PutDays(table);
  table.Put(CheckpointKey(4), "PAR1, or so it says");
  EXPECT_EQ(CleanUpLog(table.context(), *newest)->first_version, 2);
  EXPECT_TRUE(LoadSnapshotAt(table.context(), 2).ok());
  EXPECT_TRUE(LoadSnapshotAt(table.context(), 5).ok());
}

TEST(LogCleanup, AnIncompleteCheckpointIsNone) {
  MemoryTable table;
  const auto newest = PutDays(table);
  table.Put(CheckpointPartKey(5, 1, 2), *table.store().Get(CheckpointKey(6)));
  EXPECT_EQ(CleanUpLog(table.context(), *newest)->first_version, 4);
}

TEST(LogCleanup, UnknownFeaturesRefuse) {
  MemoryTable table;
  PutDays(table);
  table.PutCommit(
      8, R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["checkpointProtection"]}})"
         "\n");
  const auto before = LogNames(table);
  const auto refused = CleanUpLog(table.context(), **LoadSnapshot(table.context()));
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(LogNames(table), before);
}

/// The protocol and properties for v2 checkpoints, as another writer's upgrade.
void UpgradeToV2(MemoryTable& table, const Snapshot& snapshot) {
  const std::string commit = table.Commit(0);
  const size_t begin = commit.find("{\"metaData\"");
  std::string metadata = commit.substr(begin, commit.find('\n', begin) - begin);
  const std::string configuration = R"("configuration":{)";
  metadata.insert(metadata.find(configuration) + configuration.size(), R"("delta.checkpointPolicy":"v2",)");
  table.PutCommit(snapshot.version() + 1,
                  R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],)"
                  R"("writerFeatures":["v2Checkpoint"]}})"
                  "\n" +
                      metadata + "\n");
}

TEST(LogCleanup, ARetentionThatCannotBeReadKeepsEverything) {
  MemoryTable table;
  auto snapshot = table.Create(false, {{"delta.logRetentionDuration", "interval 1 month"}});
  for (int day = 0; day < 3; ++day) {
    table.clock().Advance(100 * kDay);
    snapshot = table.Append(snapshot, {"f" + std::to_string(day)});
    ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  }
  const size_t files = table.store().ListAll({})->size();
  const Status refused = CleanUpLog(table.context(), *snapshot).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("the property delta.logRetentionDuration: 'interval 1 month' is not an"));
  EXPECT_THAT(refused.message(), HasSubstr("months and years vary in length"));
  EXPECT_EQ(table.store().ListAll({})->size(), files);
}

TEST(LogCleanup, SidecarsGoWithTheLastCheckpointThatNamesThem) {
  MemoryTable table;
  auto snapshot = table.Create(false, {{"delta.logRetentionDuration", "interval 2 days"}});
  UpgradeToV2(table, *snapshot);
  snapshot = *LoadSnapshot(table.context());
  for (int day = 0; day < 6; ++day) {
    table.clock().Advance(kDay);
    snapshot = table.Append(snapshot, {"f" + std::to_string(day)});
    ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  }
  const auto sidecars = [&] { return table.store().ListAll({.prefix = SidecarKey("")})->size(); };
  EXPECT_EQ(sidecars(), 6u);
  table.Put(SidecarKey("of-a-checkpoint-being-written.parquet"), "bytes");
  const auto result = CleanUpLog(table.context(), *snapshot);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  // Versions 2 to 7 are a day apart, from which the cutoff leaves those of the last two days and one before them.
  EXPECT_EQ(result->first_version, 4);
  EXPECT_EQ(sidecars(), 5u);
  EXPECT_TRUE(LoadSnapshotAt(table.context(), 4).ok());
  table.clock().Advance(2 * kDay);
  ASSERT_TRUE(CleanUpLog(table.context(), *snapshot).ok());
  EXPECT_EQ(sidecars(), 2u) << "that of nobody went once it was a day old";
  EXPECT_EQ((*LoadSnapshot(table.context()))->num_files(), 6u);
}

TEST(LogCleanup, FaultsLeaveALogThatHangsTogether) {
  using storage::testing::FaultMode;
  for (const auto mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
    storage::testing::FaultPlan plan;
    plan.mode = mode;
    plan.operation = mode == FaultMode::kOnce ? "" : "delete";
    const int64_t faults = storage::testing::SweepFaults(plan, [](auto injector, const auto& arm) {
      MemoryTable table;
      const auto newest = PutDays(table);
      TableContext faulty = table.context();
      faulty.store = storage::testing::MakeFaultyStore(table.context().store, injector);
      arm();
      (void)CleanUpLog(faulty, *newest);
      injector->Disarm();
      for (const int64_t version : {4, 5, 7}) EXPECT_TRUE(LoadSnapshotAt(table.context(), version).ok()) << version;
      ASSERT_TRUE(CleanUpLog(table.context(), *newest).ok());
      EXPECT_EQ(LogNames(table).front(), "004.checkpoint.parquet");
    });
    EXPECT_GE(faults, 9);
  }
}

}  // namespace
}  // namespace tarn::delta
