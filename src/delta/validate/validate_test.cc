#include "delta/validate/validate.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "columnar/delta_schema.h"
#include "delta/log/commit_json.h"
#include "delta/log/log_names.h"
#include "delta/operations/optimize.h"
#include "delta/testing/data_table.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"
#include "storage/forwarding_store.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using testing::ExpectValid;
using testing::FirstLines;
using ::testing::IsEmpty;
using testing::MemoryTable;
using testing::RulesOf;

constexpr char kAddB[] =
    R"({"add":{"path":"b","partitionValues":{},"size":100,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":10}"}})"
    "\n";

std::vector<std::string> Rules(MemoryTable& table) {
  const auto report = ValidateTable(table.context());
  EXPECT_TRUE(report.ok()) << report.status().ToString();
  if (!report.ok()) return {};
  for (const Finding& finding : report->findings) {
    SCOPED_TRACE(finding.ToString());
    EXPECT_FALSE(finding.message.empty());
  }
  return RulesOf(*report);
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string Text(const auto& action) {
  std::string text;
  AppendLine(text, action);
  return text;
}

/// What the rules say of a table of version 0 with the file "a" and then `second` as version 1.
std::vector<std::string> RulesOfSecond(const std::string& second, const std::string& first = FirstLines()) {
  MemoryTable table;
  table.PutCommit(0, first + Text(MemoryTable::MakeAdd("a")));
  table.PutCommit(1, second);
  return Rules(table);
}

std::vector<std::string> RulesOfFirst(const std::string& first) {
  MemoryTable table;
  table.PutCommit(0, first);
  return Rules(table);
}

Remove RemoveOf(const std::string& path) {
  Remove remove;
  remove.path = path;
  remove.deletion_timestamp_millis = 1;
  remove.extended_file_metadata = false;
  return remove;
}

DeletionVector Vector(const std::string& id, int64_t cardinality = 1) {
  DeletionVector vector;
  vector.path_or_inline = id;
  vector.offset = 1;
  vector.size_in_bytes = 34;
  vector.cardinality = cardinality;
  return vector;
}

Metadata TableMetadata(std::map<std::string, std::string> configuration = {}) {
  Metadata metadata;
  metadata.id = "11111111-2222-3333-4444-555555555555";
  metadata.schema_string = *columnar::SchemaToDeltaJson(*MemoryTable::Schema());
  metadata.configuration = std::move(configuration);
  return metadata;
}

/// The first lines of a table with these features; those of readers are in both lists.
std::string LinesWith(std::vector<std::string> reader, std::vector<std::string> writer, const Metadata& metadata) {
  writer.insert(writer.end(), reader.begin(), reader.end());
  return Text(Protocol{3, 7, reader, writer}) + Text(metadata);
}

TEST(Validate, ATableOfOursIsValid) {
  MemoryTable table;
  auto snapshot = table.Append(table.Create(), {"a", "b"});
  snapshot = table.Append(snapshot, {"c"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  snapshot = table.Append(snapshot, {"d"});
  const auto report = ValidateTable(table.context());
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(RulesOf(*report), IsEmpty());
  EXPECT_EQ(report->first_version, 0);
  EXPECT_EQ(report->last_version, 3);
  EXPECT_EQ(report->live_files, 4u);
}

TEST(Validate, ACleanedLogBeginsAtItsCheckpoint) {
  MemoryTable table;
  auto snapshot = table.Append(table.Create(), {"a", "b"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  snapshot = table.Append(snapshot, {"c"});
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  const auto report = ValidateTable(table.context());
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(RulesOf(*report), IsEmpty());
  EXPECT_EQ(report->first_version, 1);
  EXPECT_EQ(report->live_files, 3u);
}

TEST(Validate, ThereIsNoLog) {
  MemoryTable table;
  EXPECT_EQ(ValidateTable(table.context()).status().code(), StatusCode::kNotFound);
}

TEST(Validate, FindingsBeyondTheLimitAreCounted) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + "{\n{\n{\n");
  ValidateOptions options;
  options.max_findings = 1;
  const auto report = ValidateTable(table.context(), options);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.size(), 1u);
  EXPECT_EQ(report->errors, 3u);
  EXPECT_EQ(report->findings[0].key, CommitKey(0));
  EXPECT_EQ(report->findings[0].line, 3);
  EXPECT_EQ(report->findings[0].ToString().substr(0, 60),
            "error json _delta_log/00000000000000000000.json:3: the line ");
}

// The log's files.

TEST(ValidateLog, AMissingVersion) {
  MemoryTable table;
  table.PutCommit(0, FirstLines());
  table.PutCommit(2, kAddB);
  EXPECT_THAT(Rules(table), ElementsAre("log-gap"));
}

TEST(ValidateLog, AMissingVersionBeforeACheckpointIsOld) {
  MemoryTable table;
  const auto snapshot = table.Append(table.Append(table.Create(), {"a"}), {"b"});
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  ASSERT_TRUE(table.store().Delete(CommitKey(1)).ok());
  table.ExpectBroken();
  EXPECT_THAT(Rules(table), ElementsAre("log-gap (warning)"));
}

TEST(ValidateLog, ANameThatIsNone) {
  MemoryTable table;
  table.PutCommit(0, FirstLines());
  table.Put("_delta_log/1.json", kAddB);
  EXPECT_THAT(Rules(table), ElementsAre("log-name (warning)"));
}

TEST(ValidateLog, AHintToNowhere) {
  MemoryTable table;
  table.PutCommit(0, FirstLines());
  table.Put(std::string(kLastCheckpointKey), R"({"version":0,"size":3})");
  EXPECT_THAT(Rules(table), ElementsAre("hint (warning)"));
  table.Put(std::string(kLastCheckpointKey), "?");
  EXPECT_THAT(Rules(table), ElementsAre("hint (warning)"));
  const auto snapshot = LoadSnapshot(table.context());
  ASSERT_TRUE(snapshot.ok() && WriteCheckpoint(table.context(), **snapshot).ok());
  table.Put(std::string(kLastCheckpointKey), R"({"version":0,"size":2,"parts":2})");
  EXPECT_THAT(Rules(table), ElementsAre("hint (warning)"));
  table.Put(std::string(kLastCheckpointKey), R"({"version":0,"size":2})");
  EXPECT_THAT(Rules(table), IsEmpty());
}

TEST(ValidateLog, PartsOfACheckpointAreMissing) {
  MemoryTable table;
  const auto snapshot = table.Create();
  ASSERT_TRUE(WriteCheckpoint(table.context(), *snapshot).ok());
  table.Put(CheckpointPartKey(0, 1, 2), *table.store().Get(CheckpointKey(0)));
  EXPECT_THAT(Rules(table), ElementsAre("checkpoint-incomplete (warning)"));
}

// Lines.

TEST(ValidateLine, MalformedOrEmpty) {
  EXPECT_THAT(RulesOfSecond("{\"add\":"), ElementsAre("json"));
  EXPECT_THAT(RulesOfSecond("[]\n"), ElementsAre("json"));
  EXPECT_THAT(RulesOfSecond("\n"), ElementsAre("json"));
  EXPECT_THAT(RulesOfSecond("{}\n"), ElementsAre("action"));
  EXPECT_THAT(RulesOfSecond("{\"sidecar\":{\"path\":\"x\"}}\n"), ElementsAre("action"));
  EXPECT_THAT(RulesOfSecond("{\"news\":{}}\n"), ElementsAre("unknown-action (warning)"));
}

TEST(ValidateLine, EveryRequiredField) {
  const std::string cdc = R"({"cdc":{"path":"c","partitionValues":{},"size":1,"dataChange":false}})";
  const std::string domain = R"({"domainMetadata":{"domain":"d","configuration":"","removed":false}})";
  const std::pair<std::string, std::string> cuts[] = {
      {kAddB, R"("path":"b",)"},
      {kAddB, R"("partitionValues":{},)"},
      {kAddB, R"("size":100,)"},
      {kAddB, R"("modificationTime":1,)"},
      {kAddB, R"("dataChange":true,)"},
      {Text(RemoveOf("a")), R"("path":"a",)"},
      {Text(RemoveOf("a")), R"("dataChange":true,)"},
      {Text(Txn{"app", 1, 2}), R"("appId":"app",)"},
      {Text(Txn{"app", 1, 2}), R"("version":1,)"},
      {Text(Protocol()), R"("minReaderVersion":1,)"},
      {Text(TableMetadata()), R"("id":"11111111-2222-3333-4444-555555555555",)"},
      {Text(TableMetadata()), R"("format":{"provider":"parquet","options":{}},)"},
      {Text(TableMetadata()), R"("partitionColumns":[],)"},
      {cdc, R"("size":1,)"},
  };
  for (const auto& [line, cut] : cuts) {
    SCOPED_TRACE(cut + " of " + line);
    EXPECT_THAT(RulesOfSecond(Replaced(line, cut, "")), ElementsAre("required-field"));
  }
  EXPECT_THAT(RulesOfSecond(cdc), IsEmpty());
}

TEST(ValidateLine, ValuesThatFieldsCannotHave) {
  const std::pair<std::string, std::string> changes[] = {{R"("size":100)", R"("size":-1)"},
                                                         {R"("size":100)", R"("size":"100")"},
                                                         {R"("dataChange":true)", R"("dataChange":"true")"},
                                                         {R"("partitionValues":{})", R"("partitionValues":[])"}};
  for (const auto& [from, to] : changes) {
    SCOPED_TRACE(to);
    EXPECT_THAT(RulesOfSecond(Replaced(kAddB, from, to)), ElementsAre("field-value"));
  }
  const std::string change_file = R"({"cdc":{"path":"c","partitionValues":{},"size":1,"dataChange":true}})";
  EXPECT_THAT(RulesOfSecond(change_file), ElementsAre("field-value"));
}

TEST(ValidateLine, ARemoveThatClaimsMoreThanItHas) {
  const std::string line =
      Replaced(Text(RemoveOf("a")), R"("extendedFileMetadata":false)", R"("extendedFileMetadata":true)");
  EXPECT_THAT(RulesOfSecond(line), ElementsAre("required-field"));
}

// One commit.

TEST(ValidateCommit, TwoOfAKind) {
  EXPECT_THAT(RulesOfSecond(Text(Protocol()) + Text(Protocol())), ElementsAre("duplicate-action"));
  EXPECT_THAT(RulesOfSecond(Text(TableMetadata()) + Text(TableMetadata())), ElementsAre("duplicate-action"));
  EXPECT_THAT(RulesOfSecond(Text(Txn{"x", 1, 1}) + Text(Txn{"x", 2, 1})), ElementsAre("duplicate-action"));
  EXPECT_THAT(RulesOfSecond(Text(Txn{"x", 1, 1}) + Text(Txn{"y", 2, 1})), IsEmpty());
  EXPECT_THAT(RulesOfSecond(Replaced(kAddB, "true", "false") + Replaced(kAddB, "true", "false")),
              ElementsAre("duplicate-action"));
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("a")) + Text(RemoveOf("a"))),
              ElementsAre("duplicate-action", "remove-not-live"));
}

TEST(ValidateCommit, AddAndRemoveOfOneFile) {
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("a")) + Text(MemoryTable::MakeAdd("a"))), ElementsAre("add-and-remove"));
}

TEST(ValidateCommit, ThePathsAreTheSameHoweverTheyAreWritten) {
  EXPECT_THAT(RulesOfSecond(Replaced(kAddB, R"("b")", R"("x y")") + Replaced(kAddB, R"("b")", R"("x%20y")")),
              ::testing::Contains("duplicate-action"));
}

// Against the state before.

TEST(ValidateState, ARemoveOfWhatIsNotLive) {
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("gone"))), ElementsAre("remove-not-live"));
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("a"))), IsEmpty());
}

TEST(ValidateState, ARemoveOfWhatACheckpointLacks) {
  MemoryTable table;
  ASSERT_TRUE(WriteCheckpoint(table.context(), *table.Append(table.Create(), {"a"})).ok());
  table.PutCommit(2, Text(RemoveOf("gone")));
  ASSERT_TRUE(table.store().Delete(CommitKey(0)).ok());
  EXPECT_THAT(Rules(table), ElementsAre("remove-not-live (warning)"));
}

TEST(ValidateState, AnAddOfALiveFile) {
  Add again = MemoryTable::MakeAdd("a");
  EXPECT_THAT(RulesOfSecond(Text(again)), ElementsAre("add-live"));
  again.data_change = false;
  EXPECT_THAT(RulesOfSecond(Text(again)), IsEmpty());
}

TEST(ValidateState, AFileThatIsLiveTwice) {
  const std::string first = LinesWith({"deletionVectors"}, {}, TableMetadata());
  Add add = MemoryTable::MakeAdd("a");
  add.deletion_vector = Vector("x");
  EXPECT_THAT(RulesOfSecond(Text(add), first), ElementsAre("two-vectors"));
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("a")) + Text(add), first), IsEmpty());
}

TEST(ValidateState, ATxnThatFalls) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + Text(Txn{"app", 5, 1}));
  table.PutCommit(1, Text(Txn{"app", 4, 1}));
  EXPECT_THAT(Rules(table), ElementsAre("txn-falls (warning)"));
}

TEST(ValidateState, ATableWithoutProtocolOrMetadata) {
  EXPECT_THAT(RulesOfFirst(Text(TableMetadata())), ElementsAre("no-protocol"));
  EXPECT_THAT(RulesOfFirst(Text(Protocol())), ElementsAre("no-metadata"));
}

TEST(ValidateState, AppendOnly) {
  const std::string first = Text(Protocol()) + Text(TableMetadata({{"delta.appendOnly", "true"}}));
  EXPECT_THAT(RulesOfSecond(Text(RemoveOf("a")), first), ElementsAre("append-only"));
  Remove moved = RemoveOf("a");
  moved.data_change = false;
  EXPECT_THAT(RulesOfSecond(Text(moved), first), IsEmpty());
}

TEST(ValidateState, InCommitTimestamps) {
  const std::string table =
      LinesWith({}, {"inCommitTimestamp"}, TableMetadata({{"delta.enableInCommitTimestamps", "true"}}));
  // Reader version 1 is enough for a feature of writers alone.
  const std::string first = Text(CommitInfo{.in_commit_timestamp_millis = 10}) + table;
  EXPECT_THAT(RulesOfFirst(first), IsEmpty());
  EXPECT_THAT(RulesOfFirst(table + Text(CommitInfo{.in_commit_timestamp_millis = 10})),
              ElementsAre("commit-info-first"));
  EXPECT_THAT(RulesOfFirst(table), ElementsAre("commit-info-first"));
  EXPECT_THAT(RulesOfFirst(Text(CommitInfo()) + table), ElementsAre("in-commit-timestamp"));
  EXPECT_THAT(RulesOfSecond(Text(CommitInfo{.in_commit_timestamp_millis = 10}), first),
              ElementsAre("in-commit-timestamp"));
  EXPECT_THAT(RulesOfSecond(Text(CommitInfo{.in_commit_timestamp_millis = 11}), first), IsEmpty());
}

// Protocol and metaData.

TEST(ValidateProtocol, ListsOfFeatures) {
  using List = std::vector<std::string>;
  const std::string metadata = Text(TableMetadata());
  const auto rules = [&](const Protocol& protocol) { return RulesOfFirst(Text(protocol) + metadata); };
  const List vectors = {"deletionVectors"};
  EXPECT_THAT(rules({3, 7, vectors, vectors}), IsEmpty());
  EXPECT_THAT(rules({1, 7, std::nullopt, List{"appendOnly"}}), IsEmpty());
  EXPECT_THAT(rules({2, 7, std::nullopt, List{"columnMapping"}}), IsEmpty());
  EXPECT_THAT(rules({3, 7, std::nullopt, List{}}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({3, 7, List{}, std::nullopt}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({3, 6, List{}, std::nullopt}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({1, 2, List{}, std::nullopt}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({1, 7, std::nullopt, vectors}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({3, 7, vectors, List{}}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({3, 7, List{}, vectors}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({3, 7, List{"appendOnly"}, List{"appendOnly"}}), ElementsAre("feature-lists"));
  EXPECT_THAT(rules({1, 7, std::nullopt, List{"tomorrow"}}), ElementsAre("feature-unknown (warning)"));
  EXPECT_THAT(rules({4, 7, List{}, List{}}), ElementsAre("protocol-version"));
  EXPECT_THAT(rules({3, 8, List{}, List{}}), ElementsAre("protocol-version"));
}

TEST(ValidateProtocol, WhatIsUsedMustBeListed) {
  const std::string plain = Text(Protocol{3, 7, std::vector<std::string>{}, std::vector<std::string>{}});
  EXPECT_THAT(RulesOfFirst(plain + Text(TableMetadata({{"delta.enableDeletionVectors", "true"}}))),
              ElementsAre("feature-missing"));
  EXPECT_THAT(RulesOfFirst(FirstLines() + Text(DomainMetadata{"d", "", false})), ElementsAre("feature-missing"));
  Add add = MemoryTable::MakeAdd("b");
  add.deletion_vector = Vector("x");
  EXPECT_THAT(RulesOfFirst(FirstLines() + Text(add)), ElementsAre("feature-missing"));
  Metadata zoneless = TableMetadata();
  zoneless.schema_string =
      *columnar::SchemaToDeltaJson(*arrow::schema({arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO))}));
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(zoneless)), ElementsAre("feature-missing"));
}

TEST(ValidateMetadata, TheSchema) {
  Metadata metadata = TableMetadata();
  metadata.schema_string = "{}";
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(metadata)), ElementsAre("schema"));
  const auto column = [](const std::string& name, const std::string& type) {
    return R"({"name":")" + name + R"(","nullable":true,"metadata":{},"type":)" + type + "}";
  };
  const auto record = [](const std::string& fields) { return R"({"type":"struct","fields":[)" + fields + "]}"; };
  const std::string twice = column("a", R"("byte")") + "," + column("A", R"("byte")");
  for (const std::string& fields : {twice, column("s", record(twice)), column("b", R"("byte")")}) {
    metadata.schema_string = record(fields);
    EXPECT_EQ(RulesOfFirst(Text(Protocol()) + Text(metadata)).size(), fields.find("A") == std::string::npos ? 0u : 1u)
        << fields;
  }
  metadata.schema_string =
      R"({"type":"struct","fields":[{"name":"x","type":"interval day","nullable":true,"metadata":{}}]})";
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(metadata)),
              ElementsAre("replay (warning)", "schema-unsupported (warning)"));
}

TEST(ValidateMetadata, PartitionColumns) {
  Metadata metadata = TableMetadata();
  metadata.partition_columns = {"nowhere"};
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(metadata)), ElementsAre("partition-columns"));
  metadata.partition_columns = {"id", "id"};
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(metadata)), ElementsAre("partition-columns"));
}

Metadata Mapped(int id, const std::string& max_id) {
  Metadata metadata =
      TableMetadata({{"delta.columnMapping.mode", "name"}, {"delta.columnMapping.maxColumnId", max_id}});
  metadata.schema_string = R"({"type":"struct","fields":[{"name":"x","type":"long","nullable":true,"metadata":)"
                           R"({"delta.columnMapping.physicalName":"col-1","delta.columnMapping.id":)" +
                           std::to_string(id) + "}}]}";
  return metadata;
}

TEST(ValidateMetadata, ColumnMapping) {
  const std::string protocol = Text(Protocol{2, 5, std::nullopt, std::nullopt});
  EXPECT_THAT(RulesOfFirst(protocol + Text(Mapped(3, "3"))), IsEmpty());
  EXPECT_THAT(RulesOfFirst(protocol + Text(Mapped(3, "2"))), ElementsAre("max-column-id"));
  EXPECT_THAT(RulesOfSecond(Text(Mapped(3, "3")), protocol + Text(Mapped(3, "4"))), ElementsAre("max-column-id"));
  Metadata bare = TableMetadata({{"delta.columnMapping.mode", "name"}});
  EXPECT_THAT(RulesOfFirst(protocol + Text(bare)), ElementsAre("column-mapping"));
  EXPECT_THAT(RulesOfFirst(Text(Protocol()) + Text(Mapped(3, "3"))), ElementsAre("feature-missing"));
}

// Files.

TEST(ValidateAdd, PartitionValues) {
  const auto rules = [](PartitionValues values) {
    Add add = MemoryTable::MakeAdd("b");
    add.partition_values = std::move(values);
    return RulesOfFirst(FirstLines(/*partitioned=*/true) + Text(add));
  };
  EXPECT_THAT(rules({{"day", "2024-02-29"}}), IsEmpty());
  EXPECT_THAT(rules({{"day", std::nullopt}}), IsEmpty());
  EXPECT_THAT(rules({}), ElementsAre("partition-keys"));
  EXPECT_THAT(rules({{"day", "2024-02-29"}, {"id", "1"}}), ElementsAre("partition-keys"));
  EXPECT_THAT(rules({{"day", "yesterday"}}), ElementsAre("partition-value"));
}

TEST(ValidateAdd, Statistics) {
  const auto rules = [](const std::string& stats) {
    return RulesOfFirst(FirstLines() + Text(MemoryTable::MakeAdd("b", stats)));
  };
  EXPECT_THAT(rules(R"({"numRecords":2,"minValues":{"id":1},"maxValues":{"id":2},"nullCount":{"id":0}})"), IsEmpty());
  EXPECT_THAT(rules(R"({"numRecords":2,"minValues":{"id":2},"maxValues":{"id":1}})"), ElementsAre("stats"));
  EXPECT_THAT(rules(R"({"numRecords":2,"nullCount":{"id":3}})"), ElementsAre("stats"));
  EXPECT_THAT(rules("none"), ElementsAre("stats"));
  EXPECT_THAT(rules(R"({"numRecords":2,"minValues":{"id":"1","name":null},"maxValues":{"id":2}})"),
              ElementsAre("stats (warning)"));
  EXPECT_THAT(rules(R"({"numRecords":2,"minValues":{"name":5},"maxValues":{"name":"b"}})"),
              ElementsAre("stats (warning)"));
  for (const char* stats :
       {R"({"numRecords":2,"maxValues":{"name":[]}})", R"({"numRecords":"2"})", R"({"numRecords":-2})",
        R"({"numRecords":2.5})", R"({"minValues":[]})", R"({"maxValues":5})", R"({"nullCount":"0"})",
        R"({"nullCount":{"id":-1}})", R"({"nullCount":{"id":"0"}})", R"({"tightBounds":"yes"})",
        R"({"minValues":{"id":1.5}})", R"({"minValues":{"id":1e30}})"}) {
    EXPECT_THAT(rules(stats), ElementsAre("stats (warning)")) << stats;
  }
}

TEST(ValidateAdd, DeletionVectors) {
  const auto rules = [](const std::string& stats, const std::string& from, const std::string& to) {
    Add add = MemoryTable::MakeAdd("b", stats);
    add.deletion_vector = Vector("x", 3);
    return RulesOfFirst(LinesWith({"deletionVectors"}, {}, TableMetadata()) + Replaced(Text(add), from, to));
  };
  EXPECT_THAT(rules(R"({"numRecords":3})", "", ""), IsEmpty());
  EXPECT_THAT(rules(R"({"numRecords":2})", "", ""), ElementsAre("vector-stats"));
  EXPECT_THAT(rules("", "", ""), ElementsAre("vector-stats"));
  EXPECT_THAT(rules(R"({"numRecords":3})", R"("storageType":"u")", R"("storageType":"q")"), ElementsAre("field-value"));
  EXPECT_THAT(rules(R"({"numRecords":3})", R"("storageType":"u")", R"("storageType":"i")"), ElementsAre("field-value"));
  EXPECT_THAT(rules(R"({"numRecords":3})", R"("cardinality":3)", R"("other":3)"), ElementsAre("required-field"));
}

// What is derived.

/// A table with a checkpoint at version 2; `change` rewrites its log behind it.
std::vector<std::string> RulesOfCheckpointed(const std::function<void(MemoryTable&)>& change) {
  MemoryTable table;
  table.PutCommit(0, FirstLines() + Text(MemoryTable::MakeAdd("a")));
  table.PutCommit(1, Text(Txn{"app", 1, 1}) + Text(MemoryTable::MakeAdd("b")));
  table.PutCommit(2, Text(RemoveOf("a")));
  EXPECT_TRUE(WriteCheckpoint(table.context(), **LoadSnapshot(table.context())).ok());
  change(table);
  return Rules(table);
}

TEST(ValidateCheckpoint, IsTheStateOfItsVersion) {
  EXPECT_THAT(RulesOfCheckpointed([](MemoryTable&) {}), IsEmpty());
  const std::string b = Text(MemoryTable::MakeAdd("b"));
  const std::string txn = Text(Txn{"app", 1, 1});
  Metadata described = TableMetadata();
  described.description = "another";
  const std::string changes[] = {
      txn,
      txn + b + Text(MemoryTable::MakeAdd("c")),
      txn + Replaced(b, R"("size":100)", R"("size":101)"),
      txn + Replaced(b, R"("modificationTime":1)", R"("modificationTime":2)"),
      txn + Replaced(b, R"(:10})", R"(:11})"),
      txn + Replaced(b, R"(,"stats")", R"(,"tags":{"k":"v"},"stats")"),
      b,
      Text(Txn{"app", 2, 1}) + b,
      txn + b + Text(described),
      txn + b + Text(Protocol{1, 3, std::nullopt, std::nullopt}),
  };
  for (const std::string& change : changes) {
    SCOPED_TRACE(change);
    EXPECT_THAT(RulesOfCheckpointed([&](MemoryTable& table) { table.PutCommit(1, change); }),
                ElementsAre("checkpoint"));
  }
  // The tombstone is of a file that is live.
  EXPECT_THAT(RulesOfCheckpointed([&](MemoryTable& table) { table.PutCommit(2, txn); }), ElementsAre("checkpoint"));
}

TEST(ValidateCheckpoint, ThatCannotBeRead) {
  EXPECT_THAT(RulesOfCheckpointed([](MemoryTable& table) { table.Put(CheckpointKey(2), "PAR1"); }),
              ElementsAre("checkpoint"));
}

std::string Checksum(const std::string& fields) {
  const auto inner = [](const std::string& line) {
    const size_t begin = line.find(':') + 1;
    return line.substr(begin, line.rfind('}') - begin);
  };
  return R"({"numMetadata":1,"numProtocol":1,"protocol":)" + inner(Text(Protocol())) + R"(,"metadata":)" +
         inner(Text(TableMetadata())) + fields + "}";
}

TEST(ValidateChecksum, IsTheStateOfItsVersion) {
  const std::string counts = R"(,"tableSizeBytes":100,"numFiles":1)";
  const auto rules = [](const std::string& text) {
    MemoryTable table;
    CommitInfo info;
    info.txn_id = "mine";
    table.PutCommit(0, Text(info) + FirstLines() + Text(MemoryTable::MakeAdd("a")) + Text(Txn{"app", 1, 1}));
    table.Put("_delta_log/00000000000000000000.crc", text);
    return Rules(table);
  };
  const std::string good = Checksum(counts + R"(,"txnId":"mine","setTransactions":[{"appId":"app","version":1}])");
  EXPECT_THAT(rules(good), IsEmpty());
  EXPECT_THAT(rules(Checksum(counts)), IsEmpty());
  const std::pair<std::string, std::string> changes[] = {{R"("tableSizeBytes":100)", R"("tableSizeBytes":99)"},
                                                         {R"("numFiles":1)", R"("numFiles":2)"},
                                                         {R"(,"numFiles":1)", ""},
                                                         {R"("txnId":"mine")", R"("txnId":"theirs")"},
                                                         {R"("appId":"app")", R"("appId":"other")"},
                                                         {R"("version":1)", R"("version":2)"},
                                                         {R"("minWriterVersion":2)", R"("minWriterVersion":1)"},
                                                         {R"("id":"1)", R"("id":"2)"}};
  for (const auto& [from, to] : changes) {
    SCOPED_TRACE(to);
    EXPECT_THAT(rules(Replaced(good, from, to)), ElementsAre("checksum"));
  }
  EXPECT_THAT(rules("?"), ElementsAre("checksum"));
}

TEST(ValidateCompacted, IsWhatItsCommitsLeave) {
  const auto rules = [](const std::string& text) {
    MemoryTable table;
    table.PutCommit(0, FirstLines() + Text(MemoryTable::MakeAdd("a")));
    table.PutCommit(1, Text(CommitInfo()) + Text(MemoryTable::MakeAdd("b")) + Text(Txn{"app", 1, 1}));
    table.PutCommit(2, Text(RemoveOf("a")) + Text(MemoryTable::MakeAdd("c")) + Text(Txn{"app", 2, 1}));
    table.Put("_delta_log/00000000000000000001.00000000000000000002.compacted.json", text);
    return Rules(table);
  };
  const std::string b = Text(MemoryTable::MakeAdd("b"));
  const std::string good = b + Text(MemoryTable::MakeAdd("c")) + Text(RemoveOf("a")) + Text(Txn{"app", 2, 1});
  EXPECT_THAT(rules(good), IsEmpty());
  EXPECT_THAT(rules(Replaced(good, b, "")), ElementsAre("compacted"));
  EXPECT_THAT(rules(Replaced(good, Text(RemoveOf("a")), "")), ElementsAre("compacted"));
  EXPECT_THAT(rules(Replaced(good, "\"version\":2", "\"version\":1")), ElementsAre("compacted"));
  EXPECT_THAT(rules(good + Text(MemoryTable::MakeAdd("d"))), ElementsAre("compacted"));
  EXPECT_THAT(rules(good + Text(CommitInfo())), ElementsAre("compacted"));
  EXPECT_THAT(rules(Replaced(good, "\"size\":100", "\"size\":101")), ElementsAre("compacted"));
}

// Data files.

class ValidateFiles : public ::testing::Test {
 protected:
  ValidateFiles() {
    table_.Create(arrow::schema(columns_));
    table_.Append(columns_, R"([{"id":1,"name":"a"},{"id":2,"name":null}])");
    key_ = table_.DataKeys().front();
  }

  std::vector<std::string> Rules(bool data) {
    ValidateOptions options;
    options.check_files = true;
    options.check_data = data;
    const auto report = ValidateTable(table_.context(), options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? RulesOf(*report) : std::vector<std::string>();
  }

  void TearDown() override { table_.ExpectBroken(); }

  void Change(const std::string& from, const std::string& to) {
    const std::string text = Replaced(*table_.store().Get(CommitKey(1)), from, to);
    EXPECT_TRUE(table_.store().Put(CommitKey(1), AsBytes(text), storage::Precondition::None()).ok());
  }

  const arrow::FieldVector columns_ = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};
  DataTable table_;
  std::string key_;
};

TEST_F(ValidateFiles, AreAsTheLogSays) { EXPECT_THAT(Rules(true), IsEmpty()); }

TEST_F(ValidateFiles, AreMissing) {
  ASSERT_TRUE(table_.store().Delete(key_).ok());
  EXPECT_THAT(Rules(false), ElementsAre("file-missing"));
}

TEST_F(ValidateFiles, HaveAnotherSize) {
  Change("\"size\":", "\"size\":1");
  EXPECT_THAT(Rules(false), ElementsAre("file-size"));
}

TEST_F(ValidateFiles, HoldOtherRowsThanTheirStatisticsSay) {
  Change(R"(\"numRecords\":2)", R"(\"numRecords\":3)");
  EXPECT_THAT(Rules(false), IsEmpty());
  EXPECT_THAT(Rules(true), ElementsAre("stats-records"));
}

TEST_F(ValidateFiles, LieOutsideOfTheirBounds) {
  Change(R"(\"minValues\":{\"id\":1)", R"(\"minValues\":{\"id\":2)");
  EXPECT_THAT(Rules(true), ElementsAre("stats-bounds"));
}

TEST_F(ValidateFiles, HaveOtherNulls) {
  Change(R"(\"name\":1)", R"(\"name\":0)");
  EXPECT_THAT(Rules(true), ElementsAre("stats-nulls"));
}

TEST_F(ValidateFiles, AreNoParquet) {
  const int64_t size = table_.store().Head(key_)->size_bytes;
  const std::string text(static_cast<size_t>(size), 'x');
  ASSERT_TRUE(table_.store().Put(key_, AsBytes(text), storage::Precondition::None()).ok());
  EXPECT_THAT(Rules(true), ElementsAre("file-data"));
}

TEST_F(ValidateFiles, TheDeletionVectorCannotBeRead) {
  // An inline one, whose text is none.
  Change(
      R"("dataChange":true)",
      R"("deletionVector":{"storageType":"i","pathOrInlineDv":"?","sizeInBytes":4,"cardinality":1},"dataChange":true)");
  const auto first = table_.store().Get(CommitKey(0));
  const std::string text = Replaced(
      *first, Text(Protocol()),
      Text(Protocol{3, 7, std::vector<std::string>{"deletionVectors"}, std::vector<std::string>{"deletionVectors"}}));
  ASSERT_TRUE(table_.store().Put(CommitKey(0), AsBytes(text), storage::Precondition::None()).ok());
  EXPECT_THAT(Rules(false), ElementsAre("vector"));
}

/// A table that is far away. Its second commit is answered for once a later one was asked for as well.
class Distant final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key) override {
    if (key == unreadable) return Status::Unavailable("no answer for " + std::string(key));
    if (key == CommitKey(9) && !asked_for_9_.exchange(true)) answer_.set_value();
    if (key == CommitKey(1) && asked_.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      return Status::Unavailable("nothing else was asked for");
    }
    return inner().Open(key);
  }
  std::string uri() const override { return "s3://bucket/t"; }

  std::string unreadable;

 private:
  std::atomic<bool> asked_for_9_ = false;
  std::promise<void> answer_;
  const std::shared_future<void> asked_ = answer_.get_future();
};

TEST(ValidateTest, CommitsThatAreReadAheadAreJudgedAsThoseThatAreNot) {
  MemoryTable table;
  table.ExpectBroken();
  table.PutCommit(0, FirstLines());
  for (int64_t version = 1; version <= 100; ++version) {
    std::string text = Text(MemoryTable::MakeAdd("f" + std::to_string(version)));
    if (version % 31 == 0) text += Text(RemoveOf("never there"));
    if (version == 70) text += R"({"add":{"path":7}})";
    table.PutCommit(version, text);
  }
  const auto near = *ValidateTable(table.context());
  TableContext far = table.context();
  const auto store = std::make_shared<Distant>(far.store);
  far.store = store;
  const auto judged = ValidateTable(far);
  ASSERT_TRUE(judged.ok()) << judged.status().ToString();
  EXPECT_GE(near.errors, 4u);
  EXPECT_EQ(judged->last_version, 100);
  ASSERT_EQ(judged->findings.size(), near.findings.size());
  for (size_t i = 0; i < near.findings.size(); ++i) {
    EXPECT_EQ(judged->findings[i].ToString(), near.findings[i].ToString());
  }
  // A commit that cannot be read fails in its turn.
  store->unreadable = CommitKey(40);
  EXPECT_EQ(ValidateTable(far).status().ToString(), "Unavailable: no answer for " + CommitKey(40));
}

}  // namespace
}  // namespace tarn::delta
