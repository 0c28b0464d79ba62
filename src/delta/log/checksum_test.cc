#include "delta/log/checksum.h"

#include <arrow/api.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <functional>
#include <utility>
#include <vector>

#include "delta/log/commit_json.h"
#include "delta/log/log_names.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using testing::FirstLines;
using testing::MemoryTable;
using SnapshotPtr = std::shared_ptr<const Snapshot>;

template <typename Action>
std::string ObjectOf(const Action& action) {
  std::string text;
  AppendObject(text, action);
  return text;
}

/// What the checksum of a version has to be by replay, file by file.
void ExpectTrue(const MemoryTable& table, int64_t version) {
  SCOPED_TRACE("version " + std::to_string(version));
  const auto replayed = LoadSnapshotAt(table.context(), version);
  ASSERT_TRUE(replayed.ok()) << replayed.status().ToString();
  const Snapshot& snapshot = **replayed;
  int64_t bytes = 0;
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) bytes += snapshot.File(i)->size_bytes;
  const auto text = table.context().store->Get(ChecksumKey(version));
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  simdjson::dom::parser parser;
  simdjson::dom::element checksum;
  ASSERT_EQ(parser.parse(*text).get(checksum), simdjson::SUCCESS) << *text;
  EXPECT_EQ(int64_t{checksum["tableSizeBytes"]}, bytes);
  EXPECT_EQ(int64_t{checksum["numFiles"]}, static_cast<int64_t>(snapshot.num_files()));
  EXPECT_EQ(int64_t{checksum["numMetadata"]}, 1);
  EXPECT_EQ(int64_t{checksum["numProtocol"]}, 1);
  EXPECT_EQ(simdjson::minify(checksum["metadata"]), ObjectOf(snapshot.metadata()));
  EXPECT_EQ(simdjson::minify(checksum["protocol"]), ObjectOf(snapshot.protocol()));
  size_t txns = 0;
  for (const simdjson::dom::element txn : checksum["setTransactions"]) {
    EXPECT_EQ(snapshot.TxnVersion(std::string(std::string_view(txn["appId"]))), int64_t{txn["version"]});
    ++txns;
  }
  EXPECT_EQ(txns, static_cast<size_t>(snapshot.TxnVersion("a").has_value() + snapshot.TxnVersion("b").has_value()));
}

/// A table's life by chance: appends, removals, rewrites, evolution, half of them begun on an old version, so that they
/// are rebased over what happened since.
class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed) : random_(seed) { snapshots_.push_back(table_.Create()); }

  void Step() {
    const SnapshotPtr newest = snapshots_.back();
    const size_t back = random_.Below(2) == 0 ? 0 : random_.Below(std::min<size_t>(snapshots_.size(), 4));
    const SnapshotPtr base = snapshots_[snapshots_.size() - 1 - back];
    const auto transaction = *Transaction::Begin(table_.context(), base);
    const uint64_t kind = random_.Below(8);
    if (kind < 2 && newest->num_files() > 0) {
      RemoveOne(*transaction, *newest, /*data_change=*/kind == 0);
    } else if (kind == 2) {
      Widen(*transaction, *base);
    }
    for (uint64_t i = random_.Below(4); i-- > 0;) {
      Add add = MemoryTable::MakeAdd("f " + std::to_string(next_file_++));
      add.size_bytes = static_cast<int64_t>(random_.Below(1000));
      add.data_change = kind != 1;
      transaction->AddFile(std::move(add));
    }
    if (random_.Below(3) == 0) transaction->SetTxn({random_.Below(2) == 0 ? "a" : "b", ++txn_, std::nullopt});
    const auto committed = transaction->Commit();
    // What cannot be rebased leaves no trace.
    if (!committed.ok()) return;
    rebases_ += committed->rebases;
    ASSERT_TRUE(WriteChecksum(table_.context(), *committed->snapshot).ok());
    snapshots_.push_back(committed->snapshot);
    if (random_.Below(9) == 0) {
      ASSERT_TRUE(WriteCheckpoint(table_.context(), *committed->snapshot).ok());
    }
    // The state after a commit, a refreshed one and one replayed from the log are the same.
    if (random_.Below(4) == 0) snapshots_.back() = *Refresh(table_.context(), newest);
    if (random_.Below(8) == 0) snapshots_.back() = *LoadSnapshot(table_.context());
  }

  const MemoryTable& table() const { return table_; }
  int64_t version() const { return snapshots_.back()->version(); }
  int rebases() const { return rebases_; }

 private:
  void RemoveOne(Transaction& transaction, const Snapshot& newest, bool data_change) {
    const auto index = static_cast<FileIndex>(random_.Below(newest.num_files()));
    Remove remove;
    remove.path = newest.AddAction(index)->path;
    remove.data_change = data_change;
    transaction.RemoveFile(std::move(remove));
  }

  void Widen(Transaction& transaction, const Snapshot& base) {
    arrow::FieldVector fields = base.schema()->fields();
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), arrow::float64()));
    ASSERT_TRUE(transaction.SetSchema(arrow::schema(fields)).ok());
  }

  MemoryTable table_;
  Random random_;
  std::vector<SnapshotPtr> snapshots_;
  int64_t next_file_ = 0;
  int64_t txn_ = 0;
  int rebases_ = 0;
};

TEST(Checksum, AlwaysEqualsReplay) {
  int rebases = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomHistory history(seed);
    for (int step = 0; step < 40; ++step) history.Step();
    for (int64_t version = 1; version <= history.version(); ++version) ExpectTrue(history.table(), version);
    EXPECT_GT(history.version(), 10);
    rebases += history.rebases();
  }
  EXPECT_GT(rebases, 20);
}

TEST(Checksum, HasTheFieldsOfTheProtocol) {
  MemoryTable table;
  const Protocol protocol{1, 7, std::nullopt, std::vector<std::string>{"domainMetadata", "inCommitTimestamp"}};
  Metadata metadata;
  metadata.id = "i";
  metadata.schema_string = R"({"type":"struct","fields":[]})";
  metadata.configuration = {{"delta.enableInCommitTimestamps", "true"}};
  std::string text = R"({"commitInfo":{"inCommitTimestamp":77}})"
                     "\n";
  AppendLine(text, protocol);
  AppendLine(text, metadata);
  AppendLine(text, Txn{"app", 3, 9});
  AppendLine(text, DomainMetadata{"kept", "{}", false});
  AppendLine(text, DomainMetadata{"dropped", "", true});
  table.PutCommit(0, text);
  ASSERT_TRUE(WriteChecksum(table.context(), **LoadSnapshot(table.context())).ok());
  EXPECT_EQ(*table.store().Get(ChecksumKey(0)),
            R"({"tableSizeBytes":0,"numFiles":0,"numMetadata":1,"numProtocol":1,"inCommitTimestampOpt":77,)"
            R"("setTransactions":[{"appId":"app","version":3,"lastUpdated":9}],)"
            R"("domainMetadata":[{"domain":"kept","configuration":"{}","removed":false}],)"
            R"("metadata":)" +
                ObjectOf(metadata) + R"(,"protocol":)" + ObjectOf(protocol) + "}");
}

TEST(Checksum, ManyApplicationsAreNotListed) {
  MemoryTable table;
  std::string text = FirstLines();
  for (int app = 0; app <= 100; ++app) AppendLine(text, Txn{"app" + std::to_string(app), 1, std::nullopt});
  table.PutCommit(0, text);
  ASSERT_TRUE(WriteChecksum(table.context(), **LoadSnapshot(table.context())).ok());
  EXPECT_EQ(table.store().Get(ChecksumKey(0))->find("setTransactions"), std::string::npos);
}

TEST(Checksum, AnothersIsLeftAsItIs) {
  MemoryTable table;
  const auto snapshot = table.Create();
  table.Put(ChecksumKey(0), "another's");
  EXPECT_TRUE(WriteChecksum(table.context(), *snapshot).ok());
  EXPECT_EQ(*table.store().Get(ChecksumKey(0)), "another's");
}

/// What opening a table says on the program's log.
std::string WarningsOf(const std::function<void()>& open) {
  ::testing::internal::CaptureStderr();
  open();
  return ::testing::internal::GetCapturedStderr();
}

TEST(ChecksumTest, OneThatIsNotTheLogsIsToldAndPassedOver) {
  MemoryTable table;
  table.ExpectBroken();
  const auto snapshot = table.Append(table.Create(), {"a.parquet"});
  const auto open = [&] {
    return WarningsOf([&] {
      const auto loaded = LoadSnapshot(table.context());
      ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
      EXPECT_EQ((*loaded)->num_files(), 1u);
      EXPECT_EQ((*loaded)->protocol().min_writer_version, 2);
    });
  };
  const std::string key = ChecksumKey(snapshot->version());
  ASSERT_TRUE(table.store().Delete(key).ok());
  EXPECT_EQ(open(), "");
  ASSERT_TRUE(WriteChecksum(table.context(), *snapshot).ok());
  EXPECT_EQ(open(), "");
  const std::string good = *table.store().Get(key);
  const auto with = [&](const std::string& old, const std::string& text) {
    const size_t at = good.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    return std::string(good).replace(at, old.size(), text);
  };
  // Each is what a reader that takes it for the truth would go wrong by.
  const std::pair<std::string, std::string> cases[] = {
      {with(R"("numFiles":1)", R"("numFiles":2)"), "numFiles is 2, but 1 by the log"},
      {with(R"("tableSizeBytes":)", R"("tableSizeBytes":1)"), "by the log"},
      {with(R"("minWriterVersion":2)", R"("minWriterVersion":3)"), "its protocol is not the log's"},
      {with(R"(\"name\":\"id\")", R"(\"name\":\"no\")"), "its metaData is not the log's"},
      {with(R"("protocol":{)", R"("protocol":{"x":)"), "it is no JSON object"},
      {"[]", "it is no JSON object"},
      {"", "it is no JSON object"},
      {"{}", "numFiles is no number"},
      {with(R"("numFiles":1)", R"("numFiles":"1")"), "numFiles is no number"},
      {with(R"("numProtocol":1)", R"("numProtocol":2)"), "numProtocol is 2"},
      {with(R"("protocol":{)", R"("protocol":5,"p":{)"), "protocol is no object"},
  };
  for (const auto& [text, why] : cases) {
    table.Put(key, text);
    const std::string said = open();
    EXPECT_NE(said.find(why), std::string::npos) << said << " of " << text;
    EXPECT_EQ(said.find(key) != std::string::npos, !why.empty()) << said;
  }
  // Spelled otherwise it says the same.
  table.Put(key, with(R"({"tableSizeBytes")", R"({ "new": [1], "tableSizeBytes")"));
  EXPECT_EQ(open(), "");
  // Writers of old did not repeat actions.
  table.Put(key, R"({"tableSizeBytes":)" + std::to_string(snapshot->total_bytes()) +
                     R"(,"numFiles":1,"numMetadata":1,"numProtocol":1,"numTransactions":0})");
  EXPECT_EQ(open(), "");
}

TEST(ChecksumTest, WhatElseOfTheLogCannotBeReadIsTold) {
  MemoryTable table;
  table.ExpectBroken();
  const auto snapshot = table.Append(table.Create(), {"a.parquet"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  const auto open = [&] {
    return WarningsOf([&] {
      const auto loaded = LoadSnapshot(table.context());
      ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
      EXPECT_EQ((*loaded)->num_files(), 1u);
    });
  };
  EXPECT_EQ(open(), "");
  table.Put(std::string(kLastCheckpointKey), "{");
  EXPECT_NE(open().find(kLastCheckpointKey), std::string::npos);
  table.Put(CheckpointKey(snapshot->version()), "no Parquet");
  const std::string said = open();
  EXPECT_NE(said.find(CheckpointKey(snapshot->version())), std::string::npos) << said;
  EXPECT_NE(said.find("Corruption"), std::string::npos) << said;
}

}  // namespace
}  // namespace tarn::delta
