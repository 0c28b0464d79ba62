#include "columnar/conform.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::columnar {
namespace {

std::shared_ptr<arrow::RecordBatch> Batch(const arrow::FieldVector& fields, const std::string& json) {
  return *arrow::RecordBatch::FromStructArray(*arrow::json::ArrayFromJSONString(arrow::struct_(fields), json));
}

void ExpectConforms(const std::shared_ptr<arrow::RecordBatch>& batch, const std::shared_ptr<arrow::RecordBatch>& want) {
  const auto conformed = ConformBatch(*batch, want->schema());
  ASSERT_TRUE(conformed.ok()) << conformed.status().ToString();
  EXPECT_TRUE((*conformed)->ValidateFull().ok());
  EXPECT_TRUE((*conformed)->Equals(*want)) << (*conformed)->ToString();
}

TEST(Conform, AddsReordersAndDropsColumnsByName) {
  const auto from =
      Batch({arrow::field("a", arrow::int64()), arrow::field("gone", arrow::int64()), arrow::field("b", arrow::utf8())},
            R"([{"a":1,"gone":2,"b":"x"},{"a":null,"gone":2,"b":"y"}])");
  const auto to = Batch({arrow::field("b", arrow::utf8()), arrow::field("new", arrow::list(arrow::date32())),
                         arrow::field("a", arrow::int64())},
                        R"([{"b":"x","new":null,"a":1},{"b":"y","new":null,"a":null}])");
  ExpectConforms(from, to);
  ExpectConforms(from->Slice(1), to->Slice(1));
}

TEST(Conform, ReachesMembersOfStructsListsAndMaps) {
  const auto nested = [](const arrow::FieldVector& fields) {
    const auto type = arrow::struct_(fields);
    return arrow::FieldVector{arrow::field("s", type), arrow::field("l", arrow::list(arrow::field("element", type))),
                              arrow::field("m", arrow::map(arrow::utf8(), arrow::field("value", type)))};
  };
  const auto from = Batch(nested({arrow::field("x", arrow::int32()), arrow::field("y", arrow::utf8())}),
                          R"([{"s":{"x":1,"y":"a"},"l":[{"x":2,"y":"b"},null],"m":[["k",{"x":3,"y":"c"}]]},
                              {"s":null,"l":null,"m":[]},
                              {"s":{"x":null,"y":"d"},"l":[],"m":null}])");
  const auto to =
      Batch(nested({arrow::field("y", arrow::utf8()), arrow::field("z", arrow::boolean()),
                    arrow::field("x", arrow::int64())}),
            R"([{"s":{"y":"a","z":null,"x":1},"l":[{"y":"b","z":null,"x":2},null],"m":[["k",{"y":"c","z":null,"x":3}]]},
                            {"s":null,"l":null,"m":[]},
                            {"s":{"y":"d","z":null,"x":null},"l":[],"m":null}])");
  ExpectConforms(from, to);
  ExpectConforms(from->Slice(1, 2), to->Slice(1, 2));
}

TEST(Conform, CastsWhereNoValueChanges) {
  const auto zoned = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto from = Batch({arrow::field("i", arrow::int8()), arrow::field("f", arrow::float32()),
                           arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO)),
                           arrow::field("d", arrow::decimal128(5, 2)), arrow::field("n", arrow::int64())},
                          R"([{"i":-1,"f":0.5,"t":5,"d":"1.25","n":7}])");
  const auto to =
      Batch({arrow::field("i", arrow::int64()), arrow::field("f", arrow::float64()), arrow::field("t", zoned),
             arrow::field("d", arrow::decimal128(10, 4)), arrow::field("n", arrow::int32())},
            R"([{"i":-1,"f":0.5,"t":5,"d":"1.2500","n":7}])");
  ExpectConforms(from, to);
}

std::shared_ptr<arrow::Field> Mapped(const std::string& name, std::shared_ptr<arrow::DataType> type,
                                     const std::string& physical_name, int id) {
  return arrow::field(name, std::move(type), true,
                      arrow::key_value_metadata({"delta.columnMapping.physicalName", "json:delta.columnMapping.id"},
                                                {physical_name, std::to_string(id)}));
}

std::shared_ptr<arrow::Field> Stored(const std::string& name, std::shared_ptr<arrow::DataType> type, int id) {
  return arrow::field(name, std::move(type), true,
                      arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)}));
}

TEST(Conform, FollowsAMappingWhoseNamesWereSwapped) {
  const auto number = arrow::int64();
  const auto stored =
      Batch({Stored("s", arrow::struct_({Stored("a", number, 2), Stored("b", number, 3)}), 1), Stored("a", number, 4)},
            R"([{"s":{"a":1,"b":2},"a":3}])");
  for (const FieldMatch match : {FieldMatch::kPhysicalName, FieldMatch::kFieldId}) {
    const auto want = Batch(
        {Mapped("x", number, "a", 4),
         Mapped("a",
                arrow::struct_({Mapped("a", number, "b", 3), Mapped("b", number, "a", 2), Mapped("c", number, "c", 9)}),
                "s", 1)},
        R"([{"x":3,"a":{"a":2,"b":1,"c":null}}])");
    const auto conformed = ConformBatch(*stored, want->schema(), match);
    ASSERT_TRUE(conformed.ok()) << conformed.status().ToString();
    EXPECT_TRUE((*conformed)->Equals(*want)) << (*conformed)->ToString();
  }
}

TEST(Conform, RefusesWhatDoesNotFitByColumn) {
  const auto batch =
      Batch({arrow::field("s", arrow::struct_({arrow::field("n", arrow::int64())}))}, R"([{"s":{"n":300}}])");
  const auto narrow =
      ConformBatch(*batch, arrow::schema({arrow::field("s", arrow::struct_({arrow::field("n", arrow::int8())}))}));
  EXPECT_TRUE(narrow.status().Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(narrow.status().message(), testing::HasSubstr("'s.n'"));
  const auto required = ConformBatch(*batch, arrow::schema({arrow::field("r", arrow::int64(), /*nullable=*/false)}));
  EXPECT_TRUE(required.status().Is(StatusCode::kInvalidArgument));
}

TEST(Conform, AVoidColumnHoldsNullsOnly) {
  const auto schema = arrow::schema({arrow::field("n", arrow::null())});
  const auto nulls = ConformBatch(*Batch({arrow::field("n", arrow::int32())}, R"([{"n":null},{"n":null}])"), schema);
  ASSERT_TRUE(nulls.ok()) << nulls.status().ToString();
  EXPECT_EQ((*nulls)->column(0)->null_count(), 2);
  const auto value = ConformBatch(*Batch({arrow::field("n", arrow::int32())}, R"([{"n":1}])"), schema);
  EXPECT_TRUE(value.status().Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(value.status().message(), testing::HasSubstr("'n' is void"));
}

/// The batch with its first column required as `field` says.
Status Check(const std::shared_ptr<arrow::Field>& loose, const std::shared_ptr<arrow::Field>& strict,
             const std::string& json) {
  const auto batch = Batch({loose}, json);
  return CheckRequired(*arrow::RecordBatch::Make(arrow::schema({strict}), batch->num_rows(), batch->columns()));
}

TEST(Conform, RequiredColumnsAreNeverNull) {
  const auto loose = arrow::field("a", arrow::int64());
  const auto strict = loose->WithNullable(false);
  EXPECT_TRUE(Check(loose, loose, R"([{"a":1},{"a":null}])").ok());
  EXPECT_TRUE(Check(loose, strict, R"([{"a":1},{"a":2}])").ok());
  const Status refused = Check(loose, strict, R"([{"a":1},{"a":null}])");
  EXPECT_TRUE(refused.Is(StatusCode::kInvalidArgument));
  EXPECT_THAT(refused.message(), testing::HasSubstr("'a' must not be null"));
}

TEST(Conform, RequiredMembersAreNullOnlyWithWhatHoldsThem) {
  const auto member = arrow::field("m", arrow::int64());
  const auto strict_member = member->WithNullable(false);
  const auto in_struct = [](const auto& field) { return arrow::field("s", arrow::struct_({field})); };
  EXPECT_TRUE(Check(in_struct(member), in_struct(strict_member), R"([{"s":{"m":1}},{"s":null}])").ok());
  EXPECT_THAT(Check(in_struct(member), in_struct(strict_member), R"([{"s":{"m":null}}])").message(),
              testing::HasSubstr("'s.m'"));
  const auto in_list = [](const auto& field) { return arrow::field("l", arrow::list(field->WithName("element"))); };
  EXPECT_TRUE(Check(in_list(member), in_list(strict_member), R"([{"l":[1,2]},{"l":null},{"l":[]}])").ok());
  EXPECT_THAT(Check(in_list(member), in_list(strict_member), R"([{"l":[1,null]}])").message(),
              testing::HasSubstr("'l.element'"));
}

TEST(Conform, ListsAndMapsThatAreNotThereNeedNoOffsets) {
  const auto strict = arrow::field("v", arrow::int64(), /*nullable=*/false);
  const auto longs = arrow::ArrayData::Make(arrow::int64(), 0, {nullptr, nullptr});
  const auto map_type = std::make_shared<arrow::MapType>(arrow::field("k", arrow::int64(), false), strict);
  const auto entries = arrow::ArrayData::Make(map_type->value_type(), 0, {nullptr}, {longs, longs});
  const auto map = arrow::ArrayData::Make(map_type, 0, {nullptr, nullptr}, {entries});
  const auto list = arrow::ArrayData::Make(arrow::list(strict), 0, {nullptr, nullptr}, {longs});
  const auto schema = arrow::schema({arrow::field("list", list->type), arrow::field("map", map_type)});
  const auto batch = arrow::RecordBatch::Make(schema, 0, std::vector<std::shared_ptr<arrow::ArrayData>>{list, map});
  EXPECT_TRUE(CheckRequired(*batch).ok());
}

}  // namespace
}  // namespace tarn::columnar
