#include "delta/operations/vacuum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arrow/type.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/testing/data_table.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using testing::FirstLines;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MemoryTable;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Verdict = VacuumFile::Verdict;

constexpr int64_t kHour = 3600 * kMicrosPerSecond;
constexpr int64_t kDay = 24 * kHour;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64())};

void PutFile(const TableContext& table, const std::string& key, const std::string& text = "bytes") {
  ASSERT_TRUE(table.store->Put(key, AsBytes(text), storage::Precondition::None()).ok());
}

/// What a vacuum of the newest version says of each file.
Result<std::map<std::string, Verdict>> DryRun(const TableContext& table, VacuumOptions options = {}) {
  std::map<std::string, Verdict> verdicts;
  options.dry_run = true;
  options.explain = [&](const VacuumFile& file) { verdicts[file.key] = file.verdict; };
  TARN_ASSIGN_OR_RETURN(auto snapshot, LoadSnapshot(table));
  TARN_RETURN_NOT_OK(Vacuum(table, std::move(snapshot), options).status());
  return verdicts;
}

Result<VacuumResult> VacuumNow(const TableContext& table, const VacuumOptions& options = {}) {
  TARN_ASSIGN_OR_RETURN(auto snapshot, LoadSnapshot(table));
  return Vacuum(table, std::move(snapshot), options);
}

std::vector<std::string> Operations(const TableContext& table) {
  const auto history = ReadHistory(table, **LoadSnapshot(table), 100);
  std::vector<std::string> operations;
  for (const HistoryEntry& entry : *history) operations.push_back(entry.info.operation);
  return operations;
}

std::string KeyOf(const Snapshot& snapshot, FileIndex index) { return snapshot.File(index)->key; }

TEST(Vacuum, DeletesWhatNoVersionWithinTheRetentionHas) {
  DataTable table;
  table.Create(arrow::schema(kColumns));
  const std::string old = KeyOf(*table.Append(kColumns, R"([{"id":1}])"), 0);
  const std::string kept = KeyOf(*table.Append(kColumns, R"([{"id":2}])"), 1);
  table.Remove(old);
  PutFile(table.context(), "orphan.parquet");
  table.clock().Advance(7 * kDay - kHour);
  const std::string young = "part-of-a-writer.parquet";
  PutFile(table.context(), young);
  EXPECT_THAT(*DryRun(table.context()),
              UnorderedElementsAre(Pair(old, Verdict::kRetained), Pair(kept, Verdict::kLive),
                                   Pair("orphan.parquet", Verdict::kYoung), Pair(young, Verdict::kYoung),
                                   Pair("_delta_log/", Verdict::kHidden)));
  table.clock().Advance(2 * kHour);
  EXPECT_THAT(*DryRun(table.context()),
              UnorderedElementsAre(Pair(old, Verdict::kUnreferenced), Pair(kept, Verdict::kLive),
                                   Pair("orphan.parquet", Verdict::kUnreferenced), Pair(young, Verdict::kYoung),
                                   Pair("_delta_log/", Verdict::kHidden)));
  const auto result = VacuumNow(table.context());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->files, 2);
  EXPECT_GT(result->bytes, 5);
  EXPECT_THAT(table.DataKeys(), UnorderedElementsAre(kept, young));
  EXPECT_EQ(result->snapshot->version(), table.Latest()->version());
}

TEST(Vacuum, IsNotedInTheHistoryAsSparkDoes) {
  DataTable table;
  table.Create(arrow::schema(kColumns));
  PutFile(table.context(), "orphan.parquet", "12345");
  table.clock().Advance(8 * kDay);
  ASSERT_TRUE(VacuumNow(table.context(), {.retention_millis = int64_t{8} * 24 * 3600 * 1000 - 1}).ok());
  EXPECT_THAT(Operations(table.context()), ElementsAre("VACUUM END", "VACUUM START", "CREATE TABLE"));
  const auto history = *ReadHistory(table.context(), *table.Latest(), 2);
  EXPECT_THAT(history[1].info.operation_parameters,
              UnorderedElementsAre(Pair("retentionCheckEnabled", "true"), Pair("defaultRetentionMillis", "604800000"),
                                   Pair("specifiedRetentionMillis", "691199999")));
  EXPECT_EQ(history[1].info.operation_metrics.at("numFilesToDelete"), "1");
  EXPECT_EQ(history[1].info.operation_metrics.at("sizeOfDataToDelete"), "5");
  EXPECT_THAT(history[0].info.operation_parameters, ElementsAre(Pair("status", "COMPLETED")));
  EXPECT_EQ(history[0].info.operation_metrics.at("numDeletedFiles"), "1");
  EXPECT_EQ(history[0].info.operation_metrics.at("numVacuumedDirectories"), "1");
  // Nothing to delete is nothing to note.
  ASSERT_TRUE(VacuumNow(table.context()).ok());
  EXPECT_EQ(table.Latest()->version(), 2);
}

TEST(Vacuum, HiddenPathsStayButForChangeFilesAndPartitionFolders) {
  MemoryTable table;
  CreateTableOptions create;
  create.schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("_p", arrow::utf8())});
  create.partition_columns = {"_p"};
  ASSERT_TRUE((*Transaction::Create(table.context(), create))->Commit().ok());
  const std::vector<std::string> go = {"_p=1/a.parquet", "_change_data/cdc-1.parquet",
                                       "_change_data/_p=2/cdc-2.parquet", "x/y.parquet", "metadata.parquet"};
  const std::vector<std::string> stay = {"_p=1/_temporary/a.parquet",  ".a.parquet.crc", "_delta_index/x",
                                         "_change_data_old/x.parquet", "_px/a.parquet",  "x/.y.parquet.crc"};
  for (const std::string& key : go) PutFile(table.context(), key);
  for (const std::string& key : stay) PutFile(table.context(), key);
  table.clock().Advance(8 * kDay);
  std::vector<std::string> gone;
  const auto verdicts = *DryRun(table.context());
  for (const auto& [key, verdict] : verdicts) {
    if (verdict == Verdict::kUnreferenced) gone.push_back(key);
  }
  EXPECT_THAT(gone, ::testing::UnorderedElementsAreArray(go));
  EXPECT_EQ(VacuumNow(table.context())->files, static_cast<int64_t>(go.size()));
  for (const std::string& key : stay) EXPECT_TRUE(table.store().Head(key).ok()) << key;
}

TEST(Vacuum, DeletionVectorsOfLiveFilesAndUnexpiredRemovesStay) {
  MemoryTable table;
  table.ExpectBroken();
  table.Create();
  // Of the protocol's own example: prefix "ab", and the uuid that the text encodes.
  const std::string live_vector = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
  const auto line = [](const std::string& path, int64_t removed, const std::string& vector, char prefix) {
    DeletionVector deletion_vector;
    deletion_vector.path_or_inline = (prefix == 0 ? "" : std::string(1, prefix)) + vector;
    deletion_vector.offset = 1;
    deletion_vector.size_in_bytes = 36;
    deletion_vector.cardinality = 2;
    std::string text;
    if (removed == 0) {
      Add add = MemoryTable::MakeAdd(path);
      add.deletion_vector = deletion_vector;
      AppendLine(text, add);
    } else {
      Remove remove;
      remove.path = path;
      remove.deletion_timestamp_millis = removed;
      remove.deletion_vector = deletion_vector;
      AppendLine(text, remove);
    }
    return text;
  };
  const std::string uuid = "^-aqEH.-t@S}K{vb[*k^";
  const int64_t now = table.clock().WallMicros() / kMicrosPerMilli;
  std::string text = line("live.parquet", 0, "ab" + uuid, 0) + line("removed.parquet", now, uuid, 0) +
                     line("gone.parquet", now - 1000 * 3600 * 24, uuid, 'x');
  std::string protocol =
      R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],)"
      R"("writerFeatures":["deletionVectors"]}})";
  table.PutCommit(1, protocol + "\n" + text);
  const std::string removed_vector = live_vector.substr(3);
  for (const std::string& key : {live_vector, removed_vector, "x/" + removed_vector, std::string("live.parquet")}) {
    PutFile(table.context(), key);
  }
  table.clock().Advance(7 * kDay - kHour);
  auto verdicts = *DryRun(table.context());
  EXPECT_EQ(verdicts[live_vector], Verdict::kLive);
  EXPECT_EQ(verdicts[removed_vector], Verdict::kRetained);
  EXPECT_EQ(verdicts["x/" + removed_vector], Verdict::kYoung);
  table.clock().Advance(2 * kHour);
  EXPECT_EQ(VacuumNow(table.context())->files, 2);
  EXPECT_TRUE(table.store().Head(live_vector).ok());
  EXPECT_FALSE(table.store().Head(removed_vector).ok());
}

TEST(Vacuum, PathsAreComparedAsTheyMayBeMeant) {
  MemoryTable table;
  table.ExpectBroken();
  table.PutCommit(
      0,
      FirstLines() +
          R"({"add":{"path":"a%20b.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}})" +
          "\n" +
          R"({"add":{"path":"memory://c.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}})" +
          "\n" +
          R"({"add":{"path":"file:/moved/table/d/e.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}})" +
          "\n");
  for (const std::string key : {"a b.parquet", "a%20b.parquet", "d/e.parquet", "e.parquet", "other.parquet"}) {
    PutFile(table.context(), key);
  }
  table.clock().Advance(8 * kDay);
  std::vector<std::string> gone;
  const auto verdicts = *DryRun(table.context());
  for (const auto& [key, verdict] : verdicts) {
    if (verdict == Verdict::kUnreferenced) gone.push_back(key);
  }
  EXPECT_THAT(gone, ElementsAre("other.parquet"));
}

TEST(Vacuum, AShorterRetentionThanTheTablesIsRefused) {
  DataTable table;
  table.Create(arrow::schema(kColumns), {}, {{"delta.deletedFileRetentionDuration", "interval 2 days"}});
  PutFile(table.context(), "orphan.parquet");
  table.clock().Advance(kDay);
  VacuumOptions options{.retention_millis = 2 * kDay / 1000 - 1};
  const auto refused = VacuumNow(table.context(), options);
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("48 hours"));
  EXPECT_EQ(VacuumNow(table.context(), {.retention_millis = -1, .allow_short_retention = true}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(VacuumNow(table.context(), {.retention_millis = 2 * kDay / 1000})->files, 0);
  options.retention_millis = kHour / 1000;
  options.allow_short_retention = true;
  EXPECT_EQ(VacuumNow(table.context(), options)->files, 1);
}

TEST(Vacuum, TheTablesRetentionCanBeMadeLongerAndNotShorter) {
  MemoryTable table;
  table.Create();
  PutFile(table.context(), "orphan.parquet");
  table.clock().Advance(8 * kDay);
  EXPECT_EQ((*DryRun(table.context(), {.min_retention_millis = 9 * kDay / 1000}))["orphan.parquet"], Verdict::kYoung);
  EXPECT_EQ((*DryRun(table.context(), {.min_retention_millis = 1}))["orphan.parquet"], Verdict::kUnreferenced);
  table.clock().JumpWall(-2 * kDay);
  EXPECT_EQ((*DryRun(table.context(), {.min_retention_millis = 1}))["orphan.parquet"], Verdict::kYoung);
}

TEST(Vacuum, ARetentionThatCannotBeReadDeletesNothing) {
  MemoryTable table;
  table.Create(false, {{"delta.deletedFileRetentionDuration", "a while"}});
  PutFile(table.context(), "orphan.parquet");
  table.clock().Advance(100 * kDay);
  EXPECT_EQ(VacuumNow(table.context()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(table.store().Head("orphan.parquet").ok());
}

TEST(Vacuum, ALongerRetentionThanTheTablesLooksBeyondCheckpoints) {
  DataTable table;
  table.Create(arrow::schema(kColumns), {}, {{"delta.deletedFileRetentionDuration", "interval 1 days"}});
  const std::string old = KeyOf(*table.Append(kColumns, R"([{"id":1}])"), 0);
  table.clock().Advance(10 * kDay);
  table.Remove(old);
  table.clock().Advance(2 * kDay);
  ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Latest()).ok());
  EXPECT_EQ((*DryRun(table.context(), {.retention_millis = 3 * kDay / 1000}))[old], Verdict::kRetained);
  EXPECT_EQ((*DryRun(table.context()))[old], Verdict::kUnreferenced);
}

TEST(Vacuum, UnknownFeaturesOfReadersOrWritersRefuse) {
  for (const std::string lists : {R"("readerFeatures":[],"writerFeatures":["vacuumProtocolCheck","fromTheFuture"])",
                                  R"("readerFeatures":["fromTheFuture"],"writerFeatures":["fromTheFuture"])"}) {
    MemoryTable table;
    const auto before = table.Create();
    PutFile(table.context(), "orphan.parquet");
    table.clock().Advance(8 * kDay);
    table.PutCommit(1, R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,)" + lists + "}}\n");
    const auto refused = Vacuum(table.context(), before, {});
    EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
    EXPECT_THAT(refused.status().message(), HasSubstr("fromTheFuture"));
    EXPECT_TRUE(table.store().Head("orphan.parquet").ok());
  }
}

/// Commits of others between the plan and the deletion, made when the vacuum's own first commit is published.
class MeanwhileCommits final : public CommitStore {
 public:
  MeanwhileCommits(std::shared_ptr<CommitStore> commits, std::function<void()> meanwhile)
      : commits_(std::move(commits)), meanwhile_(std::move(meanwhile)) {}
  Result<PublishedCommit> Publish(int64_t version, std::string_view text) override {
    auto published = commits_->Publish(version, text);
    if (meanwhile_) std::exchange(meanwhile_, nullptr)();
    return published;
  }

 private:
  const std::shared_ptr<CommitStore> commits_;
  std::function<void()> meanwhile_;
};

TEST(Vacuum, TheLogIsReadAgainBeforeFilesAreDeleted) {
  for (const bool removed_again : {false, true}) {
    MemoryTable table;
    table.Create();
    PutFile(table.context(), "restored.parquet");
    PutFile(table.context(), "orphan.parquet");
    table.clock().Advance(8 * kDay);
    TableContext context = table.context();
    context.commits = std::make_shared<MeanwhileCommits>(MakePutIfAbsentCommits(context.store), [&] {
      const auto transaction = *Transaction::Begin(table.context(), *LoadSnapshot(table.context()));
      transaction->AddFile(MemoryTable::MakeAdd("restored.parquet"));
      ASSERT_TRUE(transaction->Commit().ok());
      if (!removed_again) return;
      const auto removal = *Transaction::Begin(table.context(), *LoadSnapshot(table.context()));
      Remove remove;
      remove.path = "restored.parquet";
      remove.deletion_timestamp_millis = table.clock().WallMicros() / kMicrosPerMilli;
      removal->RemoveFile(remove);
      ASSERT_TRUE(removal->Commit().ok());
    });
    const auto result = Vacuum(context, *LoadSnapshot(context), {});
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->files, 1);
    EXPECT_EQ(result->files_kept, 2);
    EXPECT_TRUE(table.store().Head("restored.parquet").ok());
    EXPECT_FALSE(table.store().Head("orphan.parquet").ok());
  }
}

TEST(Vacuum, AFeatureOrARetentionThatComesMeanwhileStopsIt) {
  for (const bool feature : {false, true}) {
    MemoryTable table;
    const auto created = table.Create();
    PutFile(table.context(), "orphan.parquet");
    table.clock().Advance(8 * kDay);
    TableContext context = table.context();
    context.commits = std::make_shared<MeanwhileCommits>(MakePutIfAbsentCommits(context.store), [&] {
      Metadata metadata = created->metadata();
      metadata.configuration["delta.deletedFileRetentionDuration"] = "interval 9 days";
      std::string text;
      AppendLine(text, metadata);
      if (feature) {
        text = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["fromTheFuture"]}})"
               "\n";
      }
      table.PutCommit(2, text);
    });
    const auto result = Vacuum(context, *LoadSnapshot(context), {});
    EXPECT_EQ(result.status().code(), feature ? StatusCode::kUnsupported : StatusCode::kConflict);
    EXPECT_TRUE(table.store().Head("orphan.parquet").ok());
  }
}

TEST(Vacuum, LinksAreNeitherFollowedNorDeleted) {
  storage::testing::TempFolder folder;
  const std::string root = folder.path();
  DataTable table(*storage::OpenLocalStore(root + "/table"));
  table.Create(arrow::schema(kColumns));
  std::filesystem::create_directories(root + "/elsewhere");
  std::ofstream(root + "/elsewhere/precious.parquet") << "bytes";
  std::filesystem::create_directory_symlink(root + "/elsewhere", root + "/table/linked");
  std::filesystem::create_symlink(root + "/elsewhere/precious.parquet", root + "/table/file.parquet");
  std::ofstream(root + "/table/orphan.parquet") << "bytes";
  // The files are of the host's time, long before the clock's.
  table.clock().JumpWall(INT64_C(4102444800000000));
  EXPECT_EQ(VacuumNow(table.context())->files, 1);
  EXPECT_TRUE(std::filesystem::exists(root + "/table/linked/precious.parquet"));
  EXPECT_TRUE(std::filesystem::is_symlink(root + "/table/file.parquet"));
  EXPECT_FALSE(std::filesystem::exists(root + "/table/orphan.parquet"));
}

TEST(LiteVacuum, DeletesWhatWasRemovedSinceTheLastOne) {
  DataTable table;
  table.Create(arrow::schema(kColumns));
  const std::string first = KeyOf(*table.Append(kColumns, R"([{"id":1}])"), 0);
  const std::string second = KeyOf(*table.Append(kColumns, R"([{"id":2}])"), 1);
  table.Append(kColumns, R"([{"id":3}])");
  table.Remove(first);
  PutFile(table.context(), "orphan.parquet");
  table.clock().Advance(8 * kDay);
  const VacuumOptions lite{.mode = VacuumMode::kLite};
  table.Remove(second);
  EXPECT_THAT(*DryRun(table.context(), lite), ElementsAre(Pair(first, Verdict::kExpired)));
  // Its tombstone is not in a checkpoint any more, yet lite mode sees it.
  ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Latest()).ok());
  EXPECT_EQ(VacuumNow(table.context(), lite)->files, 1);
  EXPECT_EQ(*table.store().Get("_delta_log/_last_vacuum_info"),
            "{\"latestCommitVersionOutsideOfRetentionWindow\":4}\n");
  EXPECT_FALSE(table.store().Head(first).ok());
  EXPECT_TRUE(table.store().Head("orphan.parquet").ok());
  EXPECT_THAT(*DryRun(table.context(), lite), IsEmpty());
  table.clock().Advance(8 * kDay);
  EXPECT_THAT(*DryRun(table.context(), lite), ElementsAre(Pair(second, Verdict::kExpired)));
  EXPECT_EQ(VacuumNow(table.context())->files, 2) << "full mode finds the orphan, too";
  EXPECT_THAT(*DryRun(table.context(), lite), IsEmpty());
}

TEST(LiteVacuum, WhatTheLogNamesOutsideOrHiddenStays) {
  MemoryTable table;
  table.ExpectBroken();
  const std::string removed = R"(,"deletionTimestamp":5,"dataChange":true}})";
  table.PutCommit(0, FirstLines());
  table.PutCommit(1, R"({"remove":{"path":"../other/x.parquet")" + removed + "\n" +
                         R"({"remove":{"path":"/etc/passwd")" + removed + "\n" +
                         R"({"remove":{"path":"_delta_log/00000000000000000000.json")" + removed + "\n" +
                         R"({"remove":{"path":"plain.parquet")" + removed + "\n");
  table.clock().Advance(8 * kDay);
  EXPECT_THAT(
      *DryRun(table.context(), {.mode = VacuumMode::kLite}),
      UnorderedElementsAre(Pair("../other/x.parquet", Verdict::kOutside), Pair("/etc/passwd", Verdict::kOutside),
                           Pair("_delta_log/00000000000000000000.json", Verdict::kHidden),
                           Pair("plain.parquet", Verdict::kExpired)));
  EXPECT_EQ(VacuumNow(table.context(), {.mode = VacuumMode::kLite})->files, 1);
  EXPECT_TRUE(table.store().Head("_delta_log/00000000000000000000.json").ok());
}

TEST(LiteVacuum, NeedsEveryCommitSinceTheLastOne) {
  DataTable table;
  table.Create(arrow::schema(kColumns));
  table.Append(kColumns, R"([{"id":1}])");
  ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Latest()).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  table.clock().Advance(8 * kDay);
  const auto refused = VacuumNow(table.context(), {.mode = VacuumMode::kLite});
  EXPECT_EQ(refused.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(refused.status().message(), HasSubstr("version 0"));
  ASSERT_TRUE(VacuumNow(table.context()).ok());
  EXPECT_TRUE(VacuumNow(table.context(), {.mode = VacuumMode::kLite}).ok()) << "a full one makes up for it";
}

TEST(Vacuum, FaultsLoseNothingAndRepeatingItFinishes) {
  using storage::testing::FaultMode;
  for (const VacuumMode how : {VacuumMode::kFull, VacuumMode::kLite}) {
    for (const auto mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
      storage::testing::FaultPlan plan;
      plan.mode = mode;
      const int64_t faults = storage::testing::SweepFaults(plan, [&](auto injector, const auto& arm) {
        DataTable table;
        table.Create(arrow::schema(kColumns));
        const std::string old = KeyOf(*table.Append(kColumns, R"([{"id":1}])"), 0);
        table.Append(kColumns, R"([{"id":2}])");
        table.Remove(old);
        table.clock().Advance(8 * kDay);
        const auto rows = table.Rows(*table.Append(kColumns, R"([{"id":3}])"));
        TableContext faulty = table.context();
        faulty.store = storage::testing::MakeFaultyStore(table.context().store, injector);
        const auto snapshot = table.Latest();
        arm();
        (void)Vacuum(faulty, snapshot, {.mode = how});
        injector->Disarm();
        EXPECT_EQ(table.Rows(*table.Latest()), rows);
        EXPECT_TRUE(VacuumNow(table.context(), {.mode = how}).ok());
        EXPECT_FALSE(table.store().Head(old).ok());
        EXPECT_EQ(table.Rows(*table.Latest()), rows);
      });
      EXPECT_GT(faults, 10);
    }
  }
}

}  // namespace
}  // namespace tarn::delta
