#include "delta/log/probed_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/forwarding_store.h"

namespace tarn::delta {
namespace {

using storage::ListEntry;
using storage::ListOptions;
using storage::ObjectInfo;
using storage::ObjectReader;
using storage::ObjectStore;
using ::testing::HasSubstr;
using testing::MemoryTable;

/// What a web server shows of a table that others write.
class WebServer final : public storage::ForwardingStore {
 public:
  enum class Absent : uint8_t { kNotFound, kDenied, kAnswered, kAnsweredForCommits };
  using ForwardingStore::ForwardingStore;

  std::atomic<Absent> absent = Absent::kNotFound;
  std::atomic<bool> lets_in = true;
  std::atomic<int> heads = 0;
  /// Told of every file, where it is not 0.
  std::atomic<int64_t> size = 0;
  /// Of files named by a version, those from this one on are denied, whether they are there or not.
  std::atomic<int64_t> private_from = INT64_MAX;
  /// What happens once, right behind the first answer about this key.
  std::pair<std::string, std::function<void()>> after_heads_of;
  std::atomic<bool> tells_times = true;
  /// What reading the hint ends with.
  Status hint;

  Result<ObjectInfo> Head(std::string_view key) override {
    ++heads;
    if (!lets_in || IsPrivate(key)) return Status::PermissionDenied(std::string(key));
    auto found = inner().Head(key);
    if (key == after_heads_of.first && after_heads_of.second) std::exchange(after_heads_of.second, nullptr)();
    if (found.ok() && size > 0) found->size_bytes = size;
    if (found.ok() && !tells_times) found->modified_micros = 0;
    if (!found.status().Is(StatusCode::kNotFound) || absent == Absent::kNotFound) return found;
    if (absent == Absent::kDenied) return Status::PermissionDenied(std::string(key));
    if (absent == Absent::kAnsweredForCommits) {
      const auto name = ParseLogName(key.substr(kLogFolder.size()));
      if (!name.has_value() || name->kind != LogName::Kind::kCommit) return found;
    }
    return ObjectInfo{.key = std::string(key), .size_bytes = 6, .modified_micros = 0, .etag = "\"1\""};
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    if (!lets_in || IsPrivate(key)) return Status::PermissionDenied(std::string(key));
    if (key == kLastCheckpointKey && !hint.ok()) return hint;
    auto opened = inner().Open(key);
    if (!opened.status().Is(StatusCode::kNotFound) || absent != Absent::kDenied) return opened;
    return Status::PermissionDenied(std::string(key));
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    return ObjectStore::OpenKnown(key, size_bytes);
  }
  Status List(const ListOptions&, const std::function<bool(const ListEntry&)>&) override {
    return Status::Unsupported("no lists here");
  }
  std::string uri() const override { return "https://example.invalid/t"; }

 private:
  bool IsPrivate(std::string_view key) const {
    const std::string_view name = key.substr(std::min(key.size(), kLogFolder.size()));
    return private_from != INT64_MAX && name.size() > 20 && name[0] >= '0' && name[0] <= '9' &&
           name.substr(0, 20) >= PaddedVersion(private_from);
  }
};

class ProbedLogTest : public ::testing::Test {
 protected:
  void TearDown() override { snapshot_.reset(); }

  /// Appends a file in each version up to `version`.
  void GrowTo(int64_t version) {
    if (snapshot_ == nullptr) snapshot_ = table_.Create();
    while (snapshot_->version() < version) {
      snapshot_ = table_.Append(snapshot_, {"f" + std::to_string(snapshot_->version() + 1)});
    }
  }
  void Checkpoint() { ASSERT_TRUE(WriteCheckpoint(table_.context(), *snapshot_).ok()); }
  void DeleteCommits(int64_t from, int64_t to) {
    for (int64_t version = from; version <= to; ++version) {
      ASSERT_TRUE(table_.store().Delete(CommitKey(version)).ok());
      ASSERT_TRUE(table_.store().Delete(ChecksumKey(version)).ok());
    }
  }
  TableContext Probed() {
    TableContext context = table_.context();
    context.store = MakeProbedLog(server_);
    return context;
  }
  /// Every version is there, or is not, as by listing.
  void ExpectVersionsAsListed() {
    const TableContext probed = Probed();
    for (int64_t version = 0; version <= snapshot_->version() + 1; ++version) {
      const auto by_list = LoadSnapshotAt(table_.context(), version);
      const auto by_name = LoadSnapshotAt(probed, version);
      ASSERT_EQ(by_list.ok(), by_name.ok()) << version << ": " << by_name.status().ToString();
      if (by_list.ok()) {
        EXPECT_EQ((*by_name)->num_files(), (*by_list)->num_files()) << version;
      } else {
        EXPECT_EQ(by_name.status().ToString(), by_list.status().ToString());
      }
    }
    const auto newest = LoadSnapshot(probed);
    ASSERT_TRUE(newest.ok()) << newest.status().ToString();
    EXPECT_EQ((*newest)->version(), snapshot_->version());
    EXPECT_EQ((*newest)->num_files(), snapshot_->num_files());
    const auto commits = ListCommits(*probed.store);
    ASSERT_TRUE(commits.ok());
    EXPECT_EQ(commits->size(), ListCommits(table_.store())->size());
  }

  MemoryTable table_;
  std::shared_ptr<WebServer> server_ = std::make_shared<WebServer>(table_.context().store);
  std::shared_ptr<const Snapshot> snapshot_;
};

TEST_F(ProbedLogTest, CommitsAlone) {
  GrowTo(70);
  ExpectVersionsAsListed();
}

TEST_F(ProbedLogTest, BehindACheckpoint) {
  GrowTo(20);
  Checkpoint();
  GrowTo(25);
  ExpectVersionsAsListed();
  // The hint is read twice; its checkpoint, six commits and one that is not there, the checksum.
  const TableContext probed = Probed();
  server_->heads = 0;
  ASSERT_TRUE(LoadSnapshot(probed).ok());
  EXPECT_LE(server_->heads, 16);
}

TEST_F(ProbedLogTest, ALogWithoutItsBeginning) {
  GrowTo(10);
  Checkpoint();
  GrowTo(20);
  Checkpoint();
  GrowTo(40);
  Checkpoint();
  GrowTo(43);
  DeleteCommits(0, 15);
  ASSERT_TRUE(table_.store().Delete(CheckpointKey(10)).ok());
  ExpectVersionsAsListed();
}

TEST_F(ProbedLogTest, ACheckpointWithoutItsCommit) {
  GrowTo(10);
  Checkpoint();
  DeleteCommits(0, 10);
  ExpectVersionsAsListed();
}

TEST_F(ProbedLogTest, ACheckpointUnderItsUuid) {
  snapshot_ = table_.Create(false, {{"delta.checkpointPolicy", "v2"}, {"delta.feature.v2Checkpoint", "supported"}});
  GrowTo(10);
  Checkpoint();
  GrowTo(12);
  EXPECT_FALSE(table_.store().Head(CheckpointKey(10)).ok());
  DeleteCommits(0, 8);
  ExpectVersionsAsListed();
}

TEST_F(ProbedLogTest, RefreshedBehindACleanedLog) {
  GrowTo(5);
  const TableContext probed = Probed();
  const auto old = LoadSnapshot(probed);
  ASSERT_TRUE(old.ok());
  server_->heads = 0;
  EXPECT_EQ((*Refresh(probed, *old))->version(), 5);
  EXPECT_LE(server_->heads, 4);
  GrowTo(7);
  EXPECT_EQ((*Refresh(probed, *old))->version(), 7);
  GrowTo(30);
  Checkpoint();
  GrowTo(31);
  DeleteCommits(0, 28);
  const auto refreshed = Refresh(probed, *old);
  ASSERT_TRUE(refreshed.ok()) << refreshed.status().ToString();
  EXPECT_EQ((*refreshed)->version(), 31);
}

TEST_F(ProbedLogTest, AServerThatDeniesWhatIsNotThere) {
  GrowTo(20);
  Checkpoint();
  GrowTo(23);
  server_->absent = WebServer::Absent::kDenied;
  ExpectVersionsAsListed();
  // In the log alone: a file of the table that may not be read is none that is not there.
  EXPECT_TRUE(Probed().store->Head("part-1.parquet").status().Is(StatusCode::kPermissionDenied));
}

TEST_F(ProbedLogTest, AServerThatStopsLettingIn) {
  GrowTo(2);
  for (const auto absent : {WebServer::Absent::kNotFound, WebServer::Absent::kDenied}) {
    server_->absent = absent;
    server_->lets_in = true;
    const TableContext probed = Probed();
    const auto loaded = LoadSnapshot(probed);
    ASSERT_TRUE(loaded.ok());
    ASSERT_TRUE(probed.store->Head(CommitKey(9)).status().Is(StatusCode::kNotFound));
    server_->lets_in = false;
    // The table has not become shorter.
    EXPECT_TRUE(Refresh(probed, *loaded).status().Is(StatusCode::kPermissionDenied));
    EXPECT_TRUE(LoadSnapshot(probed).status().Is(StatusCode::kPermissionDenied));
    EXPECT_TRUE(LoadSnapshot(Probed()).status().Is(StatusCode::kPermissionDenied));
  }
}

TEST_F(ProbedLogTest, AServerThatHasEverything) {
  GrowTo(2);
  server_->absent = WebServer::Absent::kAnswered;
  const auto loaded = LoadSnapshot(Probed());
  EXPECT_TRUE(loaded.status().Is(StatusCode::kUnsupported)) << loaded.status().ToString();
  EXPECT_THAT(loaded.status().message(), HasSubstr("answers for files that it does not have"));
}

TEST_F(ProbedLogTest, AServerWhoseCommitsHaveNoEnd) {
  GrowTo(2);
  server_->absent = WebServer::Absent::kAnsweredForCommits;
  const auto loaded = LoadSnapshot(Probed());
  EXPECT_TRUE(loaded.status().Is(StatusCode::kResourceExhausted)) << loaded.status().ToString();
  EXPECT_THAT(loaded.status().message(), HasSubstr("https://example.invalid/t"));
}

TEST_F(ProbedLogTest, HintsThatAreWrong) {
  GrowTo(4);
  for (const std::string hint :
       {R"({"version":3,"size":1})", R"({"version":5,"size":1})", R"({"version":9,"size":1})",
        R"({"version":9223372036854775807,"size":1})", R"({"version":3,"parts":1000000000})",
        R"({"version":3,"parts":-1})", R"({"version":3,"v2Checkpoint":{"path":"../../secret"}})", "{"}) {
    table_.Put(std::string(kLastCheckpointKey), hint);
    ExpectVersionsAsListed();
  }
}

TEST_F(ProbedLogTest, AHintOfMorePartsThanThereAre) {
  GrowTo(4);
  table_.Put(std::string(kLastCheckpointKey), R"({"version":3,"parts":4000})");
  const TableContext probed = Probed();
  server_->heads = 0;
  ASSERT_TRUE(LoadSnapshot(probed).ok());
  EXPECT_LE(server_->heads, 100);
}

TEST_F(ProbedLogTest, SizesThatNoLogHas) {
  GrowTo(4);
  server_->size = 9'000'000'000'000'000'000;
  const auto loaded = LoadSnapshot(Probed());
  EXPECT_TRUE(loaded.status().Is(StatusCode::kUnsupported)) << loaded.status().ToString();
  EXPECT_THAT(loaded.status().message(), HasSubstr("00000000000000000000.json is said to have 9000000000000000000"));
}

TEST_F(ProbedLogTest, AServerThatDeniesTheNewerPart) {
  GrowTo(9);
  for (const int64_t from : {1, 2, 5, 9}) {
    server_->private_from = from;
    const auto loaded = LoadSnapshot(Probed());
    EXPECT_TRUE(loaded.status().Is(StatusCode::kPermissionDenied)) << from << loaded.status().ToString();
  }
  // What nobody sees from here is no difference.
  server_->private_from = 10;
  server_->absent = WebServer::Absent::kDenied;
  EXPECT_EQ((*LoadSnapshot(Probed()))->version(), 9);
}

TEST_F(ProbedLogTest, AGapInTheCommits) {
  GrowTo(40);
  for (int64_t missing = 0; missing < 40; ++missing) {
    const std::string commit = *table_.store().Get(CommitKey(missing));
    ASSERT_TRUE(table_.store().Delete(CommitKey(missing)).ok());
    const auto loaded = LoadSnapshot(Probed());
    EXPECT_TRUE(loaded.status().Is(StatusCode::kCorruption)) << missing << loaded.status().ToString();
    EXPECT_THAT(loaded.status().message(), HasSubstr("the log lacks version " + std::to_string(missing)));
    // What came before is whole.
    if (missing > 0) {
      EXPECT_EQ((*LoadSnapshotAt(Probed(), missing - 1))->version(), missing - 1);
    }
    table_.Put(CommitKey(missing), commit);
  }
  ExpectVersionsAsListed();
}

TEST_F(ProbedLogTest, ACommitThatAppearsBehindItsSuccessorIsNoGap) {
  GrowTo(3);
  const std::string commit = *table_.store().Get(CommitKey(2));
  ASSERT_TRUE(table_.store().Delete(CommitKey(2)).ok());
  const TableContext probed = Probed();
  // Asked for once, before it was there, and found when it is asked for again.
  server_->after_heads_of = {CommitKey(2), [&] { table_.Put(CommitKey(2), commit); }};
  const auto loaded = LoadSnapshot(probed);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ((*loaded)->version(), 3);
}

TEST_F(ProbedLogTest, AHintThatIsNotGiven) {
  GrowTo(10);
  Checkpoint();
  GrowTo(12);
  for (const Status& hint : {Status::Unavailable("503"), Status::PermissionDenied("403")}) {
    server_->hint = hint;
    // The log is there from its beginning.
    EXPECT_EQ((*LoadSnapshot(Probed()))->version(), 12);
  }
  DeleteCommits(0, 9);
  for (const Status& hint : {Status::Unavailable("503"), Status::PermissionDenied("403")}) {
    server_->hint = hint;
    EXPECT_EQ(LoadSnapshot(Probed()).status().code(), hint.code());
  }
  server_->hint = Status::Ok();
  EXPECT_EQ((*LoadSnapshot(Probed()))->version(), 12);
}

TEST_F(ProbedLogTest, AHintAtWhatIsGone) {
  GrowTo(12);
  DeleteCommits(0, 9);
  table_.Put(std::string(kLastCheckpointKey), R"({"version":5,"size":1})");
  const auto loaded = LoadSnapshot(Probed());
  EXPECT_TRUE(loaded.status().Is(StatusCode::kCorruption)) << loaded.status().ToString();
  EXPECT_THAT(loaded.status().message(),
              HasSubstr("_delta_log/_last_checkpoint names a checkpoint of version 5, which is not there"));
}

TEST_F(ProbedLogTest, AHintBehindAGap) {
  GrowTo(12);
  DeleteCommits(4, 6);
  table_.Put(std::string(kLastCheckpointKey), R"({"version":10,"size":1})");
  const auto loaded = LoadSnapshot(Probed());
  EXPECT_TRUE(loaded.status().Is(StatusCode::kCorruption)) << loaded.status().ToString();
  EXPECT_THAT(loaded.status().message(), HasSubstr("the log lacks version 4"));
}

TEST_F(ProbedLogTest, AServerThatTellsNoTimes) {
  GrowTo(3);
  server_->tells_times = false;
  const TableContext probed = Probed();
  const auto found = VersionAtTimestamp(probed, INT64_MAX);
  EXPECT_TRUE(found.status().Is(StatusCode::kUnsupported)) << found.status().ToString();
  EXPECT_THAT(found.status().message(),
              HasSubstr("does not say when _delta_log/00000000000000000000.json was written"));
  // What the writers' clocks said is better than nothing.
  const auto history = *ReadHistory(probed, **LoadSnapshot(probed), 10);
  ASSERT_EQ(history.size(), 4u);
  for (const HistoryEntry& entry : history) EXPECT_EQ(entry.timestamp_millis, entry.info.timestamp_millis);
  EXPECT_GT(history[0].timestamp_millis, 0);
}

TEST_F(ProbedLogTest, AServerThatTellsNoTimesOfATableThatDoes) {
  snapshot_ = table_.Create(false, {{"delta.enableInCommitTimestamps", "true"}});
  GrowTo(3);
  server_->tells_times = false;
  const TableContext probed = Probed();
  const auto history = *ReadHistory(probed, **LoadSnapshot(probed), 10);
  for (const HistoryEntry& entry : history) {
    EXPECT_EQ(*VersionAtTimestamp(probed, entry.timestamp_millis), entry.version);
  }
}

TEST_F(ProbedLogTest, NoLog) {
  const TableContext probed = Probed();
  EXPECT_TRUE(LoadSnapshot(probed).status().Is(StatusCode::kNotFound));
  EXPECT_FALSE(*TableExists(*probed.store));
  table_.ExpectBroken();
}

}  // namespace
}  // namespace tarn::delta
