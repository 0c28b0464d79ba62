#include "columnar/delta_schema.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::columnar {
namespace {

using testing::HasSubstr;

std::string Struct(const std::string& fields) { return R"({"type":"struct","fields":[)" + fields + "]}"; }
std::string Column(const std::string& type) {
  return Struct(R"({"name":"c","type":)" + type + R"(,"nullable":true,"metadata":{}})");
}

std::string Named(const std::string& type) { return Column("\"" + type + "\""); }

TEST(DeltaSchema, EveryPrimitiveTypeSurvivesTheRoundTrip) {
  const std::pair<const char*, std::shared_ptr<arrow::DataType>> types[] = {
      {"byte", arrow::int8()},
      {"short", arrow::int16()},
      {"integer", arrow::int32()},
      {"long", arrow::int64()},
      {"float", arrow::float32()},
      {"double", arrow::float64()},
      {"boolean", arrow::boolean()},
      {"string", arrow::utf8()},
      {"binary", arrow::binary()},
      {"date", arrow::date32()},
      {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {"timestamp_ntz", arrow::timestamp(arrow::TimeUnit::MICRO)},
      {"decimal(38,18)", arrow::decimal128(38, 18)},
      {"void", arrow::null()},
  };
  for (const auto& [name, type] : types) {
    const std::string json = Named(name);
    const auto schema = SchemaFromDeltaJson(json);
    ASSERT_TRUE(schema.ok()) << name << schema.status().ToString();
    EXPECT_TRUE((*schema)->field(0)->type()->Equals(type)) << name;
    EXPECT_EQ(DeltaTypeName(*type), name);
    EXPECT_EQ(*SchemaToDeltaJson(**schema), json);
  }
}

TEST(DeltaSchema, NestedTypesKeepNullabilityAndMetadata) {
  const std::string json = Struct(
      R"({"name":"m","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":)"
      R"({"type":"struct","fields":[{"name":"x.y","type":"date","nullable":false,"metadata":)"
      R"({"delta.columnMapping.id":7,"delta.columnMapping.physicalName":"col-7","comment":"ä \"q\" \u0001"}}]},)"
      R"("containsNull":false},"valueContainsNull":true},"nullable":false,"metadata":{"a":[1,{"b":null}],"t":true}})");
  const auto schema = SchemaFromDeltaJson(json);
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  EXPECT_EQ(*SchemaToDeltaJson(**schema), json);
  const arrow::Field& field = *(*schema)->field(0);
  EXPECT_FALSE(field.nullable());
  EXPECT_EQ(*field.metadata()->Get("json:a"), R"([1,{"b":null}])");
  EXPECT_EQ(DeltaTypeName(*field.type()), "map<string,array<struct<x.y:date>>>");
  const auto& inner = field.type()->field(0)->type()->field(1)->type()->field(0)->type()->field(0);
  EXPECT_EQ(*inner->metadata()->Get("json:delta.columnMapping.id"), "7");
  EXPECT_EQ(*inner->metadata()->Get("delta.columnMapping.physicalName"), "col-7");
}

TEST(DeltaSchema, MetadataKeysThatLookLikeOurPrefixStayStrings) {
  const std::string json = Struct(
      R"({"name":"c","type":"long","nullable":true,"metadata":{"json:x":"[1","json:y":2,"PARQUET:field_id":"3"}})");
  const auto schema = SchemaFromDeltaJson(json);
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(*SchemaToDeltaJson(**schema), json);
}

TEST(DeltaSchema, OrderOfJsonMembersDoesNotMatter) {
  const auto schema = SchemaFromDeltaJson(
      R"({"fields":[{"metadata":{},"nullable":false,"type":{"containsNull":true,"elementType":"long","type":"array"},)"
      R"("name":"a"}],"type":"struct"})");
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  EXPECT_EQ((*schema)->field(0)->ToString(), "a: list<element: int64> not null");
}

TEST(DeltaSchema, UnknownTypesAreRefusedByColumnAndName) {
  for (const char* type : {"variant", "interval day to second", "geometry(OGC:CRS84)", "string collate UNICODE"}) {
    const auto schema = SchemaFromDeltaJson(
        Column(R"({"type":"array","elementType":")" + std::string(type) + R"(","containsNull":true})"));
    ASSERT_TRUE(schema.status().Is(StatusCode::kUnsupported)) << type;
    EXPECT_EQ(schema.status().message(),
              "column 'c.element' has the Delta type '" + std::string(type) + "', which is not supported");
  }
  const auto udt = SchemaFromDeltaJson(Column(R"({"type":"udt","class":"x"})"));
  EXPECT_TRUE(udt.status().Is(StatusCode::kUnsupported));
  const auto collated = SchemaFromDeltaJson(
      Struct(R"({"name":"c","type":"string","nullable":true,"metadata":{"__COLLATIONS":{"c":"ICU.UNICODE_CI"}}})"));
  EXPECT_TRUE(collated.status().Is(StatusCode::kUnsupported));
}

TEST(DeltaSchema, MalformedSchemasAreCorruption) {
  const std::string cases[] = {"",
                               "{",
                               "[]",
                               R"({"type":"array"})",
                               R"({"type":"struct"})",
                               R"({"type":"struct","fields":{}})",
                               Struct("1"),
                               Struct(R"({"type":"long"})"),
                               Struct(R"({"name":"c"})"),
                               Column("1"),
                               Column("{}"),
                               Column(R"({"type":"array"})"),
                               Column(R"({"type":"map","keyType":"string"})"),
                               Named("decimal(39,1)"),
                               Named("decimal(5,6)"),
                               Named("decimal(5,-1)"),
                               Named("decimal(5)"),
                               Named("decimal(5,2)x"),
                               Struct(R"({"name":"c","type":"long","nullable":"yes","metadata":{}})"),
                               Struct(R"({"name":"c","type":"long","nullable":true,"metadata":[]})"),
                               Struct(R"({"name":"c","type":"long"},{"name":"c","type":"long"})"),
                               "\"\xff\""};
  for (const std::string& json : cases) {
    EXPECT_TRUE(SchemaFromDeltaJson(json).status().Is(StatusCode::kCorruption)) << json;
  }
}

TEST(DeltaSchema, DeepNestingIsBounded) {
  std::string type = "\"long\"";
  for (int i = 0; i < 60; ++i) type = R"({"type":"array","elementType":)" + type + R"(,"containsNull":true})";
  const auto fits = SchemaFromDeltaJson(Column(type));
  ASSERT_TRUE(fits.ok()) << fits.status().ToString();
  EXPECT_EQ(*SchemaToDeltaJson(**fits), Column(type));
  for (int i = 0; i < 10; ++i) type = R"({"type":"array","elementType":)" + type + R"(,"containsNull":true})";
  EXPECT_TRUE(SchemaFromDeltaJson(Column(type)).status().Is(StatusCode::kUnsupported));
  EXPECT_FALSE(SchemaFromDeltaJson(std::string(1 << 20, '[')).ok());
}

TEST(DeltaSchema, WiderArrowTypesMapToTheNearestLosslessOne) {
  const auto schema = arrow::schema({
      arrow::field("a", arrow::uint8()),
      arrow::field("b", arrow::uint16()),
      arrow::field("c", arrow::uint32()),
      arrow::field("d", arrow::large_utf8()),
      arrow::field("e", arrow::dictionary(arrow::int32(), arrow::utf8())),
      arrow::field("f", arrow::large_list(arrow::field("item", arrow::fixed_size_binary(3)))),
      arrow::field("g", arrow::timestamp(arrow::TimeUnit::MILLI, "Europe/Berlin")),
      arrow::field("h", arrow::float16()),
      arrow::field("i", arrow::decimal256(20, 3)),
  });
  const auto canonical = CanonicalSchema(*schema);
  ASSERT_TRUE(canonical.ok()) << canonical.status().ToString();
  std::string names;
  for (const auto& field : (*canonical)->fields()) names += DeltaTypeName(*field->type()) + " ";
  EXPECT_EQ(names, "short integer long string string array<binary> timestamp float decimal(20,3) ");
  EXPECT_EQ(*SchemaToDeltaJson(*schema), *SchemaToDeltaJson(**canonical));
}

TEST(DeltaSchema, ArrowTypesWithoutDeltaTypeAreRefusedByName) {
  for (const auto& type :
       {arrow::uint64(), arrow::time64(arrow::TimeUnit::MICRO), arrow::duration(arrow::TimeUnit::NANO),
        arrow::timestamp(arrow::TimeUnit::NANO), arrow::decimal256(50, 0)}) {
    const auto json = SchemaToDeltaJson(*arrow::schema({arrow::field("s", arrow::struct_({arrow::field("c", type)}))}));
    ASSERT_TRUE(json.status().Is(StatusCode::kUnsupported)) << type->ToString();
    EXPECT_EQ(json.status().message(),
              "column 's.c' has the Arrow type '" + type->ToString() + "', for which Delta has none");
  }
}

TEST(DeltaSchema, NamesThatDifferOnlyInCaseAreNotWritten) {
  const auto json =
      SchemaToDeltaJson(*arrow::schema({arrow::field("Ab", arrow::int8()), arrow::field("aB", arrow::int8())}));
  EXPECT_TRUE(json.status().Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(json.status().message(), HasSubstr("'aB'"));
}

TEST(DeltaSchema, MetadataOfArrowReadersIsNotWritten) {
  const auto metadata = arrow::key_value_metadata({"PARQUET:field_id", "comment"}, {"3", "x"});
  const auto json = SchemaToDeltaJson(*arrow::schema({arrow::field("c", arrow::int64(), true, metadata)}));
  EXPECT_EQ(*json, Struct(R"({"name":"c","type":"long","nullable":true,"metadata":{"comment":"x"}})"));
}

}  // namespace
}  // namespace tarn::columnar
