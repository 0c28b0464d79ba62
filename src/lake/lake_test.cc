#include "lake/lake.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "delta/transaction.h"
#include "lake/testing/lake_world.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::CommitForeign;
using testing::CommittedIdsOf;
using testing::ForeignContext;
using testing::Ids;
using testing::IdsIn;
using testing::IdsOf;
using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::MustOpen;
using testing::RejectedIds;

/// Another writer adds a column.
Status AddForeignColumn(LakeWorld& world, const std::string& folder, std::shared_ptr<arrow::Field> field) {
  const auto context = ForeignContext(world, folder);
  TARN_ASSIGN_OR_RETURN(auto snapshot, delta::LoadSnapshot(context));
  TARN_ASSIGN_OR_RETURN(auto transaction, delta::Transaction::Begin(context, snapshot));
  auto fields = snapshot->schema()->fields();
  fields.push_back(std::move(field));
  TARN_RETURN_NOT_OK(transaction->SetSchema(arrow::schema(fields)));
  return transaction->Commit().status();
}

TEST(Lake, RowsAreVisibleOnceFromAcknowledgementThroughFlush) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1, 2}));
  ASSERT_OK(AppendIds(*lake, {3}, 1));
  auto before = *lake->Pin(kTable, std::nullopt);
  EXPECT_EQ(before->snapshot, nullptr);
  EXPECT_EQ(IdsOf(*before), (Ids{1, 2, 3}));
  EXPECT_EQ(before->schema->field_names(), (std::vector<std::string>{"time", "time_date", "id"}));
  EXPECT_EQ(before->partition_columns, std::vector<int>{1});

  ASSERT_OK(lake->FlushAll());
  auto after = *lake->Pin(kTable, std::nullopt);
  EXPECT_TRUE(after->segments.empty());
  EXPECT_EQ(CommittedIdsOf(*after), (Ids{1, 2, 3}));
  EXPECT_EQ(after->snapshot->num_files(), 2u);
  EXPECT_EQ(after->snapshot->version(), 0);
  EXPECT_EQ(after->schema->field_names(), (std::vector<std::string>{"time", "time_date", "id"}));
  // A view pinned before is not touched by what happens later.
  EXPECT_EQ(IdsOf(*before), (Ids{1, 2, 3}));
  EXPECT_EQ(lake->stats().rows_flushed, 3);
  before.reset();
  EXPECT_EQ(world.budget.used_bytes(), 0u);
}

TEST(Lake, FilesLieUnderTheirDate) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}, 19'000));
  ASSERT_OK(AppendIds(*lake, {2}, -1));
  ASSERT_OK(lake->FlushAll());
  const auto files = *world.store->ListAll({.prefix = "db/cpu/time_date="});
  ASSERT_EQ(files.size(), 2u);
  EXPECT_TRUE(files[0].object.key.starts_with("db/cpu/time_date=1969-12-31/part-")) << files[0].object.key;
  EXPECT_TRUE(files[1].object.key.starts_with("db/cpu/time_date=2022-01-08/part-")) << files[1].object.key;
}

TEST(Lake, AcknowledgedRowsOutliveACrash) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1, 2}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {3}));
  lake.reset();
  world.nodes.LosePower();
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2, 3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2, 3}));
}

TEST(Lake, FlushesByAgeRowsAndBytes) {
  LakeWorld world;
  auto options = world.Options();
  options.flush = {.max_age_micros = kMicrosPerSecond, .max_rows = 10, .max_bytes = 1 << 20};
  auto lake = std::move(*world.Open(options));
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushDue());
  EXPECT_EQ(lake->stats().flushes, 0);
  world.clock.Advance(kMicrosPerSecond);
  ASSERT_OK(lake->FlushDue());
  EXPECT_EQ(lake->stats().flushes, 1);
  ASSERT_OK(AppendIds(*lake, {2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  ASSERT_OK(lake->FlushDue());
  EXPECT_EQ(lake->stats().flushes, 2);
  ASSERT_OK(AppendIds(*lake, {12}));
  ASSERT_OK(lake->FlushDue());
  EXPECT_EQ(lake->stats().flushes, 2);
}

TEST(Lake, RefusesReservedAndClashingNames) {
  LakeWorld world;
  auto lake = MustOpen(world);
  for (const TableName& bad : std::vector<TableName>{{"", "t"},
                                                     {"db", ""},
                                                     {"_tarn", "t"},
                                                     {"System", "t"},
                                                     {"main", "t"},
                                                     {"temp", "t"},
                                                     {"information_schema", "t"},
                                                     {"pg_catalog", "t"},
                                                     {"db", std::string("a\0b", 3)},
                                                     {"db", "a\nb"},
                                                     {"db", "\xff"},
                                                     {"db", std::string(300, 'x')}}) {
    EXPECT_EQ(AppendIds(*lake, {1}, 0, bad).code(), StatusCode::kInvalidArgument) << bad.ToString();
  }
  ASSERT_OK(AppendIds(*lake, {1}));
  EXPECT_EQ(AppendIds(*lake, {2}, 0, {"db", "CPU"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(AppendIds(*lake, {2}, 0, {"DB", "mem"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(IdsIn(*lake, {"DB", "Cpu"}), Ids{1});
  const TableName strange = {"a b/ü", "_x.y%20"};
  ASSERT_OK(AppendIds(*lake, {7}, 0, strange));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(*lake->ListDatabases(), (std::vector<std::string>{"a b/ü", "db"}));
  EXPECT_EQ(*lake->ListTables("a b/ü"), std::vector<std::string>{"_x.y%20"});
  lake = nullptr;
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, strange), Ids{7});
  EXPECT_EQ(AppendIds(*lake, {2}, 0, {"db", "CPU"}).code(), StatusCode::kInvalidArgument);
}

TEST(Lake, ATableIsListedThroughoutItsFirstFlush) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"old", "t"}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(*lake->ListTables("old"), std::vector<std::string>{"t"});
  // The clock stands still, so what was listed before these tables were made counts as fresh.
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"new", "t"}));
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"old", "u"}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(*lake->ListDatabases(), (std::vector<std::string>{"new", "old"}));
  EXPECT_EQ(*lake->ListTables("new"), std::vector<std::string>{"t"});
  EXPECT_EQ(*lake->ListTables("old"), (std::vector<std::string>{"t", "u"}));
}

TEST(Lake, AddsColumnsAndKeepsTypes) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(lake->Append({{kTable, MakeRows({.ids = {2}, .extra_name = "x", .extra_type = arrow::float64()})}}));
  EXPECT_NE((*lake->SchemaOf(kTable))->GetFieldByName("x"), nullptr);
  EXPECT_EQ(
      lake->Append({{kTable, MakeRows({.ids = {3}, .extra_name = "x", .extra_type = arrow::utf8()})}}).status().code(),
      StatusCode::kConflict);
  EXPECT_EQ(lake->Append({{kTable, MakeRows({.ids = {3}, .extra_name = "X", .extra_type = arrow::float64()})}})
                .status()
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(lake->Append({{kTable, MakeRows({.ids = {3}, .extra_name = "time_date", .extra_type = arrow::int64()})}})
                .status()
                .code(),
            StatusCode::kInvalidArgument);
  ASSERT_OK(lake->FlushAll());
  const auto view = *lake->Pin(kTable, std::nullopt);
  EXPECT_EQ(IdsOf(*view), (Ids{1, 2}));
  EXPECT_EQ(view->snapshot->schema()->num_fields(), 4);
}

TEST(Lake, FailedAppendKeepsNothing) {
  LakeWorld world(1, 16 << 10);
  auto lake = MustOpen(world);
  // More than all buffers hold, which waiting will not change; and more than they have room for now.
  std::vector<int64_t> many(10'000);
  EXPECT_EQ(AppendIds(*lake, many).code(), StatusCode::kResourceExhausted);
  many.resize(600);
  auto others = world.budget.TryReserve(8 << 10);
  EXPECT_EQ(AppendIds(*lake, many).code(), StatusCode::kUnavailable);
  EXPECT_EQ(lake->Pin(kTable, std::nullopt).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(lake->SchemaOf(kTable).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(lake->ListDatabases()->empty());
  // A column that only the failed rows had has no type yet.
  ASSERT_OK(AppendIds(*lake, {1}));
  EXPECT_FALSE(lake->Append({{kTable, MakeRows({.ids = many, .extra_name = "x", .extra_type = arrow::int64()})}}).ok());
  others.reset();
  ASSERT_OK(lake->Append({{kTable, MakeRows({.ids = {2}, .extra_name = "x", .extra_type = arrow::float64()})}}));
}

TEST(Lake, TwoServersOnOneLakeEachKeepTheirOwnLog) {
  LakeWorld world;
  auto first = MustOpen(world);
  auto second = MustOpen(world);
  EXPECT_EQ(second->stats().foreign_live_wals, 1);
  ASSERT_OK(AppendIds(*first, {1}));
  ASSERT_OK(AppendIds(*second, {2}));
  ASSERT_OK(first->FlushAll());
  ASSERT_OK(second->FlushAll());
  EXPECT_EQ(IdsIn(*first, kTable), (Ids{1, 2}));
  ASSERT_OK(AppendIds(*second, {3}));
  second.reset();  // Dies with a row that is not flushed.
  auto third = MustOpen(world);
  EXPECT_EQ(IdsIn(*third, kTable), (Ids{1, 2, 3}));
  first.reset();
  third.reset();
  // Two dead owners: one folder is taken, the other's log is adopted, flushed and given up.
  auto fourth = MustOpen(world);
  EXPECT_EQ(IdsIn(*fourth, kTable), (Ids{1, 2, 3}));
  ASSERT_OK(fourth->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**fourth->Pin(kTable, std::nullopt)), (Ids{1, 2, 3}));
  EXPECT_EQ(fourth->stats().adopted_wals, 0);
}

TEST(Lake, AdoptedLogIsFlushedUnderItsOwnIdentity) {
  LakeWorld world;
  auto first = MustOpen(world);
  auto second = MustOpen(world);
  ASSERT_OK(AppendIds(*first, {1}));
  ASSERT_OK(AppendIds(*second, {2}));
  first.reset();
  second.reset();
  auto third = MustOpen(world);
  EXPECT_EQ(third->stats().adopted_wals, 1);
  ASSERT_OK(AppendIds(*third, {3}));
  ASSERT_OK(third->FlushAll());
  const auto view = *third->Pin(kTable, std::nullopt);
  EXPECT_EQ(CommittedIdsOf(*view), (Ids{1, 2, 3}));
  EXPECT_EQ(view->snapshot->version(), 1);
  EXPECT_EQ(third->stats().adopted_wals, 0);
  third.reset();
  third = MustOpen(world);
  EXPECT_EQ(IdsIn(*third, kTable), (Ids{1, 2, 3}));
}

TEST(Lake, DeletedLogLosesNothingCommittedAndDoublesNothing) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.Delete("node-0");
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2}));
}

TEST(Lake, LogDeletedUnderALiveLakeIsAPassingFault) {
  const storage::testing::TempFolder folder;
  LakeWorld world;
  auto options = world.Options();
  options.wal_root = folder.path() + "/wal";
  auto lake = std::move(*Lake::Open(options));
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  lake->Close();
  lake = std::move(*Lake::Open(options));
  std::filesystem::remove_all(options.wal_root);
  EXPECT_EQ(AppendIds(*lake, {2}).code(), StatusCode::kUnavailable);
  ASSERT_OK(AppendIds(*lake, {3}));
  // Once more, with rows that are in no table yet: they are in memory still.
  std::filesystem::remove_all(options.wal_root);
  const Status refused = AppendIds(*lake, {4});
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_NE(refused.message().find("the write-ahead log failed"), std::string::npos) << refused.ToString();
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(lake->stats().adopted_wals, 0) << "nothing is left to do for the log that is gone";
  ASSERT_OK(AppendIds(*lake, {5}));
  lake.reset();
  lake = std::move(*Lake::Open(options));
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 3, 5}));
}

TEST(Lake, RolledBackLogGivesWayToANewOne) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  lake.reset();
  const auto backup = world.nodes.Backup("node-0");
  lake = MustOpen(world);
  for (int64_t id = 2; id < 6; ++id) ASSERT_OK(AppendIds(*lake, {id}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.Restore("node-0", backup);
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2, 3, 4, 5}));
  // Without a new identity this row would take a position that the table's txn covers already, and vanish.
  ASSERT_OK(AppendIds(*lake, {6}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2, 3, 4, 5, 6}));
  lake.reset();
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2, 3, 4, 5, 6}));
}

TEST(Lake, LogRolledBackToNothingIsNoticedAtTheFirstAppend) {
  LakeWorld world;
  auto lake = MustOpen(world);
  lake.reset();
  const auto backup = world.nodes.Backup("node-0");
  lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.Restore("node-0", backup);
  lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2, 3}));
}

TEST(Lake, LogRolledBackToACleanEndIsNoticedAtTheFirstAppend) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  const auto backup = world.nodes.Backup("node-0");
  lake = MustOpen(world);
  for (int64_t id = 2; id < 6; ++id) ASSERT_OK(AppendIds(*lake, {id}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.Restore("node-0", backup);
  lake = MustOpen(world);
  EXPECT_EQ(world.nodes.Nodes().size(), 1u);
  ASSERT_OK(AppendIds(*lake, {6}));
  EXPECT_EQ(world.nodes.Nodes().size(), 2u);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 2, 3, 4, 5, 6}));
}

TEST(Lake, OpensWithoutReadingTables) {
  LakeWorld world;
  auto lake = MustOpen(world);
  for (int64_t i = 0; i < 20; ++i) ASSERT_OK(AppendIds(*lake, {i}, 0, {"db", "t" + std::to_string(i)}));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  // Counts anew.
  world.faults->Arm({});
  lake = MustOpen(world);
  int64_t operations = 0;
  for (const auto& [name, count] : world.faults->counts()) operations += count;
  EXPECT_LE(operations, 4);
  EXPECT_EQ(IdsIn(*lake, {"db", "t7"}), Ids{7});
}

TEST(Lake, FindsTablesOfOthersWhenTheyAppearAndMissesThemWhenTheyGo) {
  LakeWorld world;
  auto lake = MustOpen(world);
  auto other = MustOpen(world);
  EXPECT_EQ(lake->Pin(kTable, std::nullopt).status().code(), StatusCode::kNotFound);
  ASSERT_OK(AppendIds(*other, {1}));
  ASSERT_OK(other->FlushAll());
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
  ASSERT_OK(AppendIds(*other, {2}));
  ASSERT_OK(other->FlushAll());
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2}));
  const auto objects = *world.store->ListAll({.prefix = "db/"});
  for (const auto& entry : objects) ASSERT_OK(world.store->Delete(entry.object.key));
  world.clock.Advance(2 * kMicrosPerSecond);
  EXPECT_EQ(lake->Pin(kTable, std::nullopt).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(lake->ListDatabases()->empty());
}

TEST(Lake, RowsThatNoLongerFitAreSetAsideAndTheOthersKept) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(lake->Append({{kTable, MakeRows({.ids = {2, 3}, .extra_name = "x", .extra_type = arrow::float64()})}}));
  ASSERT_OK(AppendIds(*lake, {4}));
  ASSERT_OK(AddForeignColumn(world, "db/cpu", arrow::field("x", arrow::utf8())));
  // Seen at once, so that a count does not change when the flush sets them aside.
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 4}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 4}));
  EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), (Ids{2, 3}));
  EXPECT_EQ(lake->stats().rows_rejected, 2);
  EXPECT_EQ((*lake->ListTableStatus())[0].rejected_rows, 2);
  lake.reset();
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 4}));
}

TEST(Lake, CompactionKeepsRowsAndItsResultIsShownAtOnce) {
  LakeWorld world;
  auto options = world.Options();
  options.checkpoint_interval = 3;
  auto lake = std::move(*world.Open(options));
  Ids all;
  for (int64_t id = 1; id <= 7; ++id) {
    ASSERT_OK(AppendIds(*lake, {id}));
    ASSERT_OK(lake->FlushAll());
    all.insert(id);
  }
  ASSERT_OK(AppendIds(*lake, {8}));
  all.insert(8);
  const auto result = lake->Optimize(kTable, {});
  ASSERT_OK(result);
  EXPECT_EQ(result->files_removed, 7);
  const auto view = *lake->Pin(kTable, std::nullopt);
  EXPECT_EQ(view->snapshot->num_files(), 1u);
  EXPECT_EQ(IdsOf(*view), all);
  EXPECT_TRUE(world.store->Head("db/cpu/_delta_log/00000000000000000006.checkpoint.parquet").ok());
}

TEST(Lake, VacuumDeletesWhatCompactionReplacedLongAgo) {
  LakeWorld world;
  auto lake = MustOpen(world);
  constexpr int64_t kDay = 24 * 3600 * kMicrosPerSecond;
  const auto files = [&] { return world.store->ListAll({.prefix = "db/cpu/time_date="})->size(); };
  for (int64_t id = 1; id <= 3; ++id) {
    ASSERT_OK(AppendIds(*lake, {id}));
    ASSERT_OK(lake->FlushAll());
  }
  ASSERT_OK(lake->Optimize(kTable, {}));
  EXPECT_EQ(files(), 4u);
  const int64_t version = (*lake->Pin(kTable, std::nullopt))->snapshot->version();

  world.clock.Advance(6 * kDay);
  const auto young = lake->Vacuum(kTable, {});
  ASSERT_OK(young);
  EXPECT_EQ(young->files, 0) << "within the seven days of a table that says nothing";
  EXPECT_EQ((*lake->Pin(kTable, std::nullopt))->snapshot->version(), version);

  world.clock.Advance(2 * kDay);
  ASSERT_OK(AppendIds(*lake, {4}));
  const auto old = lake->Vacuum(kTable, {});
  ASSERT_OK(old);
  EXPECT_EQ(old->files, 3);
  EXPECT_EQ(files(), 1u);
  const auto view = *lake->Pin(kTable, std::nullopt);
  EXPECT_EQ(view->snapshot->version(), version + 2) << "its two commits are shown at once";
  EXPECT_EQ(IdsOf(*view), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(lake->Vacuum({"db", "none"}, {}).status().code(), StatusCode::kNotFound);
}

TEST(Lake, OldLogFilesGoBehindACheckpoint) {
  LakeWorld world;
  auto options = world.Options();
  options.checkpoint_interval = 2;
  auto lake = std::move(*world.Open(options));
  Ids all;
  const auto commit = [&](int64_t id) {
    ASSERT_OK(AppendIds(*lake, {id}));
    ASSERT_OK(lake->FlushAll());
    all.insert(id);
  };
  const auto oldest = [&] { return world.store->ListAll({.prefix = "db/cpu/_delta_log/"})->front().object.key; };
  for (int64_t id = 0; id < 4; ++id) commit(id);
  EXPECT_EQ(oldest(), "db/cpu/_delta_log/00000000000000000000.crc");
  world.clock.Advance(32 * 24 * 3600 * kMicrosPerSecond);
  // No checkpoint is written behind this one, and it is the checkpoint that cleanup follows.
  for (int64_t id = 4; id < 6; ++id) commit(id);
  EXPECT_EQ(oldest(), "db/cpu/_delta_log/00000000000000000002.checkpoint.parquet");
  EXPECT_EQ(IdsIn(*lake, kTable), all);
  EXPECT_EQ(lake->Pin(kTable, AsOf{.version = 1}).status().code(), StatusCode::kNotFound);
}

TEST(Lake, EachCommitGetsItsChecksumAndDoesNotNeedIt) {
  LakeWorld world;
  auto lake = MustOpen(world);
  const auto checksum = [&](int version) {
    return world.store->Head("db/cpu/_delta_log/0000000000000000000" + std::to_string(version) + ".crc").ok();
  };
  for (int version = 0; version < 2; ++version) {
    ASSERT_OK(AppendIds(*lake, {version}));
    ASSERT_OK(lake->FlushAll());
    EXPECT_TRUE(checksum(version)) << version;
  }
  // The data file is streamed; the first put is the commit, the second its checksum.
  world.faults->Arm({.nth = 2, .mode = storage::testing::FaultMode::kForever, .operation = "put"});
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_TRUE(world.faults->fired());
  world.faults->Disarm();
  EXPECT_FALSE(checksum(2));
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{0, 1, 2}));
}

TEST(Lake, FailedFlushKeepsRowsAndIsTriedAgain) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  world.faults->Arm({.nth = 1, .mode = storage::testing::FaultMode::kForever, .operation = "put"});
  EXPECT_FALSE(lake->FlushAll().ok());
  EXPECT_EQ(lake->stats().flush_failures, 1);
  world.faults->Disarm();
  EXPECT_EQ(IdsIn(*lake, kTable), Ids{1});
  world.clock.Advance(2 * kMicrosPerSecond);
  ASSERT_OK(lake->FlushDue());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), Ids{1});
}

TEST(Lake, ReadOnlySeesTheRowsOfADeadOwnerAndChangesNothing) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  auto options = world.Options();
  options.read_only = true;
  {
    auto beside = std::move(*world.Open(options));
    EXPECT_EQ(beside->stats().foreign_live_wals, 1);
    EXPECT_EQ(IdsIn(*beside, kTable), Ids{1});
    EXPECT_EQ(AppendIds(*beside, {3}).code(), StatusCode::kPermissionDenied);
  }
  lake.reset();
  auto alone = std::move(*world.Open(options));
  EXPECT_EQ(IdsIn(*alone, kTable), (Ids{1, 2}));
  // A server that starts meanwhile owns the log, and its flush does not double what the reader replayed.
  lake = MustOpen(world);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(IdsIn(*alone, kTable), (Ids{1, 2}));
}

TEST(Lake, ReplaysALogLargerThanMemory) {
  LakeWorld world;
  auto lake = MustOpen(world);
  Ids all;
  for (int64_t batch = 0; batch < 40; ++batch) {
    std::vector<int64_t> ids(200);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = batch * 1000 + static_cast<int64_t>(i);
    all.insert(ids.begin(), ids.end());
    ASSERT_OK(AppendIds(*lake, ids));
  }
  lake.reset();
  MemoryBudget small("small", 16 << 10);
  auto options = world.Options();
  options.buffer_budget = &small;
  lake = std::move(*world.Open(options));
  EXPECT_EQ(IdsIn(*lake, kTable), all);
  lake.reset();
}

TEST(Lake, NewerFormatIsRefusedByName) {
  LakeWorld world;
  ASSERT_OK(world.store->Put("_tarn/lake.json", AsBytes(R"({"format_version": 2, "id": "x"})"),
                             storage::Precondition::None()));
  EXPECT_EQ(world.Open().status().code(), StatusCode::kUnsupported);
  ASSERT_OK(world.store->Put("_tarn/lake.json", AsBytes("{"), storage::Precondition::None()));
  EXPECT_EQ(world.Open().status().code(), StatusCode::kCorruption);
}

TEST(Lake, DiskFullTurnsRowsAwayBeforeAnythingIsLost) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  world.nodes.Segments("node-0")->SetCapacity(1);
  Ids kept = {1};
  bool refused = false;
  for (int64_t i = 0; i < 200 && !refused; ++i) {
    std::vector<int64_t> ids(500, 1000 + i);
    const Status appended = AppendIds(*lake, ids);
    refused = !appended.ok();
    if (refused) {
      EXPECT_EQ(appended.code(), StatusCode::kUnavailable) << appended.ToString();
    } else {
      kept.insert(ids.begin(), ids.end());
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(IdsIn(*lake, kTable), kept);
  world.nodes.Segments("node-0")->SetCapacity(INT64_MAX);
  ASSERT_OK(AppendIds(*lake, {2}));
  kept.insert(2);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), kept);
}

TEST(Lake, FailedSyncIsSurvivedByANewLog) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  world.nodes.Segments("node-0")->FailSync(1);
  EXPECT_FALSE(AppendIds(*lake, {2}).ok());
  ASSERT_OK(AppendIds(*lake, {3}));
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 3}));
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), (Ids{1, 3}));
  lake.reset();
  world.nodes.LosePower();
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 3}));
}

TEST(Lake, PinsAVersionWithoutTheBuffer) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {3}));
  EXPECT_EQ(IdsOf(**lake->Pin(kTable, AsOf{.version = 0})), Ids{1});
  EXPECT_EQ(IdsOf(**lake->Pin(kTable, AsOf{.version = 1})), (Ids{1, 2}));
  EXPECT_EQ(lake->Pin(kTable, AsOf{.version = 7}).status().code(), StatusCode::kNotFound);
}

TEST(Lake, EveryCrashPointKeepsEveryAcknowledgedRowOnce) {
  const TableName overtaken = {"db", "over"};
  for (const std::string_view point : kCrashPoints) {
    SCOPED_TRACE(point);
    LakeWorld world;
    auto lake = MustOpen(world);
    ASSERT_OK(AppendIds(*lake, {1}));
    ASSERT_OK(AppendIds(*lake, {1}, 0, overtaken));
    ASSERT_OK(lake->FlushAll());
    ASSERT_OK(lake->Append({{kTable, MakeRows({.ids = {2}, .extra_name = "x", .extra_type = arrow::float64()})}}));
    ASSERT_OK(AddForeignColumn(world, "db/cpu", arrow::field("x", arrow::utf8())));
    ASSERT_OK(AppendIds(*lake, {3}, 2));
    // A second table becomes one that we cannot write after a row was acknowledged.
    ASSERT_OK(AppendIds(*lake, {5}, 0, overtaken));
    ASSERT_OK(
        CommitForeign(world, "db/over",
                      R"({"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking"]}})"));
    lake.reset();
    bool reached = false;
    world.at_point = [&](std::string_view at) {
      if (reached || at == point) {
        reached = true;
        world.faults->Arm({.nth = 1, .mode = storage::testing::FaultMode::kForever});
        return Status::Cancelled("crash");
      }
      return Status::Ok();
    };
    lake = MustOpen(world);
    const bool acknowledged = AppendIds(*lake, {4}).ok();
    (void)lake->FlushAll();
    lake.reset();
    EXPECT_TRUE(reached);
    world.faults->Disarm();
    world.at_point = nullptr;
    world.nodes.LosePower();

    lake = MustOpen(world);
    Ids expected = {1, 3};
    if (acknowledged || IdsIn(*lake, kTable).contains(4)) expected.insert(4);
    EXPECT_EQ(IdsIn(*lake, kTable), expected);
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), expected);
    EXPECT_EQ(RejectedIds(*world.store, "db/cpu"), Ids{2});
    EXPECT_EQ(CommittedIdsOf(**lake->Pin(overtaken, std::nullopt)), Ids{1});
    EXPECT_EQ(RejectedIds(*world.store, "db/over"), Ids{5});
  }
}

}  // namespace
}  // namespace tarn::lake
