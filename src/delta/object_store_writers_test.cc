#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <set>

#include "base/executor.h"
#include "base/mutex.h"
#include "delta/files/data_file_writer.h"
#include "delta/log/external_commits.h"
#include "delta/operations/rewrite.h"
#include "delta/table.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/fake_entries.h"
#include "delta/transaction.h"
#include "storage/proven_store.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"

namespace tarn::delta {
namespace {

constexpr int kWriters = 6;
constexpr int kCommits = 10;

/// A service that runs while the tests do, as a place for a table: tests/test_object_stores.py.
constexpr char kS3Variable[] = "TARN_TEST_S3_URI";

std::shared_ptr<arrow::Schema> RowSchema() {
  return arrow::schema({arrow::field("writer", arrow::int64()), arrow::field("row", arrow::int64())});
}

/// One blind append of one row as writers of a process of their own do it.
Status AppendRow(const TableContext& table, int writer, int row) {
  TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot(table));
  const auto rows = *arrow::json::ArrayFromJSONString(
      arrow::struct_(RowSchema()->fields()),
      R"([{"writer":)" + std::to_string(writer) + R"(,"row":)" + std::to_string(row) + "}]");
  const auto batch = *arrow::RecordBatch::FromStructArray(rows);
  const std::string key = "part-" + table.random->Uuid() + ".parquet";
  TARN_ASSIGN_OR_RETURN(const auto file,
                        DataFileWriter::Open(*table.store, key, batch->schema(), DataFileOptionsOf(*snapshot)));
  TARN_RETURN_NOT_OK(file->Append(*batch));
  TARN_ASSIGN_OR_RETURN(const Add add, file->Finish({}));
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table, snapshot));
  transaction->AddFile(add);
  transaction->SetOperation("WRITE", {});
  return transaction->Commit().status();
}

/// Every writer has a store of its own, as processes have. All appends must come through, each as a version of its own.
void WriteTogether(const std::function<std::shared_ptr<storage::ObjectStore>()>& open) {
  Random random = Random::FromSystem();
  const auto context = [&] {
    return TableContext{.store = open(), .clock = &SystemClock(), .random = &random, .commits = nullptr};
  };
  const TableContext table = context();
  CreateTableOptions options;
  options.schema = RowSchema();
  ASSERT_TRUE((*Transaction::Create(table, options))->Commit().ok());
  {
    std::vector<Thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back("writer", [&, writer] {
        const TableContext own = context();
        for (int row = 0; row < kCommits; ++row) {
          const Status done = AppendRow(own, writer, row);
          EXPECT_TRUE(done.ok()) << done.ToString();
        }
      });
    }
  }
  const auto snapshot = LoadSnapshot(table);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  EXPECT_EQ((*snapshot)->version(), kWriters * kCommits);
  EXPECT_EQ((*snapshot)->num_files(), static_cast<size_t>(kWriters * kCommits));
  testing::ExpectValid(table, {.check_files = true, .check_data = true});
}

TEST(ObjectStoreWriters, EveryAppendIsOneVersion) {
  const storage::testing::FakeS3 server;
  WriteTogether([&] { return server.MakeStore(); });
}

TEST(ObjectStoreWriters, AnAppendWhoseReplyIsLostIsCommittedOnce) {
  storage::testing::FakeS3 server;
  std::atomic<int> commits = 0;
  server.AnswerAfter([&](const storage::testing::FakeRequest& request) -> std::optional<storage::testing::FakeReply> {
    const bool is_commit = request.method == "PUT" && request.path.ends_with(".json");
    if (!is_commit || ++commits % 3 != 0) return std::nullopt;
    return storage::testing::FakeReply{.drop = true};
  });
  WriteTogether([&] { return server.MakeStore(); });
}

TEST(ObjectStoreWriters, AConflictOfRequestsIsNoLostRace) {
  storage::testing::FakeS3 server;
  Mutex mutex;
  std::set<std::string> refused;
  // Every commit once, so that no writer runs out of tries.
  server.AnswerInstead([&](const storage::testing::FakeRequest& request) -> std::optional<storage::testing::FakeReply> {
    const bool is_commit = request.method == "PUT" && request.path.ends_with(".json");
    MutexLock lock(mutex);
    if (!is_commit || !refused.insert(request.path + request.body).second) return std::nullopt;
    return storage::testing::FakeS3::Error(409, "ConditionalRequestConflict");
  });
  WriteTogether([&] { return server.MakeStore(); });
}

/// Neither overwriting nor races of the service matter where entries decide.
TEST(ObjectStoreWriters, EntriesDecideWhereTheStoreCannot) {
  for (const storage::testing::FakeS3::Habits habits : {storage::testing::FakeS3::Habits{.ignores_preconditions = true},
                                                        storage::testing::FakeS3::Habits{.races = true}}) {
    const storage::testing::FakeS3 server(habits);
    const auto entries = std::make_shared<testing::FakeEntries>();
    Random random(5);
    const auto open = [&] { return storage::MakeProvenStore(server.MakeStore(), random); };
    TableContext table{.store = open(), .clock = &SystemClock(), .random = &random, .commits = nullptr};
    CreateTableOptions options;
    options.schema = RowSchema();
    EXPECT_EQ((*Transaction::Create(table, options))->Commit().status().code(), StatusCode::kUnsupported);
    WriteTogether(
        [&] { return MakeExternalCommits(open(), entries, {.root = "s3a://bucket"}, SystemClock(), random); });
  }
}

class ServiceWriters : public ::testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ServiceWriters);

TEST_P(ServiceWriters, EveryAppendIsOneVersion) {
  WriteTogether([] { return storage::OpenStore(GetParam()).value(); });
}

INSTANTIATE_TEST_SUITE_P(Service, ServiceWriters,
                         ::testing::ValuesIn(std::getenv(kS3Variable) == nullptr
                                                 ? std::vector<std::string>()
                                                 : std::vector<std::string>{std::getenv(kS3Variable)}),
                         [](const auto&) { return "S3"; });

/// Holds requests back until so many wait, for at most ten seconds.
class Gathering {
 public:
  explicit Gathering(int wanted) : wanted_(wanted) {}

  void Arrive() EXCLUDES(mutex_) {
    const int64_t deadline = SystemClock().MonotonicMicros() + 10 * kMicrosPerSecond;
    MutexLock lock(mutex_);
    if (++arrived_ >= wanted_) all_are_here_.notify_all();
    while (arrived_ < wanted_ && SystemClock().WaitUntil(all_are_here_, mutex_, deadline)) {
    }
    gathered_ = gathered_ || arrived_ >= wanted_;
    if (!gathered_) --arrived_;
  }
  bool gathered() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return gathered_;
  }

 private:
  const int wanted_;
  Mutex mutex_;
  CondVar all_are_here_;
  int arrived_ GUARDED_BY(mutex_) = 0;
  bool gathered_ GUARDED_BY(mutex_) = false;
};

// Each is an answer to wait for, on whatever number of processors.
TEST(DistantLog, ItsCommitsAreReadTogether) {
  storage::testing::FakeS3 s3;
  Random random(1);
  const TableContext table{.store = s3.MakeStore(), .clock = &SystemClock(), .random = &random, .commits = nullptr};
  ASSERT_TRUE((*Transaction::Create(table, {.schema = RowSchema()}))->Commit().ok());
  for (int row = 0; row < 9; ++row) ASSERT_TRUE(AppendRow(table, 0, row).ok());
  Gathering gathering(8);
  s3.AnswerInstead([&](const storage::testing::FakeRequest& request) -> std::optional<storage::testing::FakeReply> {
    if (request.method == "GET" && request.path.ends_with(".json")) gathering.Arrive();
    return std::nullopt;
  });
  const auto snapshot = LoadSnapshot(table);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  EXPECT_EQ((*snapshot)->num_files(), 9U);
  EXPECT_TRUE(gathering.gathered());
}

TEST(DistantLog, OneMoreCommitIsSeenByTwoRequestsAndNoneByOne) {
  const storage::testing::FakeS3 s3;
  Random random(1);
  const TableContext table{.store = s3.MakeStore(), .clock = &SystemClock(), .random = &random, .commits = nullptr};
  ASSERT_TRUE((*Transaction::Create(table, {.schema = RowSchema()}))->Commit().ok());
  ASSERT_TRUE(AppendRow(table, 0, 0).ok());
  const auto first = *LoadSnapshot(table);
  const auto requests = [&](const std::function<void()>& work) {
    const size_t before = s3.requests().size();
    work();
    return s3.requests().size() - before;
  };
  EXPECT_EQ(requests([&] { EXPECT_EQ(*Refresh(table, first), first); }), 1U);
  ASSERT_TRUE(AppendRow(table, 0, 1).ok());
  EXPECT_EQ(requests([&] { EXPECT_EQ((*Refresh(table, first))->num_files(), 2U); }), 2U);
  // Of a commit of one's own the server told only the tag.
  const auto transaction = *Transaction::Begin(table, *Refresh(table, first));
  transaction->SetTxn({"app", 1, 0});
  const auto own = transaction->Commit()->snapshot;
  EXPECT_EQ(requests([&] { EXPECT_EQ(*Refresh(table, own), own); }), 1U);
  // A commit that is gone is another log, even where it is longer.
  ASSERT_TRUE(AppendRow(table, 0, 2).ok());
  ASSERT_TRUE(table.store->Delete(CommitKey(own->version())).ok());
  EXPECT_EQ(Refresh(table, own).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace tarn::delta
