// Every operation, with a fault at each of its storage operations: not done and failing once, failing from there on, or
// done with the answer lost; on the local disk, in S3 and where entries decide commits.

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "delta/log/external_commits.h"
#include "delta/log/log_compaction.h"
#include "delta/log/log_names.h"
#include "delta/operations/alter_table.h"
#include "delta/operations/append.h"
#include "delta/operations/delete.h"
#include "delta/operations/log_cleanup.h"
#include "delta/operations/optimize.h"
#include "delta/operations/overwrite.h"
#include "delta/operations/repair.h"
#include "delta/operations/restore.h"
#include "delta/operations/row_places.h"
#include "delta/operations/table_writer.h"
#include "delta/operations/update.h"
#include "delta/operations/vacuum.h"
#include "delta/testing/data_table.h"
#include "delta/testing/fake_entries.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

using storage::ObjectStore;
using storage::testing::FaultInjector;
using storage::testing::FaultMode;
using testing::DataTable;
using Fate = FaultInjector::Fate;

constexpr int kId = 0;
constexpr int64_t kDay = 86'400 * kMicrosPerSecond;
const arrow::FieldVector kFile = {arrow::field("id", arrow::int64(), /*nullable=*/false)};
const arrow::FieldVector kTable = {kFile[0], arrow::field("day", arrow::date32())};

/// Where a table is: once as it is, and once as a client sees it whose operations fail as the injector says.
class Place {
 public:
  explicit Place(std::shared_ptr<FaultInjector> injector) : injector_(std::move(injector)) {}
  virtual ~Place() = default;
  virtual std::shared_ptr<ObjectStore> Healthy() = 0;
  virtual std::shared_ptr<ObjectStore> Faulty() { return storage::testing::MakeFaultyStore(Healthy(), injector_); }

 protected:
  const std::shared_ptr<FaultInjector> injector_;
};

class LocalPlace final : public Place {
 public:
  using Place::Place;
  std::shared_ptr<ObjectStore> Healthy() override { return storage::OpenLocalStore(folder_.path()).value(); }

 private:
  storage::testing::TempFolder folder_;
};

/// Of the request that this thread of a server answers.
thread_local Fate fate_of_request = Fate::kSucceed;

/// Faults are those of requests: refused with 503, or answered by a connection that breaks off.
class S3Place final : public Place {
 public:
  explicit S3Place(std::shared_ptr<FaultInjector> injector) : Place(std::move(injector)) {
    using storage::testing::FakeReply;
    using storage::testing::FakeRequest;
    server_.AnswerInstead([this](const FakeRequest& request) -> std::optional<FakeReply> {
      fate_of_request = injector_->Next(request.method);
      if (fate_of_request != Fate::kFail) return std::nullopt;
      return storage::testing::FakeS3::Error(503, "SlowDown");
    });
    server_.AnswerAfter([](const FakeRequest&) -> std::optional<FakeReply> {
      if (fate_of_request != Fate::kLoseReply) return std::nullopt;
      return FakeReply{.drop = true};
    });
  }
  std::shared_ptr<ObjectStore> Healthy() override { return server_.MakeStore(); }
  std::shared_ptr<ObjectStore> Faulty() override { return server_.MakeStore(); }

 private:
  storage::testing::FakeS3 server_;
};

class EntriesPlace final : public Place {
 public:
  using Place::Place;
  std::shared_ptr<ObjectStore> Healthy() override { return Over(bucket_, entries_); }
  std::shared_ptr<ObjectStore> Faulty() override {
    return Over(storage::testing::MakeFaultyStore(bucket_, injector_),
                testing::MakeFaultyEntries(entries_, [this](std::string_view name) { return injector_->Next(name); }));
  }

 private:
  std::shared_ptr<ObjectStore> Over(std::shared_ptr<ObjectStore> bucket, std::shared_ptr<CommitEntries> entries) {
    auto commits =
        MakeExternalCommits(std::move(bucket), std::move(entries), {.root = "s3a://bucket"}, clock_, random_);
    return storage::MakePrefixStore(std::move(commits), "db/t");
  }

  FakeClock clock_;
  Random random_{3};
  const std::shared_ptr<ObjectStore> bucket_ = storage::MakeMemoryStore(clock_);
  const std::shared_ptr<testing::FakeEntries> entries_ = std::make_shared<testing::FakeEntries>();
};

using Run = std::function<Status(const TableContext&, const std::shared_ptr<const Snapshot>&)>;

struct Operation {
  const char* name;
  Run run;
  /// Changes nothing that a reader of the newest version sees, and may be done again after any failure.
  bool is_upkeep = false;
  /// Without a commit of its own.
  bool only_derives = false;
  /// Makes the table more than it is.
  std::function<void(DataTable&)> prepare = {};
  bool vectors = false;
};

std::shared_ptr<arrow::RecordBatchReader> Rows(const std::string& json) {
  const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(kTable), json);
  return *arrow::RecordBatchReader::Make({*arrow::RecordBatch::FromStructArray(array)});
}

std::unique_ptr<RowCondition> IdIn(const Snapshot& snapshot, std::vector<columnar::Value> ids) {
  return *MakeCondition(*snapshot.schema(), {{Predicate::Op::kIn, kId, std::move(ids), {}}});
}

/// Adds ten to the id.
class AddTen final : public RowUpdate {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    arrow::Int64Builder ids;
    const auto& old = static_cast<const arrow::Int64Array&>(*rows->column(kId));
    for (int64_t row = 0; row < rows->num_rows(); ++row) EXPECT_TRUE(ids.Append(old.Value(row) + 10).ok());
    return arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), {*ids.Finish(), rows->column(1)});
  }
};

Status Merge(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot) {
  RowPlaces places;
  places.Add(0, 0);
  TableWriter writer(table, snapshot, {});
  std::shared_ptr<arrow::RecordBatch> rows;
  EXPECT_TRUE(Rows(R"([{"id":50,"day":20454},{"id":51,"day":20460}])")->ReadNext(&rows).ok());
  TARN_RETURN_NOT_OK(writer.Append(*rows));
  ChangeRequest request{.places = &places, .reads = {.whole_table = true}, .operation = "MERGE"};
  TARN_ASSIGN_OR_RETURN(request.new_files, writer.Finish());
  return ChangeRows(table, snapshot, request).status();
}

/// Half of the rows go, and all that vacuum and cleanup spare for their age grows old.
void DeleteAndWait(DataTable& table) {
  const auto snapshot = table.Latest();
  ASSERT_TRUE(Delete(table.context(), snapshot, *IdIn(*snapshot, {int64_t{1}, int64_t{4}})).ok());
  // Beyond the times that a disk gives its files, too.
  table.clock().Advance(100 * 365 * kDay);
}

void PutText(DataTable& table, const std::string& key, std::string_view text) {
  const ByteSpan bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  ASSERT_TRUE(table.store().Put(key, bytes, storage::Precondition::None()).ok());
}

Status DeleteSome(const TableContext& table, const std::shared_ptr<const Snapshot>& base) {
  return Delete(table, base, *IdIn(*base, {int64_t{1}, int64_t{3}})).status();
}

Status UpdateSome(const TableContext& table, const std::shared_ptr<const Snapshot>& base) {
  AddTen add_ten;
  return Update(table, base, *IdIn(*base, {int64_t{2}, int64_t{4}}), add_ten).status();
}

const std::vector<Operation>& Operations() {
  using Table = const TableContext&;
  using Base = const std::shared_ptr<const Snapshot>&;
  static const std::vector<Operation> kOperations = {
      {"append",
       [](Table table, Base base) {
         return Append(table, base, *Rows(R"([{"id":7,"day":20454},{"id":8,"day":20460}])")).status();
       }},
      {.name = "append_behind_alter",
       .run =
           [](Table table, Base base) {
             // The rows are written for a version that lacks a column, and have to be written again.
             TARN_ASSIGN_OR_RETURN(const auto before, LoadSnapshotAt(table, base->version() - 1));
             return Append(table, before, *Rows(R"([{"id":7,"day":20454},{"id":8,"day":20460}])")).status();
           },
       .prepare =
           [](DataTable& table) {
             const AddColumns change{{{.record = {}, .field = arrow::field("more", arrow::int64()), .position = {}}}};
             ASSERT_TRUE(AlterTable(table.context(), table.Latest(), change).ok());
           }},
      {"delete", DeleteSome},
      {.name = "delete_by_vector", .run = DeleteSome, .vectors = true},
      {"update", UpdateSome},
      {.name = "update_by_vector", .run = UpdateSome, .vectors = true},
      {"merge", Merge},
      {.name = "merge_by_vector", .run = Merge, .vectors = true},
      {"overwrite", [](Table table, Base base) { return Overwrite(table, base, *Rows(R"([{"id":9}])")).status(); }},
      {"overwrite_partitions",
       [](Table table, Base base) {
         return Overwrite(table, base, *Rows(R"([{"id":9,"day":20454}])"), {.scope = OverwriteScope::kPartitions})
             .status();
       }},
      {"restore", [](Table table, Base base) { return Restore(table, base, 2).status(); }},
      {"alter",
       [](Table table, Base base) {
         return AlterTable(table, base, SetProperties{{{"delta.appendOnly", "true"}}}).status();
       }},
      {"optimize", [](Table table, Base base) { return Optimize(table, base, {}).status(); }, true},
      {"vacuum", [](Table table, Base base) { return Vacuum(table, base, {}).status(); }, true, false, DeleteAndWait},
      {"vacuum_lite", [](Table table, Base base) { return Vacuum(table, base, {.mode = VacuumMode::kLite}).status(); },
       true, false, DeleteAndWait},
      {"checkpoint", [](Table table, Base base) { return WriteCheckpoint(table, *base); }, true, true},
      {"compacted_log", [](Table table, Base) { return WriteCompactedLog(table, 1, 3); }, true, true},
      {"cleanup", [](Table table, Base base) { return CleanUpLog(table, *base).status(); }, true, true,
       [](DataTable& table) {
         DeleteAndWait(table);
         ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Latest()).ok());
         table.Append(kFile, R"([{"id":6}])", {{"day", "2026-01-03"}});
       }},
      {"repair", [](Table table, Base) { return Repair(table).status(); }, true, true,
       [](DataTable& table) {
         ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Latest()).ok());
         PutText(table, "_delta_log/_last_checkpoint", "{");
         PutText(table, "_delta_log/" + PaddedVersion(table.Latest()->version()) + ".crc", "{}");
       }},
  };
  return kOperations;
}

/// Two files of one day, one of another and one of none, with five rows.
void MakeTable(DataTable& table, const Operation& operation) {
  std::map<std::string, std::string> configuration;
  if (operation.vectors) configuration["delta.enableDeletionVectors"] = "true";
  table.Create(arrow::schema(kTable), {"day"}, std::move(configuration));
  table.Append(kFile, R"([{"id":1},{"id":2}])", {{"day", "2026-01-01"}});
  table.Append(kFile, R"([{"id":3}])", {{"day", "2026-01-01"}});
  table.Append(kFile, R"([{"id":4}])", {{"day", "2026-01-02"}});
  table.Append(kFile, R"([{"id":5}])", {{"day", std::nullopt}});
  if (operation.prepare) operation.prepare(table);
}

/// What a reader of the newest version sees.
struct Seen {
  std::vector<std::string> rows;
  Metadata metadata;
  Protocol protocol;
  bool operator==(const Seen&) const = default;

  static Seen Of(DataTable& table) {
    const auto snapshot = table.Latest();
    return {table.Rows(*snapshot), snapshot->metadata(), snapshot->protocol()};
  }
};

Status LoadAndRun(const Operation& operation, const TableContext& table) {
  TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot(table));
  return operation.run(table, snapshot);
}

std::unique_ptr<Place> MakePlace(const std::string& kind, std::shared_ptr<FaultInjector> injector) {
  if (kind == "local") return std::make_unique<LocalPlace>(std::move(injector));
  if (kind == "s3") return std::make_unique<S3Place>(std::move(injector));
  return std::make_unique<EntriesPlace>(std::move(injector));
}

/// Kind of place, mode of the faults, place among the operations.
using Parameters = std::tuple<const char*, FaultMode, size_t>;

class FaultSweepTest : public ::testing::TestWithParam<Parameters> {
 protected:
  /// Whatever was reported the table is as it was or as it should be, success means the latter, and it goes on.
  void Meet(const std::shared_ptr<FaultInjector>& injector, const std::function<void()>& arm) {
    const auto place = MakePlace(std::get<const char*>(GetParam()), injector);
    DataTable table(place->Healthy());
    MakeTable(table, operation_);
    const Seen before = Seen::Of(table);
    TableContext faulty = table.context();
    faulty.store = place->Faulty();
    arm();
    const Status status = LoadAndRun(operation_, faulty);
    injector->Disarm();
    EXPECT_TRUE(status.ok() || status.Is(StatusCode::kUnavailable) || status.Is(StatusCode::kIndeterminate))
        << status.ToString();
    const Seen after = Seen::Of(table);
    const bool is_done = !(after == before);
    if (operation_.is_upkeep) {
      EXPECT_FALSE(is_done);
      const Status again = LoadAndRun(operation_, table.context());
      EXPECT_TRUE(again.ok()) << again.ToString() << "\nafter " << status.ToString();
      EXPECT_TRUE(Seen::Of(table) == before);
      return;
    }
    if (is_done) {
      // An operation has one outcome.
      if (!outcome_.has_value()) outcome_ = after.rows;
      EXPECT_EQ(after.rows, *outcome_);
    }
    EXPECT_TRUE(is_done == status.ok() || status.Is(StatusCode::kIndeterminate)) << status.ToString();
    if (is_done) return;
    const Status again = LoadAndRun(operation_, table.context());
    EXPECT_TRUE(again.ok()) << again.ToString() << "\nafter " << status.ToString();
  }

  const Operation& operation_ = Operations()[std::get<size_t>(GetParam())];
  std::optional<std::vector<std::string>> outcome_;
};

TEST_P(FaultSweepTest, OutlivesAFaultAnywhere) {
  const FaultMode mode = std::get<FaultMode>(GetParam());
  // An open file fails in one way whichever of its pieces is asked for, and is there or not by its finish
  // (columnar/parquet_test.cc).
  const storage::testing::FaultPlan plan{.mode = mode, .except = {"read", "write"}};
  const int64_t faults = storage::testing::SweepFaults(plan, [&](const auto& injector, const auto& arm) {
    if (!HasFailure()) Meet(injector, arm);
  });
  RecordProperty("faults", std::to_string(faults));
  EXPECT_GE(faults, 5);
}

std::string NameOf(const ::testing::TestParamInfo<Parameters>& info) {
  const auto& [kind, mode, operation] = info.param;
  const char* faults = mode == FaultMode::kOnce ? "Once" : mode == FaultMode::kForever ? "ForGood" : "LostReply";
  return std::string(kind) + "_" + Operations()[operation].name + "_" + faults;
}

std::vector<Parameters> Cases() {
  std::vector<Parameters> cases;
  for (const char* kind : {"local", "s3", "entries"}) {
    for (const FaultMode mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
      for (size_t i = 0; i < Operations().size(); ++i) {
        // Places differ in how a commit is decided; what needs none meets every fault in one, and its end in the
        // others.
        const bool is_same_elsewhere = Operations()[i].only_derives && mode != FaultMode::kForever;
        if (!is_same_elsewhere || std::string_view(kind) == "entries") cases.emplace_back(kind, mode, i);
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Places, FaultSweepTest, ::testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace tarn::delta
