#include "delta/protocol_features.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

namespace tarn::delta {
namespace {

/// What may be done with a table that lists a feature.
enum class May : uint8_t { kWrite, kRead, kNothing };

struct FeatureCase {
  const char* name;
  /// The table lists it and does not use it.
  May listed;
  /// It also uses it, which a property or a field's metadata shows; "" when listing is using.
  May used;
  const char* property = "";
  const char* value = "true";
  const char* field_metadata = "";
};

// Every feature of PROTOCOL.md, "Valid Feature Names in Table Features", and the previews that are about.
const FeatureCase kCases[] = {
    {"appendOnly", May::kWrite, May::kWrite, "delta.appendOnly"},
    {"invariants", May::kWrite, May::kWrite, "", "", "delta.invariants"},
    {"checkConstraints", May::kWrite, May::kWrite, "delta.constraints.positive", "id > 0"},
    {"changeDataFeed", May::kWrite, May::kWrite, "delta.enableChangeDataFeed"},
    {"generatedColumns", May::kWrite, May::kRead, "", "", "delta.generationExpression"},
    {"columnMapping", May::kWrite, May::kWrite, "delta.columnMapping.mode", "name"},
    {"identityColumns", May::kWrite, May::kRead, "", "", "delta.identity.start"},
    {"timestampNtz", May::kWrite, May::kWrite},
    {"vacuumProtocolCheck", May::kWrite, May::kWrite},
    {"domainMetadata", May::kWrite, May::kWrite},
    {"inCommitTimestamp", May::kWrite, May::kWrite, "delta.enableInCommitTimestamps"},
    {"deletionVectors", May::kWrite, May::kWrite, "delta.enableDeletionVectors"},
    {"v2Checkpoint", May::kWrite, May::kWrite, "delta.checkpointPolicy", "v2"},
    {"typeWidening", May::kWrite, May::kWrite, "", "", "delta.typeChanges"},
    {"typeWidening-preview", May::kWrite, May::kWrite, "", "", "delta.typeChanges"},
    {"variantType", May::kRead, May::kRead},
    {"variantType-preview", May::kRead, May::kRead},
    {"allowColumnDefaults", May::kWrite, May::kRead, "", "", "CURRENT_DEFAULT"},
    {"icebergCompatV1", May::kWrite, May::kRead, "delta.enableIcebergCompatV1"},
    {"icebergCompatV2", May::kWrite, May::kRead, "delta.enableIcebergCompatV2"},
    {"rowTracking", May::kRead, May::kRead, "delta.enableRowTracking"},
    {"clustering", May::kRead, May::kRead},
    {"variantShredding-preview", May::kNothing, May::kNothing},
    {"catalogManaged", May::kNothing, May::kNothing},
    {"fromTheFuture", May::kNothing, May::kNothing},
};

void ExpectMay(May may, const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema,
               const std::string& name) {
  const Status read = CheckReadable(protocol, metadata, schema);
  const Status write = CheckWritable(protocol, metadata, schema);
  EXPECT_EQ(read.code(), may == May::kNothing ? StatusCode::kUnsupported : StatusCode::kOk) << read.ToString();
  EXPECT_EQ(write.code(), may == May::kWrite ? StatusCode::kOk : StatusCode::kUnsupported) << write.ToString();
  for (const Status& refused : {read, write}) {
    EXPECT_TRUE(refused.ok() || refused.message().find(" " + name + ",") != std::string::npos) << refused.ToString();
  }
}

TEST(ProtocolFeatures, EveryFeatureIsTakenOrRefusedByName) {
  for (const FeatureCase& feature : kCases) {
    SCOPED_TRACE(feature.name);
    const std::vector<std::string> names = {feature.name};
    const Protocol protocol = {3, 7, names, names};
    Metadata metadata;
    auto field = arrow::field("id", arrow::int64());
    ExpectMay(feature.listed, protocol, metadata, *arrow::schema({field}), feature.name);
    if (*feature.property != '\0') metadata.configuration[feature.property] = feature.value;
    if (*feature.field_metadata != '\0') {
      field = field->WithMetadata(arrow::key_value_metadata({feature.field_metadata}, {"1"}));
    }
    ExpectMay(feature.used, protocol, metadata, *arrow::schema({field}), feature.name);
    // Deep inside a column is in use as well.
    field = arrow::field("outer", arrow::list(arrow::struct_({field})));
    ExpectMay(feature.used, protocol, metadata, *arrow::schema({field}), feature.name);
  }
}

TEST(ProtocolFeatures, AWriterFeatureIsNoObstacleToReading) {
  for (const char* name : {"rowTracking", "fromTheFuture"}) {
    const Protocol protocol = {1, 7, std::nullopt, std::vector<std::string>{name}};
    ExpectMay(May::kRead, protocol, {}, *arrow::schema({arrow::field("id", arrow::int64())}), name);
  }
}

TEST(ProtocolFeatures, OldVersionsImplyTheFeaturesOfTheirTime) {
  const auto plain = arrow::schema({arrow::field("id", arrow::int64())});
  for (int version = 1; version <= 6; ++version) {
    EXPECT_TRUE(CheckWritable({version >= 5 ? 2 : 1, version, {}, {}}, {}, *plain).ok()) << version;
  }
  Metadata mapped;
  mapped.configuration["delta.columnMapping.mode"] = "id";
  ExpectMay(May::kWrite, {2, 5, {}, {}}, mapped, *plain, "columnMapping");
  const auto generated = arrow::schema({arrow::field(
      "id", arrow::int64(), true, arrow::key_value_metadata({"delta.generationExpression"}, {"id + 1"}))});
  ExpectMay(May::kWrite, {1, 3, {}, {}}, {}, *generated, "generatedColumns");
  ExpectMay(May::kRead, {1, 4, {}, {}}, {}, *generated, "generatedColumns");
}

TEST(ProtocolFeatures, UnknownVersionsAndContradictionsAreRefused) {
  const auto plain = arrow::schema({arrow::field("id", arrow::int64())});
  EXPECT_EQ(CheckReadable({4, 7, {}, {}}, {}, *plain).code(), StatusCode::kUnsupported);
  EXPECT_EQ(CheckWritable({1, 8, {}, {}}, {}, *plain).code(), StatusCode::kUnsupported);
  EXPECT_EQ(CheckReadable({3, 7, {}, {}}, {}, *plain).code(), StatusCode::kCorruption);
  EXPECT_EQ(CheckWritable({1, 7, {}, {}}, {}, *plain).code(), StatusCode::kCorruption);
  const std::vector<std::string> vectors = {"deletionVectors"};
  const Status old_writer = CheckReadable({3, 5, vectors, {}}, {}, *plain);
  EXPECT_EQ(old_writer.code(), StatusCode::kCorruption);
  EXPECT_NE(old_writer.message().find("requires writer version 7"), std::string::npos);
  const Status readers_alone = CheckReadable({3, 7, vectors, std::vector<std::string>{"appendOnly"}}, {}, *plain);
  EXPECT_EQ(readers_alone.code(), StatusCode::kCorruption);
  EXPECT_NE(readers_alone.message().find("deletionVectors"), std::string::npos);
}

TEST(ProtocolFeatures, RowTrackingIsNoObstacleWhereItIsSuspended) {
  const auto plain = arrow::schema({arrow::field("id", arrow::int64())});
  const Protocol protocol = {1, 7, std::nullopt, std::vector<std::string>{"domainMetadata", "rowTracking"}};
  Metadata metadata;
  metadata.configuration["delta.rowTrackingSuspended"] = "true";
  EXPECT_TRUE(CheckWritable(protocol, metadata, *plain).ok());
  EXPECT_TRUE(FeaturesInUse(metadata, *plain).empty());
  metadata.configuration["delta.enableRowTracking"] = "true";
  ExpectMay(May::kRead, protocol, metadata, *plain, "rowTracking");
  metadata.configuration = {{"delta.rowTrackingSuspended", "false"}};
  ExpectMay(May::kRead, protocol, metadata, *plain, "rowTracking");
}

using Names = std::vector<std::string>;

TEST(ProtocolFeatures, WhatIsInUseIsKnownFromPropertiesAndColumns) {
  const auto plain = arrow::schema({arrow::field("id", arrow::int64())});
  Metadata metadata;
  metadata.configuration = {{"delta.enableChangeDataFeed", "false"}, {"delta.columnMapping.mode", "none"}};
  EXPECT_EQ(FeaturesInUse(metadata, *plain), std::set<std::string>());
  metadata.configuration = {{"delta.enableChangeDataFeed", "TRUE"},  {"delta.columnMapping.mode", "id"},
                            {"delta.enableDeletionVectors", "true"}, {"delta.enableInCommitTimestamps", "true"},
                            {"delta.checkpointPolicy", "v2"},        {"delta.appendOnly", "true"},
                            {"delta.constraints.c", "id > 0"}};
  const auto zoneless = arrow::list(arrow::timestamp(arrow::TimeUnit::MICRO));
  EXPECT_EQ(FeaturesInUse(metadata, *arrow::schema({arrow::field("times", zoneless)})),
            (std::set<std::string>{"appendOnly", "changeDataFeed", "checkConstraints", "columnMapping",
                                   "deletionVectors", "inCommitTimestamp", "timestampNtz", "v2Checkpoint"}));
}

TEST(ProtocolFeatures, TheProtocolIsRaisedAsLittleAsCanBe) {
  EXPECT_EQ(*RaiseFor({}, {}), Protocol());
  EXPECT_EQ(*RaiseFor({}, {"appendOnly", "invariants"}), Protocol());
  EXPECT_EQ(*RaiseFor({}, {"checkConstraints"}), (Protocol{1, 3, {}, {}}));
  EXPECT_EQ(*RaiseFor({}, {"columnMapping"}), (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(*RaiseFor({2, 5, {}, {}}, {"checkConstraints"}), (Protocol{2, 5, {}, {}}));
  EXPECT_EQ(*RaiseFor({}, {"deletionVectors"}),
            (Protocol{3, 7, Names{"deletionVectors"}, Names{"appendOnly", "deletionVectors", "invariants"}}));
  EXPECT_EQ(*RaiseFor({}, {"domainMetadata"}),
            (Protocol{1, 7, {}, Names{"appendOnly", "domainMetadata", "invariants"}}));
  // Behind lists everything is listed, and no more than that.
  EXPECT_EQ(*RaiseFor({1, 7, {}, Names{"appendOnly"}}, {"checkConstraints"}),
            (Protocol{1, 7, {}, Names{"appendOnly", "checkConstraints"}}));
  EXPECT_EQ(*RaiseFor({1, 7, {}, Names{}}, {"columnMapping"}),
            (Protocol{3, 7, Names{"columnMapping"}, Names{"columnMapping"}}));
  EXPECT_EQ(*RaiseFor({2, 5, {}, {}}, {"deletionVectors"}),
            (Protocol{3, 7, Names{"columnMapping", "deletionVectors"},
                      Names{"appendOnly", "changeDataFeed", "checkConstraints", "columnMapping", "deletionVectors",
                            "generatedColumns", "invariants"}}));
  const Protocol listed = {3, 7, Names{"v2Checkpoint"}, Names{"v2Checkpoint", "fromTheFuture"}};
  EXPECT_EQ(*RaiseFor(listed, {"v2Checkpoint"}), listed);
  EXPECT_EQ(RaiseFor({}, {"rowTracking"}).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(RaiseFor({}, {"fromTheFuture"}).status().code(), StatusCode::kUnsupported);
}

TEST(ProtocolFeatures, PropertiesThatAreNumbers) {
  const std::tuple<const char*, const char*, int64_t> cases[] = {
      {"delta.checkpointInterval", "7", 7},           {"delta.checkpointInterval", "0", 10},
      {"delta.checkpointInterval", "-3", 10},         {"delta.checkpointInterval", "7 commits", 10},
      {"delta.checkpointInterval", "", 10},           {"delta.checkpointInterval", "99999999999999999999", 10},
      {"delta.dataSkippingNumIndexedCols", "0", 0},   {"delta.dataSkippingNumIndexedCols", "-1", -1},
      {"delta.dataSkippingNumIndexedCols", "-2", 10}, {"delta.columnMapping.maxColumnId", "12", 12},
      {"delta.columnMapping.maxColumnId", "x", 10}};
  for (const auto& [name, value, number] : cases) {
    EXPECT_EQ(PropertyNumber({.configuration = {{name, value}}}, name, 10), number) << name << " = " << value;
  }
  EXPECT_EQ(PropertyNumber({}, "delta.checkpointInterval", 10), 10);
}

TEST(ProtocolFeatures, OldVersionsStandForFeatures) {
  EXPECT_EQ(FeaturesOf({1, 2, {}, {}}), (std::set<std::string>{"appendOnly", "invariants"}));
  EXPECT_EQ(FeaturesOf({2, 5, {}, {}}), (std::set<std::string>{"appendOnly", "changeDataFeed", "checkConstraints",
                                                               "columnMapping", "generatedColumns", "invariants"}));
  const std::vector<std::string> listed = {"timestampNtz"};
  EXPECT_EQ(FeaturesOf({3, 7, listed, listed}), (std::set<std::string>{"timestampNtz"}));
}

}  // namespace
}  // namespace tarn::delta
