#include "delta/operations/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/log/checksum.h"
#include "delta/log/log_compaction.h"
#include "delta/log/log_names.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MemoryTable;

/// Versions 0 to 4 with a checkpoint of 2, a checksum of 4 and a compacted file of 3 to 4.
std::shared_ptr<const Snapshot> PutLog(MemoryTable& table) {
  auto snapshot = table.Create();
  for (int i = 1; i <= 4; ++i) {
    snapshot = table.Append(snapshot, {"f" + std::to_string(i)});
    if (i == 2) {
      EXPECT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
    }
  }
  EXPECT_TRUE(WriteChecksum(table.context(), *snapshot).ok());
  EXPECT_TRUE(WriteCompactedLog(table.context(), 3, 4).ok());
  return snapshot;
}

/// Replaces the first occurrence of a text in a file.
void Falsify(MemoryTable& table, const std::string& key, const std::string& from, const std::string& to) {
  std::string text = *table.store().Get(key);
  ASSERT_NE(text.find(from), std::string::npos) << key;
  table.Put(key, text.replace(text.find(from), from.size(), to));
}

auto StepFor(const std::string& key, const std::string& what) {
  return AllOf(Field(&RepairStep::key, key), Field(&RepairStep::what, HasSubstr(what)));
}

void ExpectMended(MemoryTable& table) {
  testing::ExpectValid(table.context());
  EXPECT_EQ((*LoadSnapshot(table.context()))->num_files(), 4u);
}

TEST(Repair, LeavesAloneWhatIsRight) {
  MemoryTable table;
  PutLog(table);
  EXPECT_THAT(Repair(table.context())->steps, IsEmpty());
}

TEST(Repair, WrongDerivedFilesAreMendedAndCommitsAreNotTouched) {
  MemoryTable table;
  PutLog(table);
  Falsify(table, ChecksumKey(4), R"("numFiles":4)", R"("numFiles":5)");
  Falsify(table, CompactedKey(3, 4), "\"size\":100", "\"size\":101");
  table.Put(std::string(kLastCheckpointKey), R"({"version":3,"size":5})");
  std::vector<std::string> commits;
  for (int version = 0; version <= 4; ++version) commits.push_back(table.Commit(version));
  const auto expected =
      ElementsAre(StepFor(std::string(kLastCheckpointKey), "deleted"), StepFor(CompactedKey(3, 4), "deleted, since"),
                  StepFor(ChecksumKey(4), "written anew, since"));
  const auto dry = Repair(table.context(), {.dry_run = true});
  ASSERT_TRUE(dry.ok()) << dry.status().ToString();
  EXPECT_THAT(dry->steps, expected);
  EXPECT_GT(dry->report.errors, 0u);
  const auto result = Repair(table.context());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_THAT(result->steps, expected);
  EXPECT_EQ(result->report.errors, 0u);
  for (int version = 0; version <= 4; ++version) EXPECT_EQ(table.Commit(version), commits[version]);
  EXPECT_FALSE(table.store().Head(CompactedKey(3, 4)).ok());
  EXPECT_TRUE(table.store().Head(ChecksumKey(4)).ok());
  ExpectMended(table);
}

TEST(Repair, ACheckpointIsWrittenAnewFromTheCommits) {
  for (const bool readable : {false, true}) {
    MemoryTable table;
    const auto newest = PutLog(table);
    if (readable) {
      // It is one, but of another version.
      ASSERT_TRUE(WriteCheckpoint(table.context(), *newest).ok());
      table.Put(CheckpointKey(2), *table.store().Get(CheckpointKey(4)));
    } else {
      table.Put(CheckpointKey(2), "PAR1");
    }
    const auto result = Repair(table.context());
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_THAT(result->steps, ElementsAre(StepFor(CheckpointKey(2), "written anew from the commits")));
    for (int version = 0; version < 2; ++version) ASSERT_TRUE(table.store().Delete(CommitKey(version)).ok());
    EXPECT_EQ((*LoadSnapshotAt(table.context(), 2))->num_files(), 2u);
    ExpectMended(table);
  }
}

TEST(Repair, ACheckpointThatNothingReplacesIsLeft) {
  MemoryTable table;
  PutLog(table);
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  table.Put(CheckpointKey(2), "PAR1");
  const auto result = Repair(table.context());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_THAT(result->steps, ElementsAre(StepFor(CheckpointKey(2), "left as it is")));
  EXPECT_TRUE(table.store().Head(CheckpointKey(2)).ok());
  EXPECT_GT(result->report.errors, 0u);
}

TEST(Repair, NothingIsTouchedWhereACommitIsAtFault) {
  MemoryTable table;
  PutLog(table);
  Falsify(table, CommitKey(3), "\"size\":100", "\"size\":-7");
  Falsify(table, ChecksumKey(4), R"("numFiles":4)", R"("numFiles":5)");
  table.Put(CheckpointKey(2), "PAR1");
  const auto result = Repair(table.context());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  for (const RepairStep& step : result->steps) EXPECT_THAT(step.what, HasSubstr("left as it is"));
  EXPECT_EQ(*table.store().Get(CheckpointKey(2)), "PAR1");
}

}  // namespace
}  // namespace tarn::delta
