#include "delta/operations/alter_table.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "columnar/field_match.h"
#include "delta/operations/optimize.h"
#include "delta/operations/restore.h"
#include "delta/testing/data_table.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Names = std::vector<std::string>;

std::shared_ptr<arrow::Schema> PlainSchema() {
  const auto place = arrow::struct_({arrow::field("city", arrow::utf8()), arrow::field("zip", arrow::int32())});
  return arrow::schema({arrow::field("id", arrow::int64(), /*nullable=*/false), arrow::field("name", arrow::utf8()),
                        arrow::field("place", place), arrow::field("tags", arrow::list(place)),
                        arrow::field("day", arrow::date32())});
}

constexpr char kRow[] = R"([{"id":1,"name":"a","place":{"city":"x","zip":1},"tags":[{"city":"y","zip":2}]}])";
const PartitionValues kDay = {{"day", "2026-01-01"}};

/// A table whose log and files are checked at the end, too.
class AlterTableTest : public ::testing::Test {
 protected:
  void Make(std::map<std::string, std::string> properties = {}) {
    table_.Create(PlainSchema(), {"day"}, std::move(properties));
  }
  void MakeMapped() {
    Make();
    Must(SetProperties{{{"delta.columnMapping.mode", "name"}}});
  }

  Result<AlterResult> Alter(const TableChange& change, const AlterOptions& options = {}) {
    table_.clock().Advance(kMicrosPerSecond);
    return AlterTable(table_.context(), table_.Latest(), change, options);
  }
  AlterResult Must(const TableChange& change) {
    auto result = Alter(change);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : AlterResult();
  }
  Status Refused(const TableChange& change) {
    const int64_t version = table_.Latest()->version();
    const Status status = Alter(change).status();
    EXPECT_EQ(table_.Latest()->version(), version) << "a refused change left a commit";
    return status;
  }

  /// One row, as the columns are now but for the one that partitions.
  std::shared_ptr<const Snapshot> Append(const std::string& row) {
    arrow::FieldVector fields = table_.Latest()->schema()->fields();
    std::erase_if(fields, [](const auto& field) { return field->name() == "day"; });
    return table_.Append(fields, row, kDay);
  }
  std::shared_ptr<arrow::Field> Column(const std::string& name) {
    return table_.Latest()->schema()->GetFieldByName(name);
  }
  HistoryEntry LastCommit() { return ReadHistory(table_.context(), *table_.Latest(), 1)->front(); }
  std::string MaxColumnId() { return table_.Latest()->metadata().configuration.at("delta.columnMapping.maxColumnId"); }

  DataTable table_;
};

TEST_F(AlterTableTest, ThereIsNoColumnWithoutAnIdThatReadersTake) {
  MakeMapped();
  Metadata metadata = table_.Latest()->metadata();
  metadata.configuration["delta.columnMapping.maxColumnId"] = "2147483647";
  const auto transaction = *Transaction::Begin(table_.context(), table_.Latest());
  ASSERT_TRUE(transaction->SetMetadata(metadata).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  const Status refused = Refused(AddColumns{{{{}, arrow::field("more", arrow::int64()), ColumnPosition()}}});
  EXPECT_TRUE(refused.Is(StatusCode::kInvalidArgument)) << refused.ToString();
  EXPECT_THAT(refused.message(), HasSubstr("'more'"));
}

TEST_F(AlterTableTest, MappingComesToATableWithItsNamesAsTheyAre) {
  Make();
  Append(kRow);
  const auto rows = table_.Rows(*table_.Latest());
  const auto before = Must(SetProperties{{{"delta.columnMapping.mode", "name"}}});
  EXPECT_EQ(before.protocol, (Protocol{2, 5, {}, {}}));
  const auto latest = table_.Latest();
  EXPECT_EQ(latest->protocol(), (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(latest->field_match(), columnar::FieldMatch::kPhysicalName);
  for (const auto& field : latest->schema()->fields()) EXPECT_EQ(columnar::PhysicalName(*field), field->name());
  // Five columns, and two members in each of two structs.
  EXPECT_EQ(MaxColumnId(), "9");
  EXPECT_EQ(columnar::MappingId(*Column("tags")->type()->field(0)->type()->field(1)), 8);
  EXPECT_EQ(columnar::PhysicalName(*Column("place")->type()->field(0)), "city");
  EXPECT_EQ(table_.Rows(*latest), rows);
  Append(kRow);
  EXPECT_EQ(table_.Rows(*table_.Latest()), (Names{rows[0], rows[0]}));
  EXPECT_EQ(LastCommit().version, 3);
}

TEST_F(AlterTableTest, MappingIsKeptOnceItIsThere) {
  MakeMapped();
  EXPECT_TRUE(Must(SetProperties{{{"delta.columnMapping.mode", "name"}}}).is_as_before);
  for (const char* mode : {"none", "id"}) {
    const Status status = Refused(SetProperties{{{"delta.columnMapping.mode", mode}}});
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr(std::string("is name and cannot become ") + mode));
  }
  EXPECT_EQ(Refused(UnsetProperties{{"delta.columnMapping.mode"}}).code(), StatusCode::kUnsupported);
}

TEST_F(AlterTableTest, UnmappedColumnsCannotBeFoundById) {
  Make();
  EXPECT_EQ(Refused(SetProperties{{{"delta.columnMapping.mode", "id"}}}).code(), StatusCode::kUnsupported);
  EXPECT_EQ(Refused(SetProperties{{{"delta.columnMapping.mode", "nmae"}}}).code(), StatusCode::kInvalidArgument);
}

TEST_F(AlterTableTest, NewTablesAreMadeWithMapping) {
  for (const char* mode : {"name", "id"}) {
    DataTable table;
    auto fields = PlainSchema()->fields();
    fields.push_back(arrow::field("any; {name}", arrow::int64()));
    const auto first = table.Create(arrow::schema(fields), {}, {{"delta.columnMapping.mode", mode}});
    EXPECT_EQ(first->protocol(), (Protocol{2, 5, {}, {}}));
    EXPECT_EQ(first->metadata().configuration.at("delta.columnMapping.maxColumnId"), "10");
    for (const auto& field : first->schema()->fields()) {
      EXPECT_THAT(columnar::PhysicalName(*field), ::testing::StartsWith("col-"));
    }
    table.Append(first->schema()->fields(), R"([{"id":1,"name":"a","any; {name}":7}])");
    EXPECT_THAT(table.Rows(*table.Latest()), ElementsAre(HasSubstr("|7")));
  }
}

TEST_F(AlterTableTest, MappingBesideOtherFeaturesIsListedForReadersToo) {
  Make({{"delta.enableDeletionVectors", "true"}});
  Must(SetProperties{{{"delta.columnMapping.mode", "name"}}});
  const Protocol protocol = table_.Latest()->protocol();
  EXPECT_EQ(protocol.min_reader_version, 3);
  EXPECT_EQ(protocol.reader_features, (Names{"columnMapping", "deletionVectors"}));
  EXPECT_EQ(protocol.writer_features, (Names{"appendOnly", "columnMapping", "deletionVectors", "invariants"}));
}

TEST_F(AlterTableTest, RenamedColumnsKeepTheirRowsAtEveryVersion) {
  MakeMapped();
  Append(kRow);
  const auto rows = table_.Rows(*table_.Latest());
  const int64_t before = table_.Latest()->version();
  Must(RenameColumn{{"NAME"}, "title, new"});
  EXPECT_EQ(LastCommit().info.operation, "RENAME COLUMN");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("oldColumnPath"), "name");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("newColumnPath"), "title, new");
  Must(RenameColumn{{"place", "zip"}, "code"});
  EXPECT_EQ(LastCommit().info.operation_parameters.at("newColumnPath"), "place.code");
  Must(RenameColumn{{"tags", "element", "city"}, "town"});
  Must(RenameColumn{{"day"}, "date"});
  const auto latest = table_.Latest();
  EXPECT_EQ(latest->schema()->field_names(), (Names{"id", "title, new", "place", "tags", "date"}));
  EXPECT_EQ(latest->metadata().partition_columns, Names{"date"});
  EXPECT_EQ(Column("tags")->type()->field(0)->type()->field(0)->name(), "town");
  EXPECT_EQ(table_.Rows(*latest).size(), 1U);
  EXPECT_THAT(table_.Rows(*latest)[0], HasSubstr("|1|a|"));
  EXPECT_EQ(latest->Select({Predicate::Compare(Predicate::Op::kEq, 1, std::string("b"))})->size(), 0U) << "statistics";
  const auto past = *LoadSnapshotAt(table_.context(), before);
  EXPECT_EQ(past->schema()->field_names(), PlainSchema()->field_names());
  EXPECT_EQ(table_.Rows(*past), rows);
}

TEST_F(AlterTableTest, ADroppedColumnsFilesAreNotReadUnderItsNameAgain) {
  MakeMapped();
  Append(kRow);
  Must(DropColumns{{{"name"}, {"place", "city"}}});
  EXPECT_EQ(LastCommit().info.operation, "DROP COLUMNS");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("columns"), R"(["name","place.city"])");
  EXPECT_EQ(MaxColumnId(), "9");
  Must(AddColumns{
      {{{}, arrow::field("name", arrow::utf8()), {}}, {{"place"}, arrow::field("city", arrow::utf8()), {}}}});
  EXPECT_EQ(MaxColumnId(), "11");
  EXPECT_THAT(columnar::PhysicalName(*Column("name")), ::testing::StartsWith("col-"));
  const auto rows = table_.Rows(*table_.Latest());
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0], HasSubstr("null"));
  EXPECT_THAT(rows[0], ::testing::Not(HasSubstr("|a")));
}

TEST_F(AlterTableTest, NamesThatAreTakenOrNotThereAreRefused) {
  MakeMapped();
  EXPECT_EQ(Refused(RenameColumn{{"name"}, "ID"}).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Refused(RenameColumn{{"nmae"}, "x"}).code(), StatusCode::kNotFound);
  EXPECT_EQ(Refused(RenameColumn{{"place", "x"}, "y"}).code(), StatusCode::kNotFound);
  EXPECT_EQ(Refused(RenameColumn{{"tags", "element"}, "y"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(RenameColumn{{"name"}, ""}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(AddColumns{{{{}, arrow::field("Place", arrow::int32()), {}}}}).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Refused(AddColumns{{{{"place"}, arrow::field("ZIP", arrow::int32()), {}}}}).code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(Refused(AddColumns{{{{"name"}, arrow::field("a", arrow::int32()), {}}}}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(AddColumns{{{{}, arrow::field("a", arrow::int32(), false), {}}}}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(DropColumns{{{"x"}}}).code(), StatusCode::kNotFound);
  Must(RenameColumn{{"name"}, "Name"});
  EXPECT_TRUE(Must(RenameColumn{{"name"}, "Name"}).is_as_before);
}

TEST_F(AlterTableTest, WithoutMappingTheErrorSaysHowToSwitchItOn) {
  Make();
  for (const TableChange& change : {TableChange(RenameColumn{{"name"}, "title"}), TableChange(DropColumns{{{"name"}}}),
                                    TableChange(AddColumns{{{{}, arrow::field("a b", arrow::int32()), {}}}})}) {
    const Status status = Refused(change);
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr("delta.columnMapping.mode = name"));
  }
}

TEST_F(AlterTableTest, WhatTheTableNeedsIsNotDropped) {
  MakeMapped();
  EXPECT_THAT(Refused(DropColumns{{{"day"}}}).message(), HasSubstr("partitions the table"));
  EXPECT_THAT(Refused(DropColumns{{{"id"}, {"name"}, {"place"}, {"tags"}}}).message(),
              HasSubstr("nothing would be left"));
  EXPECT_THAT(Refused(DropColumns{{{"place", "city"}, {"place", "zip"}}}).message(),
              HasSubstr("place.zip cannot be dropped: nothing would be left"));
  Must(SetProperties{{{"delta.dataSkippingStatsColumns", "id,name"}}});
  EXPECT_THAT(Refused(DropColumns{{{"name"}}}).message(), HasSubstr("delta.dataSkippingStatsColumns names it"));
  EXPECT_EQ(Refused(RenameColumn{{"id"}, "key"}).code(), StatusCode::kInvalidArgument);
}

TEST_F(AlterTableTest, WhatARuleMentionsKeepsItsName) {
  arrow::FieldVector fields = PlainSchema()->fields();
  const std::string invariant = R"({"expression":{"expression":"place.zip > 0"}})";
  fields[2] = fields[2]->WithMetadata(arrow::key_value_metadata({"delta.invariants"}, {invariant}));
  table_.Create(arrow::schema(fields), {"day"},
                {{"delta.columnMapping.mode", "name"}, {"delta.constraints.positive", "ID > 0 or day is null"}});
  EXPECT_EQ(table_.Latest()->protocol(), (Protocol{2, 5, {}, {}}));
  EXPECT_THAT(Refused(RenameColumn{{"id"}, "key"}).message(), HasSubstr("the constraint positive mentions it"));
  EXPECT_THAT(Refused(DropColumns{{{"id"}}}).message(), HasSubstr("the constraint positive mentions it"));
  EXPECT_THAT(Refused(RenameColumn{{"day"}, "date"}).message(), HasSubstr("the constraint positive mentions it"));
  EXPECT_THAT(Refused(DropColumns{{{"place", "zip"}}}).message(), HasSubstr("an invariant of place mentions it"));
  Must(RenameColumn{{"name"}, "title"});
  Must(DropColumns{{{"place", "city"}}});
}

TEST_F(AlterTableTest, ColumnsAreAddedWhereTheyShallBe) {
  Make();
  Must(AddColumns{{{{}, arrow::field("first", arrow::int32()), {.first = true}},
                   {{}, arrow::field("second", arrow::int32()), {.after = "FIRST"}},
                   {{"place"}, arrow::field("street", arrow::utf8()), {.after = "city"}},
                   {{"tags", "element"}, arrow::field("x", arrow::utf8()), {}}}});
  EXPECT_EQ(table_.Latest()->schema()->field_names(), (Names{"first", "second", "id", "name", "place", "tags", "day"}));
  EXPECT_EQ(Column("place")->type()->field(1)->name(), "street");
  EXPECT_EQ(Column("tags")->type()->field(0)->type()->field(2)->name(), "x");
  EXPECT_EQ(table_.Latest()->protocol(), Protocol());
  EXPECT_EQ(LastCommit().info.operation, "ADD COLUMNS");
  EXPECT_THAT(LastCommit().info.operation_parameters.at("columns"),
              HasSubstr(R"("metadata":{}},"position":"after FIRST"})"));
  EXPECT_EQ(Refused(AddColumns{{{{}, arrow::field("z", arrow::int32()), {.after = "nobody"}}}}).code(),
            StatusCode::kNotFound);
}

TEST_F(AlterTableTest, ColumnsMoveAndGetComments) {
  Make();
  Append(kRow);
  Must(ChangeColumn{.column = {"name"}, .position = ColumnPosition{.first = true}});
  Must(ChangeColumn{.column = {"id"}, .position = ColumnPosition{.after = "place"}});
  Must(ChangeColumn{.column = {"place", "zip"}, .position = ColumnPosition{.first = true}});
  EXPECT_EQ(LastCommit().info.operation, "CHANGE COLUMN");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("path"), "place");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("position"), "first");
  EXPECT_EQ(table_.Latest()->schema()->field_names(), (Names{"name", "place", "id", "tags", "day"}));
  EXPECT_EQ(Column("place")->type()->field(0)->name(), "zip");
  EXPECT_THAT(table_.Rows(*table_.Latest())[0], ::testing::StartsWith("|a|"));
  Must(ChangeColumn{.column = {"name"}, .comment = "what it is \"called\""});
  EXPECT_EQ(*Column("name")->metadata()->Get("comment"), "what it is \"called\"");
  EXPECT_TRUE(Must(ChangeColumn{.column = {"name"}, .comment = "what it is \"called\""}).is_as_before);
  Must(ChangeColumn{.column = {"name"}, .comment = ""});
  EXPECT_FALSE(Column("name")->HasMetadata());
  Must(SetTableComment{"of a test"});
  EXPECT_EQ(table_.Latest()->metadata().description, "of a test");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("properties"), R"({"comment":"of a test"})");
  Must(SetTableComment{""});
  EXPECT_EQ(table_.Latest()->metadata().description, std::nullopt);
  EXPECT_EQ(LastCommit().info.operation, "UNSET TBLPROPERTIES");
}

TEST_F(AlterTableTest, NotNullIsCheckedAgainstEveryRow) {
  Make();
  Append(kRow);
  Must(ChangeColumn{.column = {"name"}, .nullable = false});
  EXPECT_FALSE(Column("name")->nullable());
  Must(ChangeColumn{.column = {"name"}, .nullable = true});
  EXPECT_TRUE(Column("name")->nullable());
  Append(R"([{"id":2}])");
  const Status status = Refused(ChangeColumn{.column = {"name"}, .nullable = false});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("null in a row of day=2026-01-01/part-"));
  // The one that partitions, and a struct, which has no statistics.
  Must(ChangeColumn{.column = {"day"}, .nullable = false});
  EXPECT_EQ(Refused(ChangeColumn{.column = {"place"}, .nullable = false}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(ChangeColumn{.column = {"place", "zip"}, .nullable = false}).code(), StatusCode::kUnsupported);
  Must(ChangeColumn{.column = {"id"}, .nullable = true});
}

TEST_F(AlterTableTest, PropertiesAreCheckedByValueAndRaiseWhatTheyNeedAlone) {
  Make();
  Must(
      SetProperties{{{"owner", "me"}, {"DELTA.APPENDONLY", "true"}, {"delta.logRetentionDuration", "interval 1 day"}}});
  EXPECT_EQ(table_.Latest()->protocol(), Protocol());
  EXPECT_EQ(table_.Latest()->metadata().configuration.at("delta.appendOnly"), "true");
  EXPECT_EQ(LastCommit().info.operation, "SET TBLPROPERTIES");
  EXPECT_THAT(LastCommit().info.operation_parameters.at("properties"), HasSubstr(R"("owner":"me")"));
  EXPECT_TRUE(Must(SetProperties{{{"owner", "me"}}}).is_as_before);
  EXPECT_EQ(Refused(SetProperties{{{"delta.appendOnly", "yes"}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(SetProperties{{{"delta.logRetentionDuration", "a while"}}}).code(), StatusCode::kInvalidArgument);
  // As Spark, which refuses them too.
  for (const char* varies : {"interval 1 month", "1 year", "interval 1 year 2 days"}) {
    const Status refused = Refused(SetProperties{{{"delta.deletedFileRetentionDuration", varies}}});
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(refused.message(),
                HasSubstr("the table property delta.deletedFileRetentionDuration takes an interval"));
    EXPECT_THAT(refused.message(), HasSubstr("months and years vary in length), not '" + std::string(varies) + "'"));
  }
  EXPECT_EQ(Refused(SetProperties{{{"delta.checkpointInterval", "0"}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(SetProperties{{{"delta.unheardOf", "1"}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refused(SetProperties{{{"delta.columnMapping.maxColumnId", "1"}}}).code(), StatusCode::kInvalidArgument);
  Must(UnsetProperties{{"owner", "delta.appendOnly"}});
  EXPECT_EQ(LastCommit().info.operation, "UNSET TBLPROPERTIES");
  EXPECT_EQ(LastCommit().info.operation_parameters.at("properties"), R"(["owner","delta.appendOnly"])");
  EXPECT_FALSE(table_.Latest()->metadata().configuration.contains("owner"));
  EXPECT_EQ(Refused(UnsetProperties{{"owner"}}).code(), StatusCode::kNotFound);
  Must(SetProperties{{{"delta.enableChangeDataFeed", "true"}}});
  EXPECT_EQ(table_.Latest()->protocol(), (Protocol{1, 4, {}, {}}));
  Must(SetProperties{{{"delta.enableDeletionVectors", "true"}}});
  const Protocol protocol = table_.Latest()->protocol();
  EXPECT_EQ(protocol.reader_features, Names{"deletionVectors"});
  EXPECT_EQ(protocol.writer_features, (Names{"appendOnly", "changeDataFeed", "checkConstraints", "deletionVectors",
                                             "generatedColumns", "invariants"}));
}

TEST_F(AlterTableTest, InCommitTimestampsSayWhereTheyBegin) {
  Make();
  Append(kRow);
  Must(SetProperties{{{"delta.enableInCommitTimestamps", "true"}}});
  const auto latest = table_.Latest();
  EXPECT_EQ(latest->protocol().min_reader_version, 1);
  EXPECT_EQ(latest->protocol().writer_features, (Names{"appendOnly", "inCommitTimestamp", "invariants"}));
  const auto& properties = latest->metadata().configuration;
  EXPECT_EQ(properties.at("delta.inCommitTimestampEnablementVersion"), "2");
  EXPECT_EQ(properties.at("delta.inCommitTimestampEnablementTimestamp"), std::to_string(latest->timestamp_millis()));
  Append(kRow);
  EXPECT_GT(table_.Latest()->timestamp_millis(), latest->timestamp_millis());
}

TEST_F(AlterTableTest, FeaturesAreAddedByName) {
  Make();
  Must(SetProperties{{{"delta.feature.V2CHECKPOINT", "supported"}}});
  EXPECT_EQ(table_.Latest()->protocol().reader_features, Names{"v2Checkpoint"});
  EXPECT_TRUE(table_.Latest()->metadata().configuration.empty()) << "a feature is no property";
  Must(SetProperties{{{"delta.feature.domainMetadata", "supported"}}});
  EXPECT_EQ(table_.Latest()->protocol().writer_features,
            (Names{"appendOnly", "domainMetadata", "invariants", "v2Checkpoint"}));
  EXPECT_TRUE(Must(SetProperties{{{"delta.feature.domainMetadata", "supported"}}}).is_as_before);
  for (const char* name : {"rowTracking", "catalogManaged", "fromTheFuture", "typeWidening-preview"}) {
    const Status status = Refused(SetProperties{{{std::string("delta.feature.") + name, "supported"}}});
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr(name));
  }
  EXPECT_EQ(Refused(SetProperties{{{"delta.feature.domainMetadata", "on"}}}).code(), StatusCode::kInvalidArgument);
}

TEST_F(AlterTableTest, UpgradesNameWhatTheOldVersionImplied) {
  Make();
  Must(UpgradeProtocol{1, 4});
  EXPECT_EQ(table_.Latest()->protocol(), (Protocol{1, 4, {}, {}}));
  EXPECT_EQ(LastCommit().info.operation, "UPGRADE PROTOCOL");
  EXPECT_THAT(LastCommit().info.operation_parameters.at("newProtocol"), HasSubstr(R"("minWriterVersion":4)"));
  Must(UpgradeProtocol{2, 5});
  EXPECT_EQ(table_.Latest()->field_match(), columnar::FieldMatch::kName) << "able to map columns, but not told to";
  Must(UpgradeProtocol{3, 7});
  const Protocol protocol = table_.Latest()->protocol();
  EXPECT_EQ(protocol.reader_features, Names{"columnMapping"});
  EXPECT_EQ(protocol.writer_features, (Names{"appendOnly", "changeDataFeed", "checkConstraints", "columnMapping",
                                             "generatedColumns", "invariants"}));
  EXPECT_TRUE(Must(UpgradeProtocol{3, 7}).is_as_before);
  for (const auto& [reader, writer] :
       std::vector<std::pair<int, int>>{{3, 6}, {2, 4}, {0, 7}, {4, 7}, {3, 8}, {1, 2}}) {
    EXPECT_EQ(Refused(UpgradeProtocol{reader, writer}).code(), StatusCode::kInvalidArgument) << reader << writer;
  }
}

TEST_F(AlterTableTest, ADryRunSaysWhatItWouldDoAndCommitsNothing) {
  Make();
  const auto result = Alter(SetProperties{{{"delta.columnMapping.mode", "name"}}}, {.dry_run = true});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_FALSE(result->is_as_before);
  EXPECT_EQ(result->protocol, (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(result->snapshot->version(), 0);
  EXPECT_EQ(table_.Latest()->version(), 0);
  EXPECT_EQ(Alter(RenameColumn{{"name"}, "x"}, {.dry_run = true}).status().code(), StatusCode::kUnsupported);
}

TEST_F(AlterTableTest, AppendsAndCompactionAreInNobodysWayButNotNulls) {
  MakeMapped();
  Append(kRow);
  const auto pinned = table_.Latest();
  Append(kRow);
  ASSERT_TRUE(Optimize(table_.context(), table_.Latest(), {}).ok());
  const auto renamed = AlterTable(table_.context(), pinned, RenameColumn{{"name"}, "title"});
  ASSERT_TRUE(renamed.ok()) << renamed.status().ToString();
  EXPECT_EQ(renamed->snapshot->version(), pinned->version() + 3);
  EXPECT_EQ(table_.Rows(*table_.Latest()).size(), 2U);
  // A table pinned before is still read as it was.
  EXPECT_EQ(table_.Rows(*pinned).size(), 1U);
  EXPECT_EQ(pinned->schema()->GetFieldIndex("title"), -1);
  const auto stale = AlterTable(table_.context(), pinned, ChangeColumn{.column = {"name"}, .comment = "late"});
  EXPECT_EQ(stale.status().code(), StatusCode::kConflict);

  const auto looked = table_.Latest();
  Append(R"([{"id":3,"title":"c"}])");
  const auto required = AlterTable(table_.context(), looked, ChangeColumn{.column = {"title"}, .nullable = false});
  EXPECT_EQ(required.status().code(), StatusCode::kConflict) << "a row came in that nobody has looked at";
}

TEST_F(AlterTableTest, AChangeIsPlannedAnewBehindOthersWhereItIsToldTo) {
  MakeMapped();
  const auto pinned = table_.Latest();
  Must(SetProperties{{{"a", "1"}}});
  const AlterOptions again{.max_attempts = 2};
  const auto set = AlterTable(table_.context(), pinned, SetProperties{{{"b", "2"}}}, again);
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  EXPECT_EQ(set->metadata.configuration.at("a"), "1");
  EXPECT_EQ(set->metadata.configuration.at("b"), "2");
  const auto added =
      AlterTable(table_.context(), pinned, AddColumns{{{{}, arrow::field("more", arrow::int64()), {}}}}, again);
  ASSERT_TRUE(added.ok()) << added.status().ToString();
  EXPECT_EQ(table_.Latest()->metadata().configuration.at("b"), "2");
  // What no longer fits is refused as the table is by now.
  const auto twice =
      AlterTable(table_.context(), pinned, AddColumns{{{{}, arrow::field("more", arrow::int64()), {}}}}, again);
  EXPECT_EQ(twice.status().code(), StatusCode::kAlreadyExists);
  // And so is what was so already.
  const auto same = AlterTable(table_.context(), pinned, SetProperties{{{"a", "1"}}}, again);
  ASSERT_TRUE(same.ok()) << same.status().ToString();
  EXPECT_TRUE(same->is_as_before);
}

TEST_F(AlterTableTest, WhatIsNoPropertyIsRefusedByName) {
  Make();
  for (const std::string name : {"", "delta.constraints.x", "DELTA.Constraints.x"}) {
    const auto set = AlterTable(table_.context(), table_.Latest(), SetProperties{{{name, "id > 0"}}});
    EXPECT_EQ(set.status().code(), StatusCode::kInvalidArgument) << name;
    const auto unset = AlterTable(table_.context(), table_.Latest(), UnsetProperties{{name}});
    EXPECT_EQ(unset.status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(unset.status().message(), HasSubstr(name.empty() ? "needs a name" : "--drop-constraint"));
  }
}

TEST_F(AlterTableTest, AnAppendPlannedBeforeARenameConflictsAndIsPlannedAnew) {
  MakeMapped();
  const auto pinned = table_.Latest();
  const auto late = *Transaction::Begin(table_.context(), pinned);
  Must(RenameColumn{{"name"}, "title"});
  EXPECT_EQ(late->Commit().status().code(), StatusCode::kConflict);
  Append(R"([{"id":5,"title":"new"}])");
  EXPECT_THAT(table_.Rows(*table_.Latest()), ElementsAre(HasSubstr("|5|new|")));
}

TEST_F(AlterTableTest, RestoringGoesBackBehindARename) {
  MakeMapped();
  Append(kRow);
  const int64_t version = table_.Latest()->version();
  Must(DropColumns{{{"tags"}}});
  Must(AddColumns{{{{}, arrow::field("more", arrow::int64()), {}}}});
  Must(RenameColumn{{"name"}, "title"});
  const std::string highest = MaxColumnId();
  ASSERT_TRUE(Restore(table_.context(), table_.Latest(), version).ok());
  EXPECT_EQ(table_.Latest()->schema()->field_names(), PlainSchema()->field_names());
  EXPECT_EQ(MaxColumnId(), highest);
}

TEST(ColumnPathTest, NamesWithDotsStandInBackquotes) {
  EXPECT_EQ(*ParseColumnPath("a"), ColumnPath{"a"});
  EXPECT_EQ(*ParseColumnPath("a.b c.d"), (ColumnPath{"a", "b c", "d"}));
  EXPECT_EQ(*ParseColumnPath("`a.b`.`c``d`"), (ColumnPath{"a.b", "c`d"}));
  EXPECT_EQ(ColumnPathText({"a.b", "c`d", "e"}), "`a.b`.`c``d`.e");
  for (const char* text : {"", ".", "a.", ".a", "a..b", "`a", "`a`b", "``"}) {
    EXPECT_EQ(ParseColumnPath(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ColumnPathTest, AMentionIsAWord) {
  EXPECT_TRUE(MayMention("price > 0 and Price < 9", "price"));
  EXPECT_TRUE(MayMention("`a b` is not null", "a b"));
  EXPECT_FALSE(MayMention("prices > 0 or unit_price > 1", "price"));
  EXPECT_FALSE(MayMention("kind = 'price' or note = 'it''s price'", "price"));
  // Where texts may begin otherwise, what is in them counts.
  EXPECT_TRUE(MayMention(R"(kind = "price")", "price"));
  EXPECT_TRUE(MayMention(R"(kind = 'x\'y' and price > 'z')", "price"));
  EXPECT_TRUE(MayMention("kind = 'open price", "price"));
}

}  // namespace
}  // namespace tarn::delta
