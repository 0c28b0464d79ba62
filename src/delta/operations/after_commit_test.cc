#include "delta/operations/after_commit.h"

#include <gtest/gtest.h>

#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/testing/table_fixture.h"

namespace tarn::delta {
namespace {

using testing::MemoryTable;

/// The snapshot of a table's version 12 with this property.
std::shared_ptr<const Snapshot> Twelfth(MemoryTable& table, std::map<std::string, std::string> properties) {
  auto snapshot = table.Create(false, std::move(properties));
  while (snapshot->version() < 12) snapshot = table.Append(snapshot, {"f" + std::to_string(snapshot->version())});
  return snapshot;
}

TEST(AfterCommit, ACheckpointIsDueAtEachVersionThatTheIntervalDivides) {
  MemoryTable table;
  const auto snapshot = Twelfth(table, {{"delta.checkpointInterval", "5"}});
  EXPECT_TRUE(CheckpointIsDue(*snapshot, 9));
  EXPECT_TRUE(CheckpointIsDue(*snapshot, -1));
  EXPECT_FALSE(CheckpointIsDue(*snapshot, 10));
  EXPECT_FALSE(CheckpointIsDue(*snapshot, 11));
  // The table's word is the last.
  EXPECT_FALSE(CheckpointIsDue(*snapshot, 11, 1));
  const auto first = LoadSnapshotAt(table.context(), 0);
  EXPECT_FALSE(CheckpointIsDue(**first, -1, 1));
}

TEST(AfterCommit, ATableThatDoesNotSay) {
  for (const std::map<std::string, std::string>& properties : {std::map<std::string, std::string>{},
                                                               {{"delta.checkpointInterval", "0"}},
                                                               {{"delta.checkpointInterval", "five"}}}) {
    MemoryTable table;
    // Others may have written what ours refuse.
    if (!properties.empty()) table.ExpectBroken();
    const auto snapshot = Twelfth(table, properties);
    EXPECT_FALSE(CheckpointIsDue(*snapshot, -1));
    EXPECT_TRUE(CheckpointIsDue(*snapshot, 11, 12));
    EXPECT_FALSE(CheckpointIsDue(*snapshot, 11, 13));
  }
}

TEST(AfterCommit, WritesWhatIsDue) {
  MemoryTable table;
  const auto snapshot = Twelfth(table, {{"delta.checkpointInterval", "12"}});
  WriteAfterCommit(table.context(), *snapshot, 12);
  EXPECT_FALSE(table.store().Head(ChecksumKey(12)).ok());
  WriteAfterCommit(table.context(), *snapshot, 11);
  EXPECT_TRUE(table.store().Head(ChecksumKey(12)).ok());
  EXPECT_EQ(ListCheckpoints(table.store())->size(), 1U);
}

}  // namespace
}  // namespace tarn::delta
