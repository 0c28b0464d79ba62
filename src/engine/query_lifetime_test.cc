#include <arrow/record_batch.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/executor.h"
#include "engine/admission.h"
#include "engine/database.h"
#include "engine/lake_catalog.h"
#include "engine/running_query.h"
#include "engine/testing/query_fixture.h"

/// How queries wait, run and end.
namespace tarn::engine {
namespace {

class QueryLifetimeTest : public QueryFixture {
 protected:
  /// Waits, without sleeping, until `done`.
  template <typename Done>
  static void Until(Done done) {
    while (!done()) std::this_thread::yield();
  }
  std::string StateOf(const std::string& id) {
    for (const QueryInfo& info : service_->Queries()) {
      if (info.query_id == id) return info.state;
    }
    return "";
  }
};

TEST_F(QueryLifetimeTest, ATimeoutEndsALongQuery) {
  Open(Options());
  QueryRequest request{.sql = kEndless};
  request.limits.timeout_micros = 100'000;
  EXPECT_EQ(Query(request).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(service_->stats().running, 0);
  EXPECT_EQ(service_->stats().failed_total, 1);
}

TEST_F(QueryLifetimeTest, TheTimeOfAnUnreadStreamRunsOutToo) {
  FakeClock clock;
  EngineOptions options = Options();
  options.default_limits.timeout_micros = 60 * kMicrosPerSecond;
  Open(options, clock);
  auto stream = service_->Execute({.sql = "select * from range(100000000)"});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  EXPECT_EQ(service_->stats().running, 1);
  clock.Advance(61 * kMicrosPerSecond);
  Until([&] { return service_->stats().running == 0; });
  EXPECT_EQ((*stream)->Next().status().code(), StatusCode::kDeadlineExceeded);
  stream->reset();
  service_.reset();  // before the clock goes
}

TEST_F(QueryLifetimeTest, CancelReachesAQueryFromAnyThread) {
  Open(Options());
  auto stream = service_->Execute({.sql = kEndless, .query_id = "long"});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  EXPECT_EQ((*stream)->query_id(), "long");
  EXPECT_EQ(service_->Execute({.sql = "select 1", .query_id = "long"}).status().code(), StatusCode::kAlreadyExists);
  Thread other("other", [&] { EXPECT_TRUE(service_->Cancel("long").ok()); });
  auto next = (*stream)->Next();
  other.Join();
  EXPECT_EQ(next.status().code(), StatusCode::kCancelled);
  EXPECT_EQ((*stream)->Next().status().code(), StatusCode::kCancelled);
  // The reader knows before the thread that ends queries has given everything back.
  Until([&] { return service_->stats().running == 0; });
  EXPECT_EQ(service_->stats().cancelled_total, 1);
  EXPECT_EQ(service_->Cancel("long").code(), StatusCode::kNotFound);
}

TEST_F(QueryLifetimeTest, DestroyingAStreamGivesItsSlotBack) {
  EngineOptions options = Options();
  options.max_concurrent = 1;
  Open(options);
  for (int i = 0; i < 5; ++i) {
    auto stream = service_->Execute({.sql = "select * from range(100000000)"});
    ASSERT_TRUE(stream.ok()) << stream.status().ToString();
    EXPECT_TRUE((*stream)->Next().ok());
    EXPECT_EQ(service_->stats().running, 1);
  }
  Until([&] { return service_->stats().running == 0; });
  EXPECT_EQ(Value("select 1"), "1");
}

TEST_F(QueryLifetimeTest, ASmallAnswerNeedsNoSlotWhileItIsRead) {
  EngineOptions options = Options();
  options.max_concurrent = 1;
  Open(options);
  auto first = service_->Execute({.sql = "select 1"});
  ASSERT_TRUE(first.ok());
  Until([&] { return service_->stats().running == 0 || !(*first)->Next().ok(); });
  EXPECT_EQ(service_->stats().running, 0);
}

TEST_F(QueryLifetimeTest, WaitingEndsByTimeByCancelAndByTheQueuesBound) {
  EngineOptions options = Options();
  options.max_concurrent = 1;
  options.max_waiting = 1;
  Open(options);
  auto running = service_->Execute({.sql = kEndless});
  ASSERT_TRUE(running.ok());
  QueryRequest brief{.sql = "select 1", .limits = {.timeout_micros = 20'000}};
  EXPECT_EQ(service_->Execute(brief).status().code(), StatusCode::kDeadlineExceeded);

  Thread waiter("waiter", [&] {
    EXPECT_EQ(service_->Execute({.sql = "select 1", .query_id = "w"}).status().code(), StatusCode::kCancelled);
  });
  Until([&] { return service_->stats().waiting == 1; });
  EXPECT_EQ(StateOf("w"), "waiting");
  EXPECT_EQ(service_->Execute({.sql = "select 2"}).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(service_->Cancel("w").ok());
  waiter.Join();
  EXPECT_EQ(StateOf("w"), "cancelled");
}

TEST_F(QueryLifetimeTest, TheServiceEndsItsQueriesWhenItCloses) {
  Open(Options());
  auto stream = service_->Execute({.sql = kEndless});
  ASSERT_TRUE(stream.ok());
  service_.reset();
  EXPECT_EQ((*stream)->Next().status().code(), StatusCode::kCancelled);
}

TEST_F(QueryLifetimeTest, TheQueryLogIsATable) {
  Open(Options());
  EXPECT_EQ(Value("select 42"), "42");
  (void)Query("select nope");
  EXPECT_EQ(Value("select count(*) from system.queries where sql = 'select 42' and state = 'done' and rows = 1"), "1");
  EXPECT_EQ(Value("select count(*) from system.queries where state = 'failed' and error like 'InvalidArgument%'"), "1");
  EXPECT_EQ(Value("select count(*) from system.queries where state = 'running'"), "1");
}

TEST_F(QueryLifetimeTest, ASpoiltInstanceIsReplaced) {
  Open(Options());
  EXPECT_EQ(Value("select 1"), "1");
  auto old = service_->Execute({.sql = kEndless});
  ASSERT_TRUE(old.ok());
  service_->SpoilInstanceForTesting();
  EXPECT_EQ(Value("select 2"), "2");
  EXPECT_EQ((*old)->Next().status().code(), StatusCode::kInternal);
  EXPECT_EQ(service_->stats().instances_replaced, 1);
  Until([&] { return service_->stats().running == 0; });
}

TEST_F(QueryLifetimeTest, LocalFilesAreTablesWhereThePolicySaysSo) {
  const std::string csv = folder_.path() + "/it's.csv";
  std::ofstream(csv) << "a,b\n1,x\n2,y\n";
  std::ofstream(folder_.path() + "/n.ndjson") << "{\"a\": 1}\n{\"a\": 2}\n";
  Open(Options());
  EXPECT_EQ(service_->RegisterLocalFile("t", csv).code(), StatusCode::kPermissionDenied);

  EngineOptions options = Options();
  options.policy.local_files = true;
  Open(options);
  EXPECT_TRUE(service_->RegisterLocalFile("t", csv).ok());
  EXPECT_TRUE(service_->RegisterLocalFile("odd \"name", folder_.path() + "/n.ndjson").ok());
  EXPECT_EQ(Value("select sum(a) from t"), "3");
  EXPECT_EQ(Value("select sum(a) from main.t"), "3");
  EXPECT_EQ(Value("select sum(a) from \"odd \"\"name\""), "3");
  EXPECT_EQ(Value("select count(*) from '" + folder_.path() + "/n.ndjson'"), "2");
  EXPECT_EQ(service_->RegisterLocalFile("u", folder_.path() + "/none.csv").code(), StatusCode::kNotFound);
  EXPECT_EQ(service_->RegisterLocalFile("u", folder_.path() + "/a.xlsx").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Query("copy (select 1) to '" + folder_.path() + "/out.csv'").status().code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Query("from read_text('/etc/hostname')").status().code(), StatusCode::kPermissionDenied);

  service_->SpoilInstanceForTesting();
  EXPECT_EQ(Value("select sum(a) from t"), "3");
}

TEST_F(QueryLifetimeTest, APatternTakesManyLocalFiles) {
  EngineOptions options = Options();
  options.policy.local_files = true;
  Open(options);
  for (int i = 0; i < 9; ++i) {
    std::ofstream(folder_.path() + "/n" + std::to_string(i) + ".csv") << "a,b\n1,x\n2,y\n";
    std::ofstream(folder_.path() + "/n" + std::to_string(i) + ".ndjson") << "{\"a\": 1}\n{\"a\": 2}\n";
  }
  for (const std::string type : {"csv", "ndjson"}) {
    const Status added = service_->RegisterLocalFile(type, folder_.path() + "/n*." + type);
    EXPECT_TRUE(added.ok()) << added.ToString();
    EXPECT_EQ(Value("select sum(a) from " + type), "27");
  }
}

TEST_F(QueryLifetimeTest, ABadLocalFileIsNamedWithTheLine) {
  EngineOptions options = Options();
  options.policy.local_files = true;
  Open(options);
  const auto error = [&](const std::string& name, const std::string& content) {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << content;
    const Status status = service_->RegisterLocalFile("t", path);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
    EXPECT_EQ(status.message().find("CREATE VIEW"), std::string::npos) << status.message();
    EXPECT_EQ(SqlErrorPosition(status), std::nullopt) << status.message();
    return status.message().substr(0, status.message().find('\n'));
  };
  const std::string folder = folder_.path();
  EXPECT_EQ(error("bad.ndjson", "{\"a\":1}\n{\"a\":2}\n{bad\n"),
            "file \"" + folder + "/bad.ndjson\", line 3, byte 2: malformed JSON: unexpected character.");
  EXPECT_EQ(error("bad.parquet", "PAR1"), "File '" + folder + "/bad.parquet' too small to be a Parquet file");
  EXPECT_EQ(error("a.xlsx", "").find(folder + "/a.xlsx: only .parquet, "), 0U);

  // Found only when the rows are read.
  std::string csv = "a,b\n";
  std::string ndjson;
  for (int i = 0; i < 30'000; ++i) {
    csv += "1,2\n";
    ndjson += "{\"a\":1}\n";
  }
  std::ofstream(folder + "/late.csv") << csv << "x,y\n";
  std::ofstream(folder + "/late.ndjson") << ndjson << "{\"a\":\n";
  ASSERT_TRUE(service_->RegisterLocalFile("csv", folder + "/late.csv").ok());
  ASSERT_TRUE(service_->RegisterLocalFile("ndjson", folder + "/late.ndjson").ok());
  EXPECT_EQ(Query("select sum(a) from csv").status().message().find(folder + "/late.csv:30002: "), 0U);
  EXPECT_EQ(
      Query("select sum(a) from ndjson").status().message().find("file \"" + folder + "/late.ndjson\", line 30001"),
      0U);
}

/// What became of the one cursor of an IdleDatabase.
struct CursorFate {
  bool interrupted = false;
  bool gone = false;
};

class IdleCursor final : public Cursor {
 public:
  explicit IdleCursor(CursorFate& fate) : fate_(fate) {}
  ~IdleCursor() override { fate_.gone = true; }
  Status Start(std::unique_ptr<CheckedStatement>, const QueryRequest&) override { return Status::Ok(); }
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  Result<Step> Advance() override { return Step{}; }
  void Interrupt() override { fate_.interrupted = true; }
  double progress() const override { return 0; }
  std::shared_ptr<const storage::ReadCost> cost() const override { return nullptr; }

 private:
  CursorFate& fate_;
  const std::shared_ptr<arrow::Schema> schema_;
};

class IdleDatabase final : public Database {
 public:
  explicit IdleDatabase(CursorFate& fate) : fate_(fate) {}
  Result<std::unique_ptr<CheckedStatement>> Check(const std::string&) override {
    return std::unique_ptr<CheckedStatement>();
  }
  Result<std::unique_ptr<Cursor>> NewCursor() override {
    return std::unique_ptr<Cursor>(std::make_unique<IdleCursor>(fate_));
  }
  Status AddLocalFile(const std::string&, const std::string&) override { return Status::Ok(); }
  bool invalidated() const override { return false; }
  int64_t memory_bytes() const override { return 0; }
  int64_t temp_bytes() const override { return 0; }
  void InvalidateForTesting() override {}

 private:
  CursorFate& fate_;
};

TEST(RunningQueryTest, StoppingInterruptsAndLeavesTheWaitToAnother) {
  CursorFate fate;
  std::shared_ptr<RunningQuery> to_end;
  auto query = std::make_shared<RunningQuery>(
      QueryRequest{.sql = "select 1"}, QueryLimits{}, "id", SystemClock(), [](RunningQuery&) {},
      [&](std::shared_ptr<RunningQuery> stopped) { to_end = std::move(stopped); });
  ASSERT_TRUE(query->Start(Admission::Slot(), std::make_shared<IdleDatabase>(fate), nullptr).ok());
  query->Stop(Status::Cancelled("enough"));
  EXPECT_TRUE(fate.interrupted);
  EXPECT_FALSE(fate.gone) << "the engine's threads may work on it yet";
  EXPECT_EQ(query->Next().status().code(), StatusCode::kCancelled);
  ASSERT_EQ(to_end, query);
  to_end->EndStopped();
  EXPECT_TRUE(fate.gone);
  EXPECT_EQ(query->end_code(), StatusCode::kCancelled);
}

TEST(AdmissionTest, GivesAFreeSlotToWhoeverHasTheFewest) {
  FakeClock clock;
  Admission admission(2, 10, clock);
  const std::atomic<bool> stopped = false;
  auto first = admission.Enter("greedy", 0, stopped);
  auto second = admission.Enter("greedy", 0, stopped);
  ASSERT_TRUE(first.ok() && second.ok());
  Mutex mutex;
  std::vector<std::string> order;
  std::vector<Thread> threads;
  std::vector<Admission::Slot> kept(3);
  const std::string names[] = {"greedy", "modest", "greedy"};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back("asker", [&, i] {
      auto slot = admission.Enter(names[i], 0, stopped);
      EXPECT_TRUE(slot.ok());
      MutexLock lock(mutex);
      order.push_back(names[i] + std::to_string(i));
      kept[i] = std::move(*slot);
    });
    while (admission.waiting() != i + 1) std::this_thread::yield();
  }
  const auto admitted = [&](size_t count) {
    for (;;) {
      MutexLock lock(mutex);
      if (order.size() == count) return;
    }
  };
  *first = Admission::Slot();
  admitted(1);
  *second = Admission::Slot();
  admitted(2);
  kept[0] = Admission::Slot();
  admitted(3);
  for (auto& thread : threads) thread.Join();
  EXPECT_EQ(order, (std::vector<std::string>{"modest1", "greedy0", "greedy2"}));
}

}  // namespace
}  // namespace tarn::engine
