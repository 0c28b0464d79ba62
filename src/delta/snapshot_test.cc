#include "delta/snapshot.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "delta/log/checkpoint_source.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/replay.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/forwarding_store.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta {
namespace {

using testing::FirstLines;
using testing::MemoryTable;

std::string AddLine(const std::string& path, const std::string& more = "") {
  return "{\"add\":{\"path\":\"" + path +
         "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true" + more + "}}\n";
}

std::string RemoveLine(const std::string& path, int64_t deleted = 5) {
  return "{\"remove\":{\"path\":\"" + path + "\",\"deletionTimestamp\":" + std::to_string(deleted) +
         ",\"dataChange\":true}}\n";
}

std::string IdStats(int64_t min, int64_t max) {
  return ",\"stats\":\"{\\\"numRecords\\\":5,\\\"minValues\\\":{\\\"id\\\":" + std::to_string(min) +
         "},\\\"maxValues\\\":{\\\"id\\\":" + std::to_string(max) + "},\\\"nullCount\\\":{\\\"id\\\":0}}\"";
}

std::multiset<std::string> Keys(const Snapshot& snapshot) {
  std::multiset<std::string> keys;
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) keys.insert(snapshot.File(i)->key);
  return keys;
}

StatusCode LoadCode(const MemoryTable& table, std::string* message = nullptr) {
  const auto snapshot = LoadSnapshot(table.context());
  if (message != nullptr) *message = snapshot.status().message();
  return snapshot.status().code();
}

TEST(SnapshotTest, TheNewestActionOfAFileDecides) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a") + AddLine("b%20b") + AddLine("c"));
  table.PutCommit(1, RemoveLine("a") + RemoveLine("b b"));
  table.PutCommit(2, AddLine("a"));
  const auto snapshot = *LoadSnapshot(table.context());
  EXPECT_EQ(Keys(*snapshot), (std::multiset<std::string>{"a", "c"}));
  EXPECT_EQ(Keys(**LoadSnapshotAt(table.context(), 1)), (std::multiset<std::string>{"c"}));
  EXPECT_EQ(LoadSnapshotAt(table.context(), 3).status().code(), StatusCode::kNotFound);
  // Refreshing step by step comes to the same.
  const auto refreshed = *Refresh(table.context(), *LoadSnapshotAt(table.context(), 0));
  EXPECT_EQ(refreshed->version(), 2);
  EXPECT_EQ(Keys(*refreshed), Keys(*snapshot));
  EXPECT_EQ(*Refresh(table.context(), refreshed), refreshed);
}

TEST(SnapshotTest, RefreshNoticesThatTheLogWasCleanedPastIt) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a"));
  const auto stale = *LoadSnapshot(table.context());
  for (int64_t version = 1; version <= 3; ++version) {
    table.clock().Advance(kMicrosPerSecond);
    table.PutCommit(version, AddLine("b" + std::to_string(version)));
  }
  const auto newest = *LoadSnapshot(table.context());
  ASSERT_TRUE(WriteCheckpoint(table.context(), *newest).ok());
  for (int64_t version = 0; version <= 3; ++version) ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
  const auto refreshed = *Refresh(table.context(), stale);
  EXPECT_EQ(refreshed->version(), 3);
  EXPECT_EQ(Keys(*refreshed), Keys(*newest));
  // Its commit is gone for good, which is looked into but once.
  EXPECT_EQ(*Refresh(table.context(), refreshed), refreshed);
  table.PutCommit(4, AddLine("c"));
  EXPECT_EQ((*Refresh(table.context(), refreshed))->version(), 4);
}

/// As S3, which answers a commit with the time of the answer.
class LateCommits final : public CommitStore {
 public:
  explicit LateCommits(std::shared_ptr<storage::ObjectStore> store)
      : commits_(MakePutIfAbsentCommits(std::move(store))) {}
  Result<PublishedCommit> Publish(int64_t version, std::string_view text) override {
    auto published = commits_->Publish(version, text);
    if (published.ok()) published->modified_millis += 1000;
    return published;
  }

 private:
  const std::shared_ptr<CommitStore> commits_;
};

TEST(SnapshotTest, AnOwnCommitIsNotReadAgainForTheTimeOfItsAnswer) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a"));
  TableContext context = table.context();
  const auto injector = std::make_shared<storage::testing::FaultInjector>();
  context.store = storage::testing::MakeFaultyStore(context.store, injector);
  context.commits = std::make_shared<LateCommits>(context.store);
  const auto transaction = *Transaction::Begin(context, *LoadSnapshot(context));
  transaction->SetTxn({"app", 1, 0});
  const auto own = transaction->Commit()->snapshot;
  // Counts anew.
  injector->Arm({});
  EXPECT_EQ(*Refresh(context, own), own);
  EXPECT_EQ(injector->counts(), (std::map<std::string, int64_t>{{"head", 1}, {"open", 1}}));
  // One that stands in its place is seen.
  ASSERT_TRUE(table.store().Delete(CommitKey(1)).ok());
  table.clock().Advance(kMicrosPerSecond * 9);
  table.PutCommit(1, AddLine("b"));
  EXPECT_EQ(Keys(**Refresh(context, own)), (std::multiset<std::string>{"a", "b"}));
}

TEST(SnapshotTest, RefreshDoesNotTakeAnotherTableForALaterVersion) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("old"));
  const auto old = *LoadSnapshot(table.context());
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  EXPECT_EQ(Refresh(table.context(), old).status().code(), StatusCode::kNotFound);
  table.clock().Advance(kMicrosPerSecond);
  table.PutCommit(0, FirstLines() + AddLine("new"));
  table.PutCommit(1, AddLine("newer"));
  const auto fresh = *Refresh(table.context(), old);
  EXPECT_EQ(Keys(*fresh), (std::multiset<std::string>{"new", "newer"}));
}

TEST(SnapshotTest, ATxnVersionIsReadWhateverTheTableUses) {
  MemoryTable table;
  EXPECT_EQ(ReadTxnVersion(table.context(), "app").status().code(), StatusCode::kNotFound);
  table.PutCommit(0, FirstLines() + R"({"txn":{"appId":"app","version":7}})"
                                    "\n");
  table.PutCommit(1, R"({"protocol":{"minReaderVersion":9,"minWriterVersion":9}})"
                     "\n");
  EXPECT_EQ(LoadCode(table), StatusCode::kUnsupported);
  EXPECT_EQ(*ReadTxnVersion(table.context(), "app"), 7);
  EXPECT_EQ(*ReadTxnVersion(table.context(), "other"), std::nullopt);
}

TEST(SnapshotTest, BrokenLogsAreCorruption) {
  std::string message;
  MemoryTable gap;
  gap.PutCommit(0, FirstLines());
  gap.PutCommit(2, AddLine("a"));
  EXPECT_EQ(LoadCode(gap, &message), StatusCode::kCorruption);
  EXPECT_NE(message.find("version 1"), std::string::npos) << message;
  MemoryTable torn;
  torn.PutCommit(0, FirstLines() + "{\"add\":{\"path\":\"x");
  EXPECT_EQ(LoadCode(torn, &message), StatusCode::kCorruption);
  EXPECT_NE(message.find("00000000000000000000.json"), std::string::npos) << message;
  MemoryTable empty;
  empty.PutCommit(0, FirstLines());
  empty.PutCommit(1, "");
  EXPECT_EQ(LoadCode(empty), StatusCode::kCorruption);
  for (const std::string& bad :
       {AddLine("a") + AddLine("a"), AddLine("a") + RemoveLine("a"), FirstLines() + FirstLines()}) {
    MemoryTable table;
    table.PutCommit(0, FirstLines());
    const auto base = *LoadSnapshot(table.context());
    table.PutCommit(1, bad);
    EXPECT_EQ(LoadCode(table), StatusCode::kCorruption) << bad;
    EXPECT_EQ(Refresh(table.context(), base).status().code(), StatusCode::kCorruption) << bad;
  }
  EXPECT_EQ(LoadCode(MemoryTable()), StatusCode::kNotFound);
}

TEST(SnapshotTest, AVersionOfWhichTheLogWasCleanedIsNotFoundAndAGapIsCorruption) {
  MemoryTable table;
  for (int64_t version = 0; version < 12; ++version) {
    table.PutCommit(version, (version == 0 ? FirstLines() : "") + AddLine("file-" + std::to_string(version)));
  }
  ASSERT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshotAt(table.context(), 8)).ok());
  const auto at = [&](int64_t version) { return LoadSnapshotAt(table.context(), version).status(); };
  for (int64_t version = 0; version < 6; ++version) ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
  for (const int64_t version : {0, 3, 6, 7}) {
    const Status gone = at(version);
    EXPECT_EQ(gone.code(), StatusCode::kNotFound) << gone.ToString();
    EXPECT_EQ(gone.message(),
              "version " + std::to_string(version) + " is gone: the log was cleaned and has the versions 8 to 11");
  }
  EXPECT_TRUE(at(8).ok() && at(11).ok());
  EXPECT_EQ(at(12).message(), "the log ends at version 11, before version 12");
  ASSERT_TRUE(table.store().Delete(CommitKey(10)).ok());
  for (const int64_t version : {10, 11}) {
    EXPECT_EQ(at(version).ToString(), "Corruption: the log lacks version 10") << version;
  }
  EXPECT_TRUE(at(9).ok());
}

/// Shows a folder as it may look to someone who lists it while others write: without some of the files.
class OverlookingStore final : public storage::ForwardingStore {
 public:
  OverlookingStore(std::shared_ptr<storage::ObjectStore> inner, std::set<std::string> overlooked)
      : ForwardingStore(std::move(inner)), overlooked_(std::move(overlooked)) {}
  Status List(const storage::ListOptions& options,
              const std::function<bool(const storage::ListEntry&)>& visit) override {
    return inner().List(options, [&](const storage::ListEntry& entry) {
      return overlooked_.contains(entry.object.key) || visit(entry);
    });
  }

 private:
  const std::set<std::string> overlooked_;
};

TEST(SnapshotTest, ACommitThatAListingOverlooksIsNoGap) {
  MemoryTable table;
  for (int64_t version = 0; version < 6; ++version) {
    table.PutCommit(version, (version == 0 ? FirstLines() : "") + AddLine("file-" + std::to_string(version)));
  }
  TableContext context = table.context();
  context.store = std::make_shared<OverlookingStore>(context.store,
                                                     std::set<std::string>{CommitKey(2), CommitKey(3), CommitKey(5)});
  const auto snapshot = LoadSnapshot(context);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  // The last one is as if it came later.
  EXPECT_EQ((*snapshot)->version(), 4);
  EXPECT_EQ((*snapshot)->num_files(), 5u);
  EXPECT_EQ(ReadHistory(context, **snapshot, 10)->size(), 5u);
  testing::ExpectNone(context, "log-gap");
}

TEST(SnapshotTest, WindowsAndLazyStatisticsGiveTheSameTable) {
  MemoryTable table;
  std::string text = FirstLines();
  for (int i = 0; i < 300; ++i) text += AddLine("file-" + std::to_string(i), IdStats(i * 10, i * 10 + 9));
  table.PutCommit(0, text);
  table.PutCommit(1, RemoveLine("file-7"));
  for (const int64_t window : {1, 64, 1000, 1 << 20}) {
    ReplayOptions options;
    options.window_bytes = window;
    options.held_stats_commit_bytes = window;
    std::string broken;
    const auto segment = ListSegment(table.store(), SegmentOptions());
    auto state = ReplaySegment(table.context().store, *segment, options, &broken);
    ASSERT_TRUE(state.ok()) << state.status().ToString();
    const auto snapshot = *LogSnapshot::Make(table.context(), std::move(*state));
    EXPECT_EQ(snapshot->num_files(), 299u);
    const auto selected = *snapshot->Select({Predicate::Compare(Predicate::Op::kEq, 0, int64_t{1234})});
    ASSERT_EQ(selected.size(), 1u) << window;
    EXPECT_EQ(snapshot->File(selected[0])->key, "file-123");
    EXPECT_EQ(snapshot->File(selected[0])->num_records, 5);
    EXPECT_NE(snapshot->AddAction(selected[0])->stats.find("\"id\":1230"), std::string::npos);
    EXPECT_TRUE(snapshot->Select({Predicate::Compare(Predicate::Op::kEq, 0, int64_t{75})})->empty());
  }
}

TEST(SnapshotTest, PartitionsAreTypedAndPruned) {
  MemoryTable table;
  const auto line = [](const std::string& path, const std::string& day) {
    return "{\"add\":{\"path\":\"" + path + "\",\"partitionValues\":{\"day\":" + day +
           "},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n";
  };
  table.PutCommit(0, FirstLines(/*partitioned=*/true) + line("a", "\"2026-01-01\"") + line("b", "\"2026-01-02\"") +
                         line("c", "null") + line("d", "\"\""));
  const auto snapshot = *LoadSnapshot(table.context());
  const auto select = [&](Predicate predicate) {
    std::multiset<std::string> keys;
    const std::vector<FileIndex> selected = *snapshot->Select({predicate});
    for (const FileIndex i : selected) keys.insert(snapshot->File(i)->key);
    return keys;
  };
  const int64_t jan2 = 20455;
  EXPECT_EQ(select(Predicate::Compare(Predicate::Op::kEq, 2, jan2)), (std::multiset<std::string>{"b"}));
  EXPECT_EQ(select(Predicate::Compare(Predicate::Op::kLt, 2, jan2)), (std::multiset<std::string>{"a"}));
  EXPECT_EQ(select({Predicate::Op::kIsNull, 2, {}, {}}), (std::multiset<std::string>{"c", "d"}));
  EXPECT_EQ(*snapshot->SelectAmong({0, 2, 3}, {Predicate{Predicate::Op::kIsNull, 2, {}, {}}}),
            (std::vector<FileIndex>{2, 3}));
  EXPECT_EQ(std::get<int64_t>(snapshot->Bounds(1, 2)->min), jan2);
  EXPECT_TRUE(snapshot->Bounds(2, 2)->all_null);
}

TEST(SnapshotTest, ManySmallCommitsGiveFewChunks) {
  MemoryTable table;
  auto snapshot = table.Create();
  for (int i = 0; i < 300; ++i) snapshot = table.Append(snapshot, {"f" + std::to_string(i)});
  EXPECT_EQ(snapshot->num_files(), 300u);
  EXPECT_LE(LogSnapshot::From(snapshot)->state().chunks.size(), 12u);
  EXPECT_EQ(Keys(*snapshot), Keys(**LoadSnapshot(table.context())));
}

TEST(SnapshotTest, HintsAndCheckpointsAreOnlyUsedWhenGood) {
  MemoryTable table;
  auto snapshot = table.Create();
  for (int i = 0; i < 4; ++i) snapshot = table.Append(snapshot, {"f" + std::to_string(i)});
  for (const char* hint : {"garbage", R"({"version":3,"size":1})", R"({"version":900,"size":1})"}) {
    table.Put(std::string(kLastCheckpointKey), hint);
    EXPECT_EQ(Keys(**LoadSnapshot(table.context())), Keys(*snapshot)) << hint;
  }
  // A checkpoint that is no Parquet, and one of which a part is missing.
  table.Put(CheckpointKey(3), "PAR1 nonsense");
  table.Put(CheckpointPartKey(2, 1, 2), "half");
  table.Put(std::string(kLastCheckpointKey), R"({"version":3,"size":1})");
  EXPECT_EQ(Keys(**LoadSnapshot(table.context())), Keys(*snapshot));
  // With the commits before it gone, the broken checkpoint is what is wrong.
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  EXPECT_EQ(LoadCode(table), StatusCode::kCorruption);
}

TEST(SnapshotTest, UnknownAndUnbuiltFeaturesAreRefusedByName) {
  const auto load = [](const std::string& features, const std::string& more = "") {
    MemoryTable table;
    std::string text = FirstLines();
    text.replace(text.find(R"("minReaderVersion":1,"minWriterVersion":2)"), 41,
                 R"("minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[)" + features +
                     R"(],"writerFeatures":[)" + features + "]");
    table.PutCommit(0, text + more);
    return LoadSnapshot(table.context()).status();
  };
  EXPECT_TRUE(load("").ok());
  EXPECT_TRUE(load(R"("timestampNtz")").ok());
  EXPECT_TRUE(load(R"("timestampWithoutTimezone","vacuumProtocolCheck")").ok());
  EXPECT_TRUE(load(R"("deletionVectors")", AddLine("a")).ok());
  const Status unknown = load(R"("sparkles")");
  EXPECT_EQ(unknown.code(), StatusCode::kUnsupported);
  EXPECT_NE(unknown.message().find("sparkles"), std::string::npos);
}

/// The name of a compacted log file.
std::string CompactedKey(int64_t from, int64_t to) {
  return std::string(kLogFolder) + PaddedVersion(from) + "." + PaddedVersion(to) + ".compacted.json";
}

TEST(SnapshotTest, CompactedFilesStandForTheirCommits) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a"));
  table.PutCommit(1, AddLine("b") + R"({"txn":{"appId":"app","version":1}})" + "\n");
  table.PutCommit(2, RemoveLine("a") + AddLine("c"));
  table.PutCommit(3, RemoveLine("c") + R"({"txn":{"appId":"app","version":2}})" + "\n");
  const auto plain = *LoadSnapshot(table.context());
  table.Put(CompactedKey(1, 3),
            AddLine("b") + RemoveLine("a") + RemoveLine("c") + R"({"txn":{"appId":"app","version":2}})" + "\n");
  // Wider or later than what is asked for, and broken ones, are passed over.
  table.Put(CompactedKey(0, 9), "nonsense");
  table.Put(CompactedKey(2, 3), "nonsense");
  const auto expect_same = [&] {
    const auto snapshot = LoadSnapshot(table.context());
    ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    EXPECT_EQ(Keys(**snapshot), Keys(*plain));
    EXPECT_EQ((*snapshot)->version(), 3);
    EXPECT_EQ((*snapshot)->timestamp_millis(), plain->timestamp_millis());
    EXPECT_EQ((*snapshot)->TxnVersion("app"), 2);
  };
  expect_same();
  EXPECT_EQ(Keys(**LoadSnapshotAt(table.context(), 2)), (std::multiset<std::string>{"b", "c"}));
  // Its commits are not read: they may be gone, but for the newest one, which shows how far the log goes.
  ASSERT_TRUE(table.store().Delete(CommitKey(1)).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(2)).ok());
  expect_same();
  EXPECT_EQ(LoadSnapshotAt(table.context(), 2).status().code(), StatusCode::kCorruption);
}

TEST(SnapshotTest, ABrokenCompactedFileIsReplacedByItsCommits) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a"));
  table.PutCommit(1, AddLine("b"));
  table.PutCommit(2, AddLine("c"));
  table.Put(CompactedKey(0, 1), "{\"add\":");
  table.Put(CompactedKey(0, 2), "nonsense");
  EXPECT_EQ(Keys(**LoadSnapshot(table.context())), (std::multiset<std::string>{"a", "b", "c"}));
}

TEST(SnapshotTest, TimeTravelFindsTheVersion) {
  MemoryTable table;
  auto snapshot = table.Create();
  const int64_t start = snapshot->timestamp_millis();
  for (int i = 0; i < 3; ++i) {
    table.clock().Advance(10'000'000);
    snapshot = table.Append(snapshot, {"f" + std::to_string(i)});
  }
  const auto at = [&](int64_t millis) { return VersionAtTimestamp(table.context(), millis); };
  EXPECT_EQ(at(start - 1).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(*at(start), 0);
  EXPECT_EQ(*at(start + 19'999), 1);
  EXPECT_EQ(*at(start + 20'000), 2);
  EXPECT_EQ(*at(start + 30'000), 3);
  EXPECT_EQ(*at(start + 30'001), 3);
  EXPECT_EQ(*at(INT64_MAX), 3);
  const auto history = *ReadHistory(table.context(), *snapshot, 2);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].version, 3);
  EXPECT_EQ(history[0].files_added, 1);
  EXPECT_EQ(history[0].info.operation, "WRITE");
}

TEST(SnapshotTest, TombstonesAreFoundForCheckpoints) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a") + AddLine("b") + AddLine("c"));
  table.PutCommit(1, RemoveLine("a", 100) + RemoveLine("b", 3) + RemoveLine("c", 100));
  table.PutCommit(2, AddLine("c"));
  const auto snapshot = *LoadSnapshot(table.context());
  std::vector<std::string> removed;
  const Status status = LogSnapshot::From(snapshot)->VisitRemoves(table.context(), 50, [&](const Remove& remove) {
    removed.push_back(remove.path);
    return Status::Ok();
  });
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(removed, std::vector<std::string>{"a"});
}

TEST(SnapshotTest, TombstonesAreFoundHoweverTheirLinesAreWritten) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("a") + AddLine("b") + AddLine("c"));
  std::string escaped = RemoveLine("b", 100);
  escaped.replace(escaped.find("remove"), 6, "re\\u006dove");
  std::string behind = AddLine("remove") + RemoveLine("c", 100);
  behind.replace(behind.find("}\n{"), 3, ",");
  table.PutCommit(1, RemoveLine("a", 100) + escaped + behind);
  const auto snapshot = *LoadSnapshot(table.context());
  EXPECT_EQ(snapshot->num_files(), 1u);
  std::set<std::string> removed;
  const Status status = LogSnapshot::From(snapshot)->VisitRemoves(table.context(), 50, [&](const Remove& remove) {
    removed.insert(remove.path);
    return Status::Ok();
  });
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(removed, (std::set<std::string>{"a", "b", "c"}));
}

TEST(SnapshotTest, PathsOutsideTheTableGiveNoFile) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + AddLine("/etc/passwd"));
  const auto snapshot = LoadSnapshot(table.context());
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  const auto file = (*snapshot)->File(0);
  EXPECT_EQ(file.status().code(), StatusCode::kPermissionDenied);
  EXPECT_NE(file.status().message().find("/etc/passwd"), std::string::npos);
}

}  // namespace
}  // namespace tarn::delta
