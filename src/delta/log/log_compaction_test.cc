#include "delta/log/log_compaction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "delta/log/commit_json.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta {
namespace {

using testing::FirstLines;
using testing::MemoryTable;

template <typename Action>
std::string LineOf(const Action& action) {
  std::string line;
  AppendLine(line, action);
  return line;
}

std::string AddLine(const std::string& path) { return LineOf(MemoryTable::MakeAdd(path)); }

std::string RemoveLine(const std::string& path, int64_t deleted_millis) {
  Remove remove;
  remove.path = path;
  remove.deletion_timestamp_millis = deleted_millis;
  return LineOf(remove);
}

std::string TxnLine(const std::string& app, int64_t version) { return LineOf(Txn{app, version, std::nullopt}); }

/// Everything that a snapshot holds, tombstones included, in an order of its own.
std::vector<std::string> Contents(const TableContext& table, const Snapshot& snapshot) {
  const auto& log_snapshot = dynamic_cast<const LogSnapshot&>(snapshot);
  std::vector<std::string> lines = {LineOf(snapshot.protocol()), LineOf(snapshot.metadata())};
  const auto append = [&](const auto& action) {
    lines.push_back(LineOf(action));
    return Status::Ok();
  };
  EXPECT_TRUE(log_snapshot.VisitAdds(append).ok());
  EXPECT_TRUE(log_snapshot.VisitRemoves(table, -1, append).ok());
  EXPECT_TRUE(log_snapshot.VisitTxns(append).ok());
  for (const auto& [name, domain] : *log_snapshot.state().domains) lines.push_back(LineOf(domain));
  std::sort(lines.begin(), lines.end());
  return lines;
}

/// Five commits with every kind of action.
void PutLog(MemoryTable& table) {
  table.PutCommit(0, FirstLines() + AddLine("a") + AddLine("b") + TxnLine("app", 1));
  table.PutCommit(1, R"({"commitInfo":{"operation":"X"}})"
                     "\n" +
                         RemoveLine("a", 5) + AddLine("c") + TxnLine("app", 2) + TxnLine("other", 7) +
                         LineOf(DomainMetadata{"kept", "1", false}) + LineOf(DomainMetadata{"dropped", "1", false}));
  table.PutCommit(2, RemoveLine("c", 6) + AddLine("d e") + LineOf(DomainMetadata{"dropped", "", true}) +
                         R"({"cdc":{"path":"_change_data/x","size":1,"partitionValues":{},"dataChange":false}})"
                         "\n");
  // The same file in another spelling, and fields of a feature that we do not know.
  table.PutCommit(3, RemoveLine("d e", 7) +
                         R"({"add":{"path":"a","partitionValues":{},"size":3,"modificationTime":2,"dataChange":true,)"
                         R"("baseRowId":9}})"
                         "\n" +
                         TxnLine("app", 3));
  table.PutCommit(4, AddLine("f"));
}

TEST(LogCompaction, StandsForTheCommitsItCovers) {
  for (const auto& [from, to] : std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {0, 4}, {1, 3}, {2, 3}, {3, 4}}) {
    SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
    MemoryTable table;
    PutLog(table);
    const auto expected = Contents(table.context(), **LoadSnapshot(table.context()));
    const Status written = WriteCompactedLog(table.context(), from, to);
    ASSERT_TRUE(written.ok()) << written.ToString();
    const auto segment = ListSegment(table.store(), {});
    ASSERT_TRUE(segment.ok());
    EXPECT_TRUE(std::any_of(segment->commits.begin(), segment->commits.end(), [&](const LogFile& file) {
      return file.is_compacted() && file.version == from && file.compacted_to == to;
    }));
    testing::ExpectNone(table.context(), "compacted");
    // Not only preferred to the commits, but without need of them.
    for (int64_t version = from; version < to; ++version) ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
    const auto reopened = LoadSnapshot(table.context());
    ASSERT_TRUE(reopened.ok()) << reopened.status().ToString();
    EXPECT_EQ(Contents(table.context(), **reopened), expected);
  }
}

TEST(LogCompaction, KeepsTombstonesAndUnknownFieldsButNoProvenance) {
  MemoryTable table;
  PutLog(table);
  ASSERT_TRUE(WriteCompactedLog(table.context(), 1, 3).ok());
  const std::string text = *table.store().Get(CompactedKey(1, 3));
  EXPECT_NE(text.find(R"("baseRowId":9)"), std::string::npos);
  EXPECT_NE(text.find(RemoveLine("c", 6)), std::string::npos);
  EXPECT_NE(text.find(LineOf(DomainMetadata{"dropped", "", true})), std::string::npos);
  EXPECT_EQ(text.find("commitInfo"), std::string::npos);
  EXPECT_EQ(text.find("cdc"), std::string::npos);
  EXPECT_EQ(text.find(AddLine("c")), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7) << text;
}

TEST(LogCompaction, WhatCannotBeCompactedIsLeft) {
  MemoryTable table;
  PutLog(table);
  EXPECT_EQ(WriteCompactedLog(table.context(), 3, 5).code(), StatusCode::kNotFound);
  table.PutCommit(5, AddLine("g") + AddLine("g"));
  EXPECT_EQ(WriteCompactedLog(table.context(), 3, 5).code(), StatusCode::kCorruption);
  EXPECT_TRUE(table.store().Head(CompactedKey(3, 5)).status().Is(StatusCode::kNotFound));
  table.Put(CompactedKey(0, 1), "another's");
  EXPECT_TRUE(WriteCompactedLog(table.context(), 0, 1).ok());
  EXPECT_EQ(*table.store().Get(CompactedKey(0, 1)), "another's");
}

TEST(LogCompaction, FaultsLeaveATableThatOpensTheSame) {
  for (const auto mode : {storage::testing::FaultMode::kOnce, storage::testing::FaultMode::kForever,
                          storage::testing::FaultMode::kReplyLost}) {
    storage::testing::FaultPlan plan;
    plan.mode = mode;
    storage::testing::SweepFaults(plan, [](auto injector, const auto& arm) {
      MemoryTable healthy;
      PutLog(healthy);
      const auto expected = Contents(healthy.context(), **LoadSnapshot(healthy.context()));
      TableContext faulty = healthy.context();
      faulty.store = storage::testing::MakeFaultyStore(healthy.context().store, injector);
      arm();
      (void)WriteCompactedLog(faulty, 1, 3);
      injector->Disarm();
      EXPECT_EQ(Contents(healthy.context(), **LoadSnapshot(healthy.context())), expected);
      EXPECT_TRUE(WriteCompactedLog(healthy.context(), 1, 3).ok());
    });
  }
}

}  // namespace
}  // namespace tarn::delta
