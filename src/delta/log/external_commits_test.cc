#include "delta/log/external_commits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "delta/log/log_names.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/fake_entries.h"
#include "delta/testing/table_fixture.h"
#include "storage/forwarding_store.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta {
namespace {

using storage::Precondition;
using storage::testing::FaultInjector;
using storage::testing::FaultMode;
using testing::FakeEntries;
using ::testing::HasSubstr;
using testing::MemoryTable;
using ::testing::StartsWith;
using Fate = FaultInjector::Fate;

constexpr int64_t kTtlSeconds = 24 * 60 * 60;
constexpr char kTablePath[] = "s3a://bucket/db/t";

std::string FileName(int64_t version) { return PaddedVersion(version) + ".json"; }

/// Says when an operation of the store below begins.
class AnnouncingStore final : public storage::ForwardingStore {
 public:
  AnnouncingStore(std::shared_ptr<ObjectStore> inner, std::function<void()> announce)
      : ForwardingStore(std::move(inner)), announce_(std::move(announce)) {}
  Result<storage::ObjectInfo> Head(std::string_view key) override {
    announce_();
    return ForwardingStore::Head(key);
  }
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key) override {
    announce_();
    return ForwardingStore::Open(key);
  }
  Result<storage::ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    announce_();
    return ForwardingStore::Put(key, bytes, precondition);
  }

 private:
  const std::function<void()> announce_;
};

/// May read and not write.
class ReadOnlyStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<storage::ObjectInfo> Put(std::string_view key, ByteSpan, const Precondition&) override {
    return Status::PermissionDenied("no " + std::string(key));
  }
};

/// A bucket with the table db/t and its entries, which several clients use.
class ExternalCommitsTest : public ::testing::Test {
 protected:
  /// The table as a client sees it whose store and entries are these.
  TableContext Client(std::shared_ptr<storage::ObjectStore> store, std::shared_ptr<CommitEntries> entries) {
    auto commits = MakeExternalCommits(std::move(store), std::move(entries),
                                       {.root = "s3a://bucket", .ttl_seconds = kTtlSeconds}, clock_, random_);
    return {.store = storage::MakePrefixStore(std::move(commits), "db/t"),
            .clock = &clock_,
            .random = &random_,
            .commits = nullptr};
  }
  TableContext Peer() { return Client(bucket_, entries_); }
  /// One whose operations fail as the injector says.
  TableContext Faulty(const std::shared_ptr<FaultInjector>& injector) {
    return Client(storage::testing::MakeFaultyStore(bucket_, injector),
                  testing::MakeFaultyEntries(entries_, [=](std::string_view name) { return injector->Next(name); }));
  }

  void Create() {
    CreateTableOptions options;
    options.schema = MemoryTable::Schema();
    const auto created = (*Transaction::Create(Peer(), options))->Commit();
    ASSERT_TRUE(created.ok()) << created.status().ToString();
  }
  static Result<Committed> Append(const TableContext& table, const std::string& key) {
    TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot(table));
    TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table, snapshot));
    transaction->AddFile(MemoryTable::MakeAdd(key));
    return transaction->Commit();
  }
  static std::multiset<std::string> Keys(const TableContext& table) {
    const auto snapshot = LoadSnapshot(table);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    std::multiset<std::string> keys;
    for (FileIndex i = 0; snapshot.ok() && i < (*snapshot)->num_files(); ++i) keys.insert((*snapshot)->File(i)->key);
    return keys;
  }

  std::string InLog(const std::string& name) { return "db/t/_delta_log/" + name; }
  Result<std::string> Stored(const std::string& name) { return bucket_->Get(InLog(name)); }
  FakeEntries::Kept Entry(int64_t version) { return entries_->kept().at({kTablePath, FileName(version)}); }
  /// As a writer leaves it that ends right after it has added its entry.
  void AddIncomplete(int64_t version, const std::string& text) {
    const CommitEntry entry{kTablePath, FileName(version), ".tmp/" + FileName(version) + ".u", false};
    ASSERT_TRUE(bucket_->Put(InLog(entry.temp_path), AsBytes(text), Precondition::None()).ok());
    ASSERT_TRUE(entries_->Add(entry).ok());
  }
  static std::string AddLine(const std::string& key) {
    return R"({"add":{"path":")" + key +
           R"(","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}})"
           "\n";
  }

  FakeClock clock_;
  Random random_{3};
  std::shared_ptr<storage::ObjectStore> bucket_ = storage::MakeMemoryStore(clock_);
  std::shared_ptr<FakeEntries> entries_ = std::make_shared<FakeEntries>();
};

TEST_F(ExternalCommitsTest, LeaveWhatSparkLeaves) {
  Create();
  ASSERT_EQ(Append(Peer(), "a")->version, 1);
  const auto kept = Entry(1);
  EXPECT_THAT(kept.entry.temp_path, StartsWith(".tmp/" + FileName(1) + "."));
  EXPECT_TRUE(kept.entry.complete);
  EXPECT_EQ(kept.expire_seconds, clock_.WallMicros() / kMicrosPerSecond + kTtlSeconds);
  EXPECT_EQ(*Stored(kept.entry.temp_path), *Stored(FileName(1)));
  EXPECT_EQ(entries_->kept().size(), 2u);
  testing::ExpectValid(Peer());
}

TEST_F(ExternalCommitsTest, ATableAtTheRootOfItsStoreHasThePathOfSpark) {
  const auto path = [&](const std::string& root, const std::string& table) {
    const auto entries = std::make_shared<FakeEntries>();
    const auto bucket = storage::MakeMemoryStore(clock_);
    const auto store = MakeExternalCommits(bucket, entries, {.root = root}, clock_, random_);
    EXPECT_TRUE(store->Put(table + "_delta_log/" + FileName(0), AsBytes("x"), Precondition::IfAbsent()).ok());
    return entries->kept().begin()->first.first;
  };
  EXPECT_EQ(path("s3a://bucket/a b/t", ""), "s3a://bucket/a b/t");
  EXPECT_EQ(path("s3a://bucket", ""), "s3a://bucket/");
  EXPECT_EQ(path("s3://bucket", "t/"), "s3://bucket/t");
}

TEST_F(ExternalCommitsTest, AnIncompleteEntryIsFinishedByWhoeverComes) {
  Create();
  const auto before = *LoadSnapshot(Peer());
  AddIncomplete(1, AddLine("a"));
  EXPECT_EQ((*Refresh(Peer(), before))->version(), 1);
  EXPECT_EQ(*Stored(FileName(1)), AddLine("a"));
  EXPECT_TRUE(Entry(1).entry.complete);
  AddIncomplete(2, AddLine("b"));
  EXPECT_EQ(Keys(Peer()), (std::multiset<std::string>{"a", "b"}));
  EXPECT_TRUE(Entry(2).entry.complete);
  AddIncomplete(3, AddLine("c"));
  EXPECT_TRUE(Peer().store->Head(CommitKey(3)).ok());
  EXPECT_TRUE(Entry(3).entry.complete);
}

TEST_F(ExternalCommitsTest, AWriterFinishesTheVersionBeforeItsOwn) {
  Create();
  AddIncomplete(1, AddLine("a"));
  const auto put = Peer().store->Put(CommitKey(2), AsBytes(AddLine("b")), Precondition::IfAbsent());
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  EXPECT_EQ(*Stored(FileName(1)), AddLine("a"));
  EXPECT_TRUE(Entry(1).entry.complete);
  EXPECT_EQ(Keys(Peer()), (std::multiset<std::string>{"a", "b"}));
}

TEST_F(ExternalCommitsTest, WhoMayNotWriteReadsTheTemporaryFile) {
  Create();
  const TableContext reader = Client(std::make_shared<ReadOnlyStore>(bucket_), entries_);
  const auto before = *LoadSnapshot(reader);
  AddIncomplete(1, AddLine("a"));
  EXPECT_EQ((*Refresh(reader, before))->version(), 1);
  EXPECT_EQ(Keys(reader), (std::multiset<std::string>{"a"}));
  EXPECT_EQ(ReadHistory(reader, **LoadSnapshot(reader), 9)->size(), 2u);
  EXPECT_EQ(reader.store->Head(CommitKey(1))->key, CommitKey(1));
  EXPECT_FALSE(Entry(1).entry.complete);
  EXPECT_EQ(Stored(FileName(1)).status().code(), StatusCode::kNotFound);
  // Once it is in place it is read there, as often as before.
  EXPECT_EQ(Keys(Peer()), (std::multiset<std::string>{"a"}));
  EXPECT_EQ(Keys(reader), (std::multiset<std::string>{"a"}));
}

TEST_F(ExternalCommitsTest, ContradictionsAreNamed) {
  Create();
  const auto put = [&](int64_t version, const std::string& text) {
    return Peer().store->Put(CommitKey(version), AsBytes(text), Precondition::IfAbsent()).status();
  };
  // An entry whose file is gone, as of a table that was dropped and made anew.
  ASSERT_TRUE(bucket_->Delete(InLog(FileName(0))).ok());
  EXPECT_EQ(put(0, "x").code(), StatusCode::kCorruption);
  EXPECT_EQ(put(1, "x").code(), StatusCode::kCorruption);
  ASSERT_TRUE(bucket_->Put(InLog(FileName(0)), AsBytes("x"), Precondition::None()).ok());
  // A commit that somebody made without entries.
  AddIncomplete(1, "x");
  ASSERT_TRUE(bucket_->Put(InLog(FileName(1)), AsBytes("other"), Precondition::None()).ok());
  const Status other = LoadSnapshot(Peer()).status();
  EXPECT_EQ(other.code(), StatusCode::kCorruption);
  EXPECT_THAT(other.message(), HasSubstr("db/t/_delta_log/" + FileName(1)));
  EXPECT_EQ(*Stored(FileName(1)), "other");
  // A temporary file that is gone before its commit is in place.
  ASSERT_TRUE(entries_->Complete(Entry(1).entry, 0).ok());
  AddIncomplete(2, "x");
  ASSERT_TRUE(bucket_->Delete(InLog(Entry(2).entry.temp_path)).ok());
  EXPECT_EQ(LoadSnapshot(Peer()).status().code(), StatusCode::kCorruption);
  // One that is gone afterwards is not needed.
  ASSERT_TRUE(bucket_->Put(InLog(FileName(2)), AsBytes("x"), Precondition::None()).ok());
  EXPECT_TRUE(Peer().store->ListAll({.prefix = "_delta_log/", .start_after = {}}).ok());
  EXPECT_TRUE(Entry(2).entry.complete);
  // A version behind a gap.
  AddIncomplete(4, "x");
  EXPECT_EQ(LoadSnapshot(Peer()).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(Stored(FileName(4)).status().code(), StatusCode::kNotFound);
}

TEST_F(ExternalCommitsTest, AnEntryThatPointsElsewhereIsNotFollowed) {
  Create();
  ASSERT_TRUE(bucket_->Put("secret", AsBytes("x"), Precondition::None()).ok());
  ASSERT_TRUE(entries_->Add({kTablePath, FileName(1), "../../../secret", false}).ok());
  EXPECT_EQ(LoadSnapshot(Peer()).status().code(), StatusCode::kCorruption);
}

TEST_F(ExternalCommitsTest, ATableHasOneWayOfCommitting) {
  Create();
  ASSERT_TRUE(Append(Peer(), "a").ok());
  TableContext without = Peer();
  without.store = storage::MakePrefixStore(MakeCommitsWithoutEntries(bucket_), "db/t");
  const Status refused = Append(without, "b").status();
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_THAT(refused.message(), HasSubstr("dynamodb.table"));
  EXPECT_EQ(Keys(without), (std::multiset<std::string>{"a"}));

  // The reverse: a log that was written without entries.
  without.store = storage::MakePrefixStore(MakeCommitsWithoutEntries(bucket_), "db/u");
  TableContext with = Peer();
  with.store = storage::MakePrefixStore(
      MakeExternalCommits(bucket_, entries_, {.root = "s3a://bucket"}, clock_, random_), "db/u");
  CreateTableOptions options;
  options.schema = MemoryTable::Schema();
  ASSERT_TRUE((*Transaction::Create(without, options))->Commit().ok());
  EXPECT_EQ(Append(with, "a").status().code(), StatusCode::kUnsupported);
  ASSERT_TRUE(Append(without, "a").ok());
  clock_.Advance(kTtlSeconds * kMicrosPerSecond);
  ASSERT_TRUE(Append(with, "b").ok());
  EXPECT_EQ(Append(Client(bucket_, entries_), "c").ok(), true);
}

TEST_F(ExternalCommitsTest, EntriesThatExpiredAreNotMissed) {
  Create();
  ASSERT_TRUE(Append(Peer(), "a").ok());
  // Spark may keep them for less time than we do.
  entries_->Expire(INT64_MAX);
  ASSERT_TRUE(Append(Peer(), "b").ok());
  clock_.Advance(2 * kTtlSeconds * kMicrosPerSecond);
  entries_->Expire(clock_.WallMicros() / kMicrosPerSecond);
  ASSERT_TRUE(Append(Peer(), "c").ok());
  EXPECT_EQ(Keys(Peer()), (std::multiset<std::string>{"a", "b", "c"}));
  testing::ExpectValid(Peer());
}

/// A commit in which one operation fails is done, or it is not; either way the next writer goes on.
TEST_F(ExternalCommitsTest, AFaultAnywhereLeavesATableThatGoesOn) {
  for (const FaultMode mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
    int64_t commits = 0;
    const int64_t faults = storage::testing::SweepFaults(
        {.mode = mode}, [&](const std::shared_ptr<FaultInjector>& injector, const std::function<void()>& arm) {
          bucket_ = storage::MakeMemoryStore(clock_);
          entries_ = std::make_shared<FakeEntries>();
          Create();
          ASSERT_TRUE(Append(Peer(), "first").ok());
          AddIncomplete(2, AddLine("peer"));
          arm();
          const auto done = Append(Faulty(injector), "mine");
          injector->Disarm();
          const size_t mine = Keys(Peer()).count("mine");
          if (done.ok()) {
            EXPECT_EQ(mine, 1u);
            ++commits;
          } else if (!done.status().Is(StatusCode::kIndeterminate)) {
            EXPECT_EQ(mine, 0u) << done.status().ToString();
          }
          EXPECT_LE(mine, 1u);
          ASSERT_TRUE(Append(Peer(), "last").ok());
          EXPECT_EQ(LoadSnapshot(Peer()).value()->version(), static_cast<int64_t>(3 + mine));
          EXPECT_EQ(Keys(Peer()).size(), 3 + mine);
          testing::ExpectValid(Peer());
          for (const auto& [key, kept] : entries_->kept()) EXPECT_TRUE(kept.entry.complete) << key.second;
        });
    EXPECT_GE(faults, 15) << static_cast<int>(mode);
    // The last round has no fault; a lost reply is no failure once the entry is there.
    EXPECT_GE(commits, mode == FaultMode::kReplyLost ? 4 : 1);
  }
}

/// At each of its steps the writer is stopped, long enough for a peer to go on, or for entries to expire.
TEST_F(ExternalCommitsTest, AWriterThatWakesUpFindsItsCommitDoneOrGoesOn) {
  for (const bool expires : {false, true}) {
    int64_t step = 1;
    for (bool stopped = true; stopped; ++step) {
      SCOPED_TRACE(std::to_string(step) + (expires ? " expires" : ""));
      stopped = false;
      bucket_ = storage::MakeMemoryStore(clock_);
      entries_ = std::make_shared<FakeEntries>();
      Create();
      int64_t next = -1;
      const auto announce = [&] {
        if (next < 0 || ++next != step) return;
        stopped = true;
        ASSERT_TRUE(Append(Peer(), "peer").ok());
        if (!expires) return;
        clock_.Advance(2 * kTtlSeconds * kMicrosPerSecond);
        entries_->Expire(clock_.WallMicros() / kMicrosPerSecond);
      };
      const TableContext stale = Client(std::make_shared<AnnouncingStore>(bucket_, announce),
                                        testing::MakeFaultyEntries(entries_, [&](std::string_view) {
                                          announce();
                                          return Fate::kSucceed;
                                        }));
      const auto transaction = *Transaction::Begin(stale, *LoadSnapshot(stale));
      transaction->AddFile(MemoryTable::MakeAdd("mine"));
      next = 0;
      const auto done = transaction->Commit();
      ASSERT_TRUE(done.ok()) << done.status().ToString();
      const std::multiset<std::string> expected =
          stopped ? std::multiset<std::string>{"mine", "peer"} : std::multiset<std::string>{"mine"};
      EXPECT_EQ(Keys(Peer()), expected);
      EXPECT_EQ(LoadSnapshot(Peer()).value()->version(), static_cast<int64_t>(expected.size()));
      testing::ExpectValid(Peer());
    }
    EXPECT_GE(step, 8);
  }
}

}  // namespace
}  // namespace tarn::delta
