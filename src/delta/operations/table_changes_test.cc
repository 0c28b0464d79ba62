#include "delta/operations/table_changes.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "delta/log/commit_json.h"
#include "delta/testing/table_fixture.h"

namespace tarn::delta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(const columnar::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  return "null";
}

/// "version kind key", with the vectors that choose the rows.
std::vector<std::string> Described(const Snapshot& changes) {
  std::vector<std::string> described;
  for (FileIndex i = 0; i < changes.num_files(); ++i) {
    const DataFile file = *changes.File(i);
    // Behind the table's own: version, time and kind.
    const size_t kind = changes.partition_columns().size() - 1;
    std::string text = Text(file.partition_values[kind - 2]) + " ";
    text += file.partition_values.size() > kind ? Text(file.partition_values[kind]) : "as told";
    text += " " + file.key;
    if (file.only_deleted_by) text += " only " + file.only_deleted_by->path_or_inline;
    if (file.deletion_vector) text += " without " + file.deletion_vector->path_or_inline;
    described.push_back(std::move(text));
  }
  return described;
}

ChangeRange Versions(int64_t first, std::optional<int64_t> last = std::nullopt) {
  ChangeRange range;
  range.first.version = first;
  if (last) range.last = ChangePoint{.version = last};
  return range;
}

class TableChanges : public ::testing::Test {
 protected:
  std::vector<std::string> Changes(int64_t first, std::optional<int64_t> last = std::nullopt) {
    const auto changes = ReadChanges(table_.context(), Versions(first, last));
    EXPECT_TRUE(changes.ok()) << changes.status().ToString();
    return changes.ok() ? Described(**changes) : std::vector<std::string>();
  }

  static std::string AddLine(const std::string& rest) {
    return R"({"add":{"partitionValues":{},"size":7,"modificationTime":1,)" + rest + "}}\n";
  }
  static std::string RemoveLine(const std::string& rest) {
    return R"({"remove":{"partitionValues":{},"size":7,"deletionTimestamp":1,)" + rest + "}}\n";
  }
  static std::string Vector(const std::string& text) {
    return R"("deletionVector":{"storageType":"i","pathOrInlineDv":")" + text +
           R"(","sizeInBytes":40,"cardinality":2})";
  }

  testing::MemoryTable table_;
};

TEST_F(TableChanges, AddedAndRemovedFilesAreInsertedAndDeletedRows) {
  auto snapshot = table_.Create();
  snapshot = table_.Append(snapshot, {"a", "b"});
  table_.PutCommit(2, RemoveLine(R"("path":"a","dataChange":true)"));
  EXPECT_THAT(Changes(0), ElementsAre("1 insert a", "1 insert b", "2 delete a"));
  EXPECT_THAT(Changes(2), ElementsAre("2 delete a"));
  EXPECT_THAT(Changes(0, 1), ElementsAre("1 insert a", "1 insert b"));
  EXPECT_THAT(Changes(0, 0), ElementsAre());
}

TEST_F(TableChanges, RearrangedRowsAreNone) {
  table_.Append(table_.Create(), {"a", "b"});
  table_.PutCommit(2, RemoveLine(R"("path":"a","dataChange":false)") + RemoveLine(R"("path":"b","dataChange":false)") +
                          AddLine(R"("path":"c","dataChange":false)"));
  EXPECT_THAT(Changes(2), ElementsAre());
}

TEST_F(TableChanges, AFileThatStaysGivesTheRowsThatOnlyOneVectorDeletes) {
  table_.Append(table_.Create(), {"a"});
  const std::string whole = R"("path":"a","dataChange":true)";
  table_.PutCommit(2, RemoveLine(whole) + AddLine(whole + "," + Vector("first")));
  table_.PutCommit(3, RemoveLine(whole + "," + Vector("first")) + AddLine(whole + "," + Vector("second")));
  table_.PutCommit(4, AddLine(whole) + RemoveLine(whole + "," + Vector("second")));
  EXPECT_THAT(Changes(2), ElementsAre("2 delete a only first", "3 delete a only second without first",
                                      "3 insert a only first without second", "4 insert a only second"));
}

TEST_F(TableChanges, ChangeFilesSayAllThatACommitChanged) {
  table_.Append(table_.Create(), {"a"});
  table_.PutCommit(2, RemoveLine(R"("path":"a","dataChange":true)") + AddLine(R"("path":"b","dataChange":true)") +
                          R"({"cdc":{"path":"_change_data/c%20d","partitionValues":{},"size":5,"dataChange":false}})" +
                          "\n");
  EXPECT_THAT(Changes(2), ElementsAre("2 as told _change_data/c d"));
}

TEST_F(TableChanges, HasTheColumnsOfTheTableAndItsOwn) {
  table_.Append(table_.Create(), {"a"});
  const auto changes = *ReadChanges(table_.context(), Versions(0));
  EXPECT_THAT(changes->schema()->field_names(),
              ElementsAre("id", "name", "_change_type", "_commit_version", "_commit_timestamp"));
  EXPECT_EQ(changes->version(), 1);
  EXPECT_EQ(changes->StoredName(2), "_change_type");
  EXPECT_TRUE(changes->AddAction(0).status().Is(StatusCode::kUnsupported));
}

TEST_F(TableChanges, VersionsAndPartitionsSkipFiles) {
  auto snapshot = table_.Create();
  for (const char* key : {"a", "b", "c"}) snapshot = table_.Append(snapshot, {key});
  const auto changes = *ReadChanges(table_.context(), Versions(0));
  const int version = changes->schema()->GetFieldIndex(std::string(kCommitVersionColumn));
  const auto selected = *changes->Select({Predicate::Compare(Predicate::Op::kGe, version, int64_t{2})});
  EXPECT_THAT(selected, ElementsAre(1, 2));
  EXPECT_THAT(*changes->SelectAmong({0, 1}, {Predicate::Compare(Predicate::Op::kEq, version, int64_t{2})}),
              ElementsAre(1));
  // Of data columns nothing is known.
  EXPECT_EQ(changes->Select({Predicate::Compare(Predicate::Op::kEq, 0, int64_t{-1})})->size(), 3U);
}

TEST_F(TableChanges, TimesChooseCommits) {
  auto snapshot = table_.Create();
  std::vector<int64_t> times;
  for (const char* key : {"a", "b", "c"}) {
    table_.clock().Advance(10'000 * kMicrosPerMilli);
    snapshot = table_.Append(snapshot, {key});
    times.push_back(snapshot->timestamp_millis());
  }
  const auto between = [&](int64_t first, int64_t last) {
    ChangeRange range;
    range.first.timestamp_millis = first;
    range.last = ChangePoint{.timestamp_millis = last};
    return Described(**ReadChanges(table_.context(), range));
  };
  EXPECT_THAT(between(times[1], times[1]), ElementsAre("2 insert b"));
  EXPECT_THAT(between(times[0] + 1, times[2] - 1), ElementsAre("2 insert b"));
  EXPECT_THAT(between(0, times[0]), ElementsAre("1 insert a"));
}

TEST_F(TableChanges, RefusesWhatTheTableDoesNotHave) {
  table_.Append(table_.Append(table_.Create(), {"a"}), {"b"});
  const auto fails = [&](const ChangeRange& range) { return ReadChanges(table_.context(), range).status(); };
  EXPECT_TRUE(fails(Versions(3)).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(fails(Versions(-1)).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(fails(Versions(2, 1)).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(fails(Versions(0, 9)).Is(StatusCode::kNotFound));
}

TEST_F(TableChanges, NamesACommitThatIsGone) {
  auto snapshot = table_.Append(table_.Append(table_.Create(), {"a"}), {"b"});
  ASSERT_TRUE(WriteCheckpoint(table_.context(), *snapshot).ok());
  for (const int64_t version : {0, 1}) ASSERT_TRUE(table_.store().Delete(CommitKey(version)).ok());
  table_.ExpectBroken();
  const Status status = ReadChanges(table_.context(), Versions(1)).status();
  EXPECT_TRUE(status.Is(StatusCode::kNotFound));
  EXPECT_THAT(status.message(), HasSubstr("version 1"));
  EXPECT_THAT(Changes(2), ElementsAre("2 insert b"));
}

TEST_F(TableChanges, EarlierRowsMustFitTheLastSchema) {
  table_.Append(table_.Create(), {"a"});
  const auto replaced = [&](const std::string& fields) {
    Metadata metadata = (*LoadSnapshot(table_.context()))->metadata();
    metadata.schema_string = R"({"type":"struct","fields":[)" + fields + "]}";
    std::string line;
    AppendLine(line, metadata);
    return line;
  };
  const std::string id = R"({"name":"id","type":"long","nullable":true,"metadata":{}})";
  const std::string name = R"({"name":"name","type":"string","nullable":true,"metadata":{}})";
  table_.PutCommit(2, replaced(id + "," + name + R"(,{"name":"more","type":"long","nullable":true,"metadata":{}})"));
  EXPECT_THAT(Changes(0), ElementsAre("1 insert a"));
  table_.PutCommit(3, replaced(id));
  const Status status = ReadChanges(table_.context(), Versions(1)).status();
  EXPECT_TRUE(status.Is(StatusCode::kUnsupported));
  EXPECT_THAT(status.message(), HasSubstr("rows of version 2 do not fit version 3"));
  EXPECT_THAT(status.message(), HasSubstr("'name' was dropped"));
  EXPECT_THAT(Changes(3), ElementsAre());
}

}  // namespace
}  // namespace tarn::delta
