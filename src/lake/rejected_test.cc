#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "columnar/parquet_reader.h"
#include "delta/log/commit_json.h"
#include "delta/transaction.h"
#include "lake/lake.h"
#include "lake/testing/lake_world.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::CommitForeign;
using testing::CommittedIdsOf;
using testing::Ids;
using testing::IdsIn;
using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::MustOpen;
using testing::RejectedIds;

constexpr char kUnwritable[] =
    R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking"]}})"
    "\n";
constexpr char kUnreadable[] =
    R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["future"],"writerFeatures":["future"]}})"
    "\n";
constexpr char kPlain[] = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})"
                          "\n";

/// Why the rows in the rejected store are there.
std::set<std::string> Reasons(LakeWorld& world) {
  std::set<std::string> reasons;
  const auto files = *world.store->ListAll({.prefix = "_tarn/rejected/"});
  for (const auto& entry : files) {
    if (!entry.object.key.ends_with(".parquet")) continue;
    const Status read = columnar::ReadParquet(*world.store, entry.object.key, {.columns = {"_rejected_reason"}},
                                              [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
                                                const auto column =
                                                    std::static_pointer_cast<arrow::StringArray>(batch->column(0));
                                                for (int64_t row = 0; row < column->length(); ++row)
                                                  reasons.insert(column->GetString(row));
                                                return Status::Ok();
                                              });
    EXPECT_TRUE(read.ok()) << read.ToString();
  }
  return reasons;
}

/// Rows 1 and 2 are acknowledged, only the first is committed; then another writer commits `lines`.
std::unique_ptr<Lake> OvertakenLake(LakeWorld& world, const std::string& lines) {
  auto lake = MustOpen(world);
  EXPECT_TRUE(AppendIds(*lake, {1}).ok());
  EXPECT_TRUE(lake->FlushAll().ok());
  EXPECT_TRUE(AppendIds(*lake, {2}).ok());
  EXPECT_TRUE(CommitForeign(world, "db/cpu", lines).ok());
  return lake;
}

TEST(Rejected, RowsOfATableThatCannotBeWrittenAnyMoreAreSetAside) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    LakeWorld world;
    auto lake = OvertakenLake(world, kUnwritable);
    if (restarts) {
      lake.reset();
      world.nodes.LosePower();
      lake = MustOpen(world);
    }
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(lake->stats().buffered_rows, 0);
    EXPECT_EQ(lake->stats().rows_rejected, 1);
    EXPECT_EQ((*lake->ListTableStatus())[0].rejected_rows, 1);
    EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
    EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
    ASSERT_EQ(Reasons(world).size(), 1u);
    EXPECT_NE(Reasons(world).begin()->find("rowTracking"), std::string::npos);
    EXPECT_EQ(AppendIds(*lake, {3}).code(), StatusCode::kUnsupported);
    EXPECT_EQ(world.budget.used_bytes(), 0u);
    // Other tables go on, and nothing is left to be tried again.
    ASSERT_OK(AppendIds(*lake, {4}, 0, {"db", "other"}));
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(lake->stats().flush_failures, 0);
  }
}

/// The table's metaData with a constraint, as another writer commits it.
std::string ConstrainedBy(Lake& lake, const std::string& expression) {
  delta::Metadata metadata = (*lake.Pin(kTable, std::nullopt))->snapshot->metadata();
  metadata.configuration["delta.constraints.c"] = expression;
  std::string line;
  delta::AppendLine(line, metadata);
  return R"({"protocol":{"minReaderVersion":1,"minWriterVersion":3}})"
         "\n" +
         line;
}

TEST(Rejected, RowsThatBreakAConstraintAreSetAsideAndTheOthersAreKept) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    LakeWorld world;
    auto lake = MustOpen(world);
    ASSERT_OK(AppendIds(*lake, {1}));
    ASSERT_OK(lake->FlushAll());
    ASSERT_OK(AppendIds(*lake, {2, -3, 4}));
    ASSERT_OK(AppendIds(*lake, {5}, /*day=*/1));
    ASSERT_OK(AppendIds(*lake, {-6, 7}));
    ASSERT_OK(CommitForeign(world, "db/cpu", ConstrainedBy(*lake, "id > 0 AND time_date < DATE '2100-01-01'")));
    if (restarts) {
      lake.reset();
      world.nodes.LosePower();
      lake = MustOpen(world);
    }
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(lake->stats().buffered_rows, 0);
    EXPECT_EQ(lake->stats().rows_rejected, 2);
    EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2, 4, 5, 7}));
    EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), (Ids{-6, -3}));
    EXPECT_EQ(Reasons(world),
              std::set<std::string>{"the CHECK constraint c (id > 0 AND time_date < DATE '2100-01-01') is violated"});
  }
}

TEST(Rejected, AConstraintThatIsNotUnderstoodSetsAllRowsAside) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(CommitForeign(world, "db/cpu", ConstrainedBy(*lake, "id RLIKE 'x'")));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(lake->stats().buffered_rows, 0);
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
  EXPECT_EQ(AppendIds(*lake, {3}).code(), StatusCode::kUnsupported);
}

TEST(Rejected, AConstraintThatComesDuringTheFlushIsNoticed) {
  LakeWorld world;
  std::string lines;
  world.at_point = [&](std::string_view point) {
    if (point != "before-commit" || lines.empty()) return Status::Ok();
    return CommitForeign(world, "db/cpu", std::exchange(lines, {}));
  };
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {-2, 3}));
  lines = ConstrainedBy(*lake, "id > 0");
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 3}));
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{-2});
}

TEST(Rejected, ViolationsAreKnownBeforeRowsAreAcknowledged) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  const TableBatch batch = {kTable, MakeRows({.ids = {5, -6, 7, -8}})};
  EXPECT_TRUE(lake->Violations(batch)->empty());
  EXPECT_TRUE(lake->Violations({{"db", "nowhere"}, batch.rows})->empty());
  ASSERT_OK(CommitForeign(world, "db/cpu", ConstrainedBy(*lake, "id > 0 AND time_date IS NOT NULL")));
  ASSERT_OK(lake->Pin(kTable, std::nullopt).status());
  const auto violations = lake->Violations(batch);
  ASSERT_TRUE(violations.ok()) << violations.status().ToString();
  ASSERT_EQ(violations->size(), 1U);
  EXPECT_EQ(violations->front().rows, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(violations->front().reason, "the CHECK constraint c (id > 0 AND time_date IS NOT NULL) is violated");
}

TEST(Rejected, NothingIsRefusedForAConstraintThatIsGone) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  std::string without;
  delta::AppendLine(without, (*lake->Pin(kTable, std::nullopt))->snapshot->metadata());
  ASSERT_OK(CommitForeign(world, "db/cpu", ConstrainedBy(*lake, "id > 0")));
  ASSERT_OK(lake->Pin(kTable, std::nullopt).status());
  const TableBatch batch = {kTable, MakeRows({.ids = {-1}})};
  EXPECT_EQ(lake->Violations(batch)->size(), 1U);
  ASSERT_OK(CommitForeign(world, "db/cpu", without));
  EXPECT_TRUE(lake->Violations(batch)->empty());
}

TEST(Rejected, ARestartRemembersHowManyRowsWereSetAside) {
  LakeWorld world;
  auto lake = OvertakenLake(world, kUnwritable);
  ASSERT_OK(AppendIds(*lake, {3, 4}, 0, {"db", "other"}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(world.store->Put("_tarn/rejected/db/cpu/notes.parquet", AsBytes("?"), storage::Precondition::None()));
  for (int i = 0; i < 2; ++i) {
    lake.reset();
    world.nodes.LosePower();
    lake = MustOpen(world);
    EXPECT_EQ(lake->stats().rows_rejected, 1);
    const auto tables = *lake->ListTableStatus();
    ASSERT_EQ(tables.size(), 2u);
    EXPECT_EQ(tables[0].rejected_rows, 1);
    EXPECT_EQ(tables[1].rejected_rows, 0);
  }
}

TEST(Rejected, EveryServerOfALakeCountsAllRowsThatWereSetAside) {
  LakeWorld world;
  auto one = OvertakenLake(world, kUnwritable);
  auto two = MustOpen(world);
  const auto counted = [](Lake& lake) { return (*lake.ListTableStatus())[0].rejected_rows; };
  EXPECT_EQ(counted(*two), 0);
  ASSERT_OK(one->FlushAll());
  EXPECT_EQ(counted(*one), 1);
  EXPECT_EQ(counted(*two), 1);
  EXPECT_EQ(counted(*two), 1) << "from what it knows by now";
  const auto files = *world.store->ListAll({.prefix = "_tarn/rejected/"});
  for (const auto& entry : files) {
    if (entry.object.key.ends_with(".parquet")) ASSERT_OK(world.store->Delete(entry.object.key));
  }
  EXPECT_EQ(counted(*one), 0);
  EXPECT_EQ(counted(*two), 0);
}

TEST(Rejected, ARestartCountsRowsOnceWhoseFlushIsRepeated) {
  LakeWorld world;
  auto lake = OvertakenLake(world, kUnwritable);
  world.at_point = [](std::string_view point) {
    return point == "before-settle" ? Status::Unavailable("crash") : Status::Ok();
  };
  lake.reset();
  lake = MustOpen(world);
  EXPECT_FALSE(lake->FlushAll().ok());
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
  lake.reset();
  world.nodes.LosePower();
  world.at_point = nullptr;
  lake = MustOpen(world);
  EXPECT_EQ(lake->stats().rows_rejected, 0) << "the flush is not done";
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(lake->stats().rows_rejected, 1);
  lake.reset();
  lake = MustOpen(world);
  EXPECT_EQ(lake->stats().rows_rejected, 1);
}

TEST(Rejected, ARestartNeitherShowsNorCommitsSettledRows) {
  LakeWorld world;
  auto lake = OvertakenLake(world, kUnwritable);
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.LosePower();
  ASSERT_OK(CommitForeign(world, "db/cpu", kPlain));
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
  ASSERT_OK(AppendIds(*lake, {3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 3}));
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
}

TEST(Rejected, AWinnerThatUpgradesTheTableDuringTheFlushIsNoticed) {
  LakeWorld world;
  bool upgraded = false;
  world.at_point = [&](std::string_view point) {
    if (point != "before-commit" || !world.store->Head("db/cpu/_delta_log/00000000000000000000.json").ok()) {
      return Status::Ok();
    }
    if (std::exchange(upgraded, true)) return Status::Ok();
    return CommitForeign(world, "db/cpu", kUnwritable);
  };
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_TRUE(upgraded);
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
  // The data file of the lost attempt is gone.
  EXPECT_EQ(world.store->ListAll({.prefix = "db/cpu/time_date="})->size(), 1u);
}

TEST(Rejected, RowsOfATableThatCannotBeReadAnyMoreAreSetAsideOnce) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    LakeWorld world;
    auto lake = OvertakenLake(world, kUnreadable);
    if (restarts) {
      // Row 1 is in the log as well: only the table's txn tells that it is committed.
      lake.reset();
      world.nodes.LosePower();
      lake = MustOpen(world);
    }
    EXPECT_EQ(lake->Pin(kTable, std::nullopt).status().code(), StatusCode::kUnsupported);
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(lake->stats().buffered_rows, 0);
    EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
    EXPECT_EQ(Reasons(world).size(), 1u);
  }
}

TEST(Rejected, OneDamagedTableKeepsNoLakeFromOpening) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(AppendIds(*lake, {3}, 0, {"db", "other"}));
  lake.reset();
  const std::string commit = "db/cpu/_delta_log/00000000000000000000.json";
  const std::string text = *world.store->Get(commit);
  ASSERT_OK(world.store->Put(commit, AsBytes("{"), storage::Precondition::None()));
  lake = MustOpen(world);
  EXPECT_EQ(lake->Pin(kTable, std::nullopt).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(IdsIn(*lake, {"db", "other"}), Ids{3});
  // Damage may be repaired, so the rows wait.
  EXPECT_EQ(lake->FlushAll().code(), StatusCode::kCorruption);
  EXPECT_EQ(lake->stats().rows_rejected, 0);
  ASSERT_OK(world.store->Put(commit, AsBytes(text), storage::Precondition::None()));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2}));
}

TEST(Rejected, ATableDroppedMeanwhileIsMadeAgainWhereThatIsAllowed) {
  for (const bool create : {true, false}) {
    SCOPED_TRACE(create);
    LakeWorld world;
    {
      auto creator = MustOpen(world);
      ASSERT_OK(AppendIds(*creator, {0}));
      ASSERT_OK(creator->FlushAll());
    }
    auto options = world.Options();
    options.create_missing_tables = create;
    auto lake = std::move(*world.Open(options));
    ASSERT_OK(AppendIds(*lake, {1}));
    ASSERT_OK(lake->FlushAll());
    ASSERT_OK(AppendIds(*lake, {2}));
    const auto objects = *world.store->ListAll({.prefix = "db/"});
    for (const auto& entry : objects) ASSERT_OK(world.store->Delete(entry.object.key));
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(IdsIn(*lake, kTable), create ? Ids{2} : Ids{});
    EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), create ? Ids{} : Ids{2});
    EXPECT_EQ(lake->stats().buffered_rows, 0);
  }
}

TEST(Rejected, RowsOfATableWhosePlaceIsTakenBySomethingElseAreSetAside) {
  storage::testing::TempFolder folder;
  LakeWorld world;
  world.store = *storage::OpenLocalStore(folder.path());
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(world.store->Put("db/cpu", AsBytes("a file"), storage::Precondition::None()));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{1});
  EXPECT_EQ(lake->stats().buffered_rows, 0);
  // From now on it can be seen.
  const Status refused = AppendIds(*lake, {2});
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("db.cpu: a file lies where its folder would be: db/cpu"), std::string::npos)
      << refused.ToString();
  ASSERT_OK(world.store->Put("filed", AsBytes("a file"), storage::Precondition::None()));
  ASSERT_OK(world.store->Put("db/log/_delta_log", AsBytes("a file"), storage::Precondition::None()));
  EXPECT_EQ(AppendIds(*lake, {2}, 0, {"filed", "t"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AppendIds(*lake, {2}, 0, {"db", "log"}).code(), StatusCode::kInvalidArgument);
  ASSERT_OK(world.store->Delete("db/cpu"));
  ASSERT_OK(AppendIds(*lake, {3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), Ids{3});
  EXPECT_EQ(lake->stats().rows_rejected, 1);
}

TEST(Rejected, TransientFaultsRejectNothing) {
  LakeWorld world;
  auto lake = MustOpen(world);
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kPermissionDenied, StatusCode::kResourceExhausted,
                                StatusCode::kDeadlineExceeded}) {
    ASSERT_OK(AppendIds(*lake, {static_cast<int64_t>(code)}));
    world.faults->Arm({.nth = 1, .mode = storage::testing::FaultMode::kForever, .code = code});
    EXPECT_FALSE(lake->FlushAll().ok());
    world.faults->Disarm();
  }
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)).size(), 4u);
  EXPECT_EQ(lake->stats().rows_rejected, 0);
}

TEST(Rejected, ColumnsThatNoFlushCouldAddAreRefusedBeforeRowsAreAcknowledged) {
  LakeWorld world;
  auto lake = MustOpen(world);
  const auto append = [&](const std::string& name, std::shared_ptr<arrow::DataType> type) {
    return lake->Append({{kTable, MakeRows({.ids = {1}, .extra_name = name, .extra_type = std::move(type)})}}).status();
  };
  const Status refused = append("local", arrow::timestamp(arrow::TimeUnit::MICRO));
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_NE(refused.message().find("timestampNtz"), std::string::npos) << refused.ToString();
  ASSERT_OK(append("plain", arrow::float64()));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
}

}  // namespace
}  // namespace tarn::lake
