#include "maintenance/compactor.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <atomic>

namespace tarn::maintenance {
namespace {

/// Tables whose compaction is scripted; counts the calls.
class ScriptedLake final : public lake::Lake {
 public:
  Result<std::vector<std::string>> ListDatabases() override { return std::vector<std::string>{}; }
  Result<std::vector<std::string>> ListTables(const std::string&) override { return std::vector<std::string>{}; }
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName&,
                                                     const std::optional<lake::AsOf>&) override {
    return Status::NotFound("no tables");
  }
  Result<wal::Position> Append(std::vector<lake::TableBatch>) override { return Status::Unavailable("read only"); }
  Status CheckAppend(const lake::TableBatch&) override { return Status::Unavailable("read only"); }
  Result<std::vector<lake::RowRefusal>> Violations(const lake::TableBatch&) override {
    return std::vector<lake::RowRefusal>();
  }
  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const lake::TableName&) override { return Status::NotFound("none"); }
  Status FlushAll() override { return Status::Ok(); }
  Status FlushDue() override { return Status::Ok(); }
  Result<delta::OptimizeResult> Optimize(const lake::TableName& name, const delta::OptimizeOptions&) override {
    ++calls;
    if (name.table == fails) return Status::Unavailable("disk");
    delta::OptimizeResult result;
    if (has_work) {
      result.version = ++version;
      result.files_removed = 3;
      result.files_added = 1;
    }
    return result;
  }
  Result<std::vector<lake::TableStatus>> ListTableStatus() override {
    return std::vector<lake::TableStatus>{{.name = {"d", "a"}, .version = version},
                                          {.name = {"d", "b"}, .version = version}};
  }
  lake::LakeStats stats() const override { return {}; }
  void Close() override {}

  std::atomic<int> calls = 0;
  int64_t version = 1;
  bool has_work = false;
  std::string fails;
};

TEST(Compactor, PassesOverTablesThatHaveNotChanged) {
  ScriptedLake lake;
  FakeClock clock;
  Compactor compactor(lake, clock, {});
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  lake.version = 2;
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 4);
}

TEST(Compactor, CountsWhatItDid) {
  ScriptedLake lake;
  lake.has_work = true;
  FakeClock clock;
  Compactor compactor(lake, clock, {});
  compactor.RunOnce();
  EXPECT_EQ(compactor.stats().tables_compacted, 2);
  EXPECT_EQ(compactor.stats().files_removed, 6);
  EXPECT_EQ(compactor.stats().rounds, 1);
}

TEST(Compactor, AFailingTableBacksOffAndNeverHoldsUpTheOthers) {
  ScriptedLake lake;
  lake.fails = "a";
  FakeClock clock;
  Compactor compactor(lake, clock, {.interval_micros = kMicrosPerSecond});
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2);
  EXPECT_EQ(compactor.stats().failures, 1);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 2) << "too early for another try";
  clock.Advance(2 * kMicrosPerSecond);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 3);
  clock.Advance(2 * kMicrosPerSecond);
  compactor.RunOnce();
  EXPECT_EQ(lake.calls, 3) << "the second wait is longer";
}

TEST(Compactor, RunsOncePerIntervalAndStops) {
  ScriptedLake lake;
  lake.has_work = true;
  FakeClock clock;
  Compactor compactor(lake, clock, {.interval_micros = 60 * kMicrosPerSecond});
  compactor.Start();
  clock.Advance(61 * kMicrosPerSecond);
  while (compactor.stats().rounds < 1) std::this_thread::yield();
  compactor.Stop();
  EXPECT_EQ(compactor.stats().rounds, 1);
}

}  // namespace
}  // namespace tarn::maintenance
