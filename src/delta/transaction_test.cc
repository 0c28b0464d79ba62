#include "delta/transaction.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/executor.h"
#include "delta/log/commit_json.h"
#include "delta/testing/table_fixture.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

using testing::FirstLines;
using testing::MemoryTable;

Result<Committed> CommitAdd(const TableContext& table, const std::shared_ptr<const Snapshot>& base,
                            const std::string& key, std::optional<Txn> txn = std::nullopt) {
  TARN_ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(table, base));
  transaction->AddFile(MemoryTable::MakeAdd(key));
  if (txn.has_value()) transaction->SetTxn(*txn);
  return transaction->Commit();
}

Remove RemoveOf(const std::string& key, bool data_change) {
  Remove remove;
  remove.path = key;
  remove.data_change = data_change;
  remove.deletion_timestamp_millis = 5;
  remove.size_bytes = 100;
  return remove;
}

Result<Committed> Rewrite(const TableContext& table, const std::shared_ptr<const Snapshot>& base,
                          const std::string& input, const std::string& output) {
  TARN_ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(table, base));
  Add add = MemoryTable::MakeAdd(output);
  add.data_change = false;
  transaction->AddFile(std::move(add));
  transaction->RemoveFile(RemoveOf(input, /*data_change=*/false));
  return transaction->Commit();
}

std::set<std::string> KeysOf(const Snapshot& snapshot) {
  std::set<std::string> keys;
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) keys.insert(snapshot.File(i)->key);
  return keys;
}

TEST(TransactionTest, CreatesAppendsAndLoads) {
  MemoryTable table;
  auto snapshot = table.Create();
  EXPECT_EQ(snapshot->version(), 0);
  EXPECT_EQ(snapshot->num_files(), 0u);
  snapshot = table.Append(snapshot, {"a.parquet", "b c.parquet"});
  EXPECT_EQ(snapshot->version(), 1);
  ASSERT_EQ(snapshot->num_files(), 2u);
  const auto loaded = LoadSnapshot(table.context());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ((*loaded)->version(), 1);
  ASSERT_EQ((*loaded)->num_files(), 2u);
  EXPECT_EQ((*loaded)->File(0)->key, "a.parquet");
  EXPECT_EQ((*loaded)->File(1)->key, "b c.parquet");
  EXPECT_EQ((*loaded)->File(1)->num_records, 10);
  EXPECT_EQ((*loaded)->protocol(), Protocol());
  EXPECT_TRUE((*loaded)->schema()->Equals(*snapshot->schema()));
  EXPECT_NE(table.Commit(1).find("b%20c.parquet"), std::string::npos);
  EXPECT_TRUE(table.Commit(1).starts_with(R"({"commitInfo":)"));
  EXPECT_NE(table.Commit(1).find(R"("isBlindAppend":true)"), std::string::npos);
}

TEST(TransactionTest, CreatingOverAnExistingTableIsRefused) {
  MemoryTable table;
  CreateTableOptions options;
  options.schema = MemoryTable::Schema();
  auto first = Transaction::Create(table.context(), options);
  auto second = Transaction::Create(table.context(), options);
  ASSERT_TRUE((*first)->Commit().ok());
  EXPECT_EQ((*second)->Commit().status().code(), StatusCode::kAlreadyExists);
}

TEST(TransactionTest, CreationChecksItsSchema) {
  MemoryTable table;
  const auto create = [&](arrow::FieldVector fields, std::vector<std::string> partitions = {}) {
    CreateTableOptions options;
    options.schema = arrow::schema(std::move(fields));
    options.partition_columns = std::move(partitions);
    return Transaction::Create(table.context(), options).status();
  };
  EXPECT_EQ(create({}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(create({arrow::field("a", arrow::int64()), arrow::field("A", arrow::int64())}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create({arrow::field("a", arrow::int64())}, {"b"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(create({arrow::field("a", arrow::int64())}, {"a"}).code(), StatusCode::kInvalidArgument);
  const Status ntz = create({arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO))});
  EXPECT_EQ(ntz.code(), StatusCode::kUnsupported);
  EXPECT_NE(ntz.message().find("timestampNtz"), std::string::npos);
  CreateTableOptions options;
  options.schema = arrow::schema({arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO))});
  options.configuration = {{"delta.feature.timestampNtz", "supported"}};
  const auto with_feature = Transaction::Create(table.context(), options);
  ASSERT_TRUE(with_feature.ok()) << with_feature.status().ToString();
  EXPECT_EQ((*with_feature)->Commit()->snapshot->protocol().reader_features, std::vector<std::string>{"timestampNtz"});
  const Status mapping = create({arrow::field("a b", arrow::int64())});
  EXPECT_EQ(mapping.code(), StatusCode::kUnsupported);
  EXPECT_NE(mapping.message().find("columnMapping"), std::string::npos);
}

TEST(TransactionTest, BlindAppendsRebaseOverAppendsAndRewrites) {
  MemoryTable table;
  const auto base = table.Append(table.Create(), {"x.parquet"});
  ASSERT_TRUE(CommitAdd(table.context(), base, "a.parquet").ok());
  ASSERT_TRUE(Rewrite(table.context(), base, "x.parquet", "y.parquet").ok());
  const auto last = CommitAdd(table.context(), base, "b.parquet");
  ASSERT_TRUE(last.ok()) << last.status().ToString();
  EXPECT_EQ(last->version, 4);
  EXPECT_EQ(last->rebases, 1);
  EXPECT_EQ(KeysOf(*last->snapshot), (std::set<std::string>{"a.parquet", "b.parquet", "y.parquet"}));
}

TEST(TransactionTest, ARewriteConflictsOnlyOverItsInputs) {
  MemoryTable table;
  const auto base = table.Append(table.Create(), {"a.parquet", "b.parquet"});
  ASSERT_TRUE(Rewrite(table.context(), base, "a.parquet", "a2.parquet").ok());
  ASSERT_TRUE(Rewrite(table.context(), base, "b.parquet", "b2.parquet").ok());
  const auto lost = Rewrite(table.context(), base, "a.parquet", "a3.parquet");
  EXPECT_EQ(lost.status().code(), StatusCode::kConflict);
  EXPECT_NE(lost.status().message().find("version 2"), std::string::npos) << lost.status().ToString();
}

TEST(TransactionTest, AnAppendConflictsWithAChangedSchema) {
  MemoryTable table;
  const auto base = table.Create();
  auto evolve = Transaction::Begin(table.context(), base);
  auto fields = MemoryTable::Schema()->fields();
  fields.push_back(arrow::field("extra", arrow::float64()));
  ASSERT_TRUE((*evolve)->SetSchema(arrow::schema(fields)).ok());
  const auto evolved = (*evolve)->Commit();
  ASSERT_TRUE(evolved.ok()) << evolved.status().ToString();
  EXPECT_EQ(evolved->snapshot->schema()->num_fields(), 3);
  EXPECT_EQ(CommitAdd(table.context(), base, "a.parquet").status().code(), StatusCode::kConflict);
  EXPECT_TRUE(CommitAdd(table.context(), evolved->snapshot, "a.parquet").ok());
}

TEST(TransactionTest, OnlyNullableColumnsCanBeAdded) {
  MemoryTable table;
  auto transaction = Transaction::Begin(table.context(), table.Create());
  const auto set = [&](arrow::FieldVector fields) {
    return (*transaction)->SetSchema(arrow::schema(std::move(fields))).code();
  };
  const auto old = MemoryTable::Schema()->fields();
  EXPECT_EQ(set({old[0]}), StatusCode::kInvalidArgument);
  EXPECT_EQ(set({old[1], old[0]}), StatusCode::kInvalidArgument);
  EXPECT_EQ(set({old[0], arrow::field("name", arrow::int64())}), StatusCode::kInvalidArgument);
  EXPECT_EQ(set({old[0], old[1], arrow::field("n", arrow::int64(), false)}), StatusCode::kInvalidArgument);
  EXPECT_EQ(set({old[0], old[1], arrow::field("NAME", arrow::int64())}), StatusCode::kInvalidArgument);
  EXPECT_EQ(set({old[0], old[1], arrow::field("n", arrow::int64())}), StatusCode::kOk);
}

TEST(TransactionTest, ATxnThatTheTableHasIsNotCommittedAgain) {
  MemoryTable table;
  const auto base = table.Create();
  const auto first = CommitAdd(table.context(), base, "a.parquet", Txn{"app", 7, {}});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->snapshot->TxnVersion("app"), 7);
  EXPECT_EQ(first->snapshot->TxnVersion("other"), std::nullopt);
  // Known to the snapshot, and known only to the winner.
  EXPECT_EQ(CommitAdd(table.context(), first->snapshot, "b.parquet", Txn{"app", 7, {}}).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(CommitAdd(table.context(), base, "b.parquet", Txn{"app", 6, {}}).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(CommitAdd(table.context(), base, "b.parquet", Txn{"app", 8, {}}).status().code(), StatusCode::kConflict);
  EXPECT_TRUE(CommitAdd(table.context(), first->snapshot, "b.parquet", Txn{"app", 8, {}}).ok());
}

TEST(TransactionTest, BadActionsAreRefusedBeforeAnythingIsWritten) {
  MemoryTable table;
  const auto base = table.Create(/*partitioned=*/true);
  const auto commit = [&](std::vector<Add> adds) {
    auto transaction = Transaction::Begin(table.context(), base);
    for (Add& add : adds) (*transaction)->AddFile(std::move(add));
    return (*transaction)->Commit().status().code();
  };
  Add good = MemoryTable::MakeAdd("a.parquet");
  good.partition_values = {{"day", "2026-01-01"}};
  EXPECT_EQ(commit({MemoryTable::MakeAdd("a.parquet")}), StatusCode::kInvalidArgument);
  EXPECT_EQ(commit({good, good}), StatusCode::kInvalidArgument);
  Add outside = good;
  outside.path = "../b.parquet";
  EXPECT_EQ(commit({outside}), StatusCode::kPermissionDenied);
  Add bad_text = good;
  bad_text.tags["x"] = "\xff";
  EXPECT_EQ(commit({bad_text}), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadSnapshot(table.context()).value()->version(), 0);
  EXPECT_EQ(commit({good}), StatusCode::kOk);
}

TEST(TransactionTest, AppendOnlyTablesRefuseDeletes) {
  MemoryTable table;
  const auto base = table.Append(table.Create(false, {{"delta.appendOnly", "true"}}), {"a.parquet"});
  auto transaction = Transaction::Begin(table.context(), base);
  (*transaction)->RemoveFile(RemoveOf("a.parquet", /*data_change=*/true));
  EXPECT_EQ((*transaction)->Commit().status().code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(Rewrite(table.context(), base, "a.parquet", "b.parquet").ok());
}

TEST(TransactionTest, WriterFeaturesInUseAreRefusedByName) {
  const auto begin = [](const std::string& property, const std::string& features = "") {
    MemoryTable table;
    const std::string first = FirstLines();
    std::string text = first;
    const size_t at = text.find("\"configuration\":{}");
    text.replace(at, 18, "\"configuration\":{" + property + "}");
    const std::string version = features.empty() ? "4" : R"(7,"writerFeatures":[)" + features + "]";
    text.replace(text.find("\"minWriterVersion\":2"), 20, "\"minWriterVersion\":" + version);
    table.PutCommit(0, text);
    const auto snapshot = LoadSnapshot(table.context());
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().ToString();
    return Transaction::Begin(table.context(), *snapshot).status();
  };
  EXPECT_TRUE(begin("").ok());
  EXPECT_TRUE(begin(R"("delta.constraints.c":"id > 0")").ok());
  EXPECT_NE(begin(R"("delta.enableIcebergCompatV2":"true")", R"("icebergCompatV2")").message().find("icebergCompatV2"),
            std::string::npos);
  EXPECT_TRUE(begin(R"("delta.enableChangeDataFeed":"true")").ok());
}

TEST(TransactionTest, InCommitTimestampsRise) {
  MemoryTable table;
  std::string text = FirstLines();
  text.replace(text.find("\"configuration\":{}"), 18, R"("configuration":{"delta.enableInCommitTimestamps":"true"})");
  text.replace(text.find(R"("minReaderVersion":1,"minWriterVersion":2)"), 41,
               R"("minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["inCommitTimestamp"])");
  table.PutCommit(0, R"({"commitInfo":{"inCommitTimestamp":9000000000000}})"
                     "\n" +
                         text);
  const auto base = LoadSnapshot(table.context());
  ASSERT_TRUE(base.ok()) << base.status().ToString();
  EXPECT_EQ((*base)->timestamp_millis(), 9000000000000);
  const auto next = CommitAdd(table.context(), *base, "a.parquet");
  ASSERT_TRUE(next.ok()) << next.status().ToString();
  EXPECT_EQ(next->snapshot->timestamp_millis(), 9000000000001);
}

// Eight writers and one that rewrites what they wrote, on one local table.
TEST(TransactionTest, ConcurrentWritersLoseNothing) {
  constexpr int kWriters = 8;
  constexpr int kCommits = 50;
  storage::testing::TempFolder folder;
  Random random(3);
  TableContext table{*storage::OpenLocalStore(folder.path()), &SystemClock(), &random, nullptr};
  CreateTableOptions options;
  options.schema = MemoryTable::Schema();
  const auto base = (*Transaction::Create(table, options))->Commit()->snapshot;
  std::atomic<int> failures = 0;
  std::atomic<int> rewrites = 0;
  std::atomic<int> running = kWriters;
  {
    std::vector<Thread> threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back("writer", [&, writer] {
        auto snapshot = base;
        for (int i = 0; i < kCommits; ++i) {
          const auto done = CommitAdd(table, snapshot, "w" + std::to_string(writer) + "-" + std::to_string(i));
          if (!done.ok()) {
            ADD_FAILURE() << done.status().ToString();
            ++failures;
            continue;
          }
          snapshot = done->snapshot;
        }
        --running;
      });
    }
    threads.emplace_back("rewriter", [&] {
      auto snapshot = base;
      while (running > 0) {
        snapshot = *Refresh(table, snapshot);
        if (snapshot->num_files() == 0) continue;
        const std::string input = snapshot->File(0)->key;
        // The row's name is kept, so that the end can be counted.
        const auto done = Rewrite(table, snapshot, input, input + "r");
        if (done.ok()) ++rewrites;
      }
    });
  }
  EXPECT_EQ(failures, 0);
  const auto final_snapshot = *LoadSnapshot(table);
  EXPECT_EQ(final_snapshot->version(), kWriters * kCommits + rewrites);
  std::set<std::string> names;
  for (std::string key : KeysOf(*final_snapshot)) {
    while (key.ends_with('r')) key.pop_back();
    EXPECT_TRUE(names.insert(key).second) << key;
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kWriters * kCommits));
}

// Fails every storage operation of an append behind another writer's, in each way. Whatever the commit reported must be
// true: success means once, failure other than Indeterminate means not at all.
void SweepAppend(storage::testing::FaultMode mode) {
  using storage::testing::FaultInjector;
  storage::testing::FaultPlan plan;
  plan.mode = mode;
  const int64_t fired = storage::testing::SweepFaults(
      plan, [&](std::shared_ptr<FaultInjector> injector, const std::function<void()>& arm) {
        FakeClock clock;
        const auto memory = storage::MakeMemoryStore(clock);
        MemoryTable table(storage::testing::MakeFaultyStore(memory, injector));
        const auto base = table.Create();
        ASSERT_TRUE(CommitAdd(table.context(), base, "other.parquet").ok());
        arm();
        const auto done = CommitAdd(table.context(), base, "mine.parquet");
        MemoryTable plain(memory);
        const auto after = LoadSnapshot(plain.context());
        ASSERT_TRUE(after.ok()) << after.status().ToString();
        const auto keys = KeysOf(**after);
        EXPECT_EQ((*after)->num_files(), keys.size());
        EXPECT_TRUE(keys.contains("other.parquet"));
        if (done.ok()) {
          EXPECT_TRUE(keys.contains("mine.parquet"));
          EXPECT_EQ((*after)->version(), 2);
        } else if (!done.status().Is(StatusCode::kIndeterminate)) {
          EXPECT_FALSE(keys.contains("mine.parquet")) << done.status().ToString();
        }
        if (mode == storage::testing::FaultMode::kReplyLost) {
          EXPECT_TRUE(done.ok() || done.status().Is(StatusCode::kUnavailable)) << done.status().ToString();
        }
      });
  EXPECT_GE(fired, 3);
}

TEST(TransactionTest, EveryFaultOnceLeavesTheTruth) { SweepAppend(storage::testing::FaultMode::kOnce); }
TEST(TransactionTest, EveryFaultForGoodLeavesTheTruth) { SweepAppend(storage::testing::FaultMode::kForever); }
TEST(TransactionTest, EveryLostReplyLeavesTheTruth) { SweepAppend(storage::testing::FaultMode::kReplyLost); }

TEST(TransactionTest, ACommitWhoseReplyIsLostIsRecognised) {
  FakeClock clock;
  auto injector = std::make_shared<storage::testing::FaultInjector>();
  MemoryTable table(storage::testing::MakeFaultyStore(storage::MakeMemoryStore(clock), injector));
  const auto base = table.Create();
  injector->Arm({1, storage::testing::FaultMode::kReplyLost, "put", StatusCode::kUnavailable});
  const auto done = CommitAdd(table.context(), base, "a.parquet");
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_TRUE(injector->fired());
  EXPECT_EQ(done->version, 1);
  EXPECT_EQ(LoadSnapshot(table.context()).value()->num_files(), 1u);
}

}  // namespace
}  // namespace tarn::delta
