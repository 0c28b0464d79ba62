#include "columnar/column_statistics.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace tarn::columnar {
namespace {

std::string StatisticsOf(const arrow::RecordBatch& batch, int indexed_columns = -1) {
  StatisticsCollector collector(*batch.schema(), indexed_columns);
  EXPECT_TRUE(collector.Observe(batch).ok());
  return collector.ToJson();
}

std::shared_ptr<arrow::RecordBatch> OneColumn(const std::shared_ptr<arrow::Array>& array) {
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("c", array->type())}), array->length(), {array});
}

std::shared_ptr<arrow::Array> Json(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return *arrow::json::ArrayFromJSONString(type, json);
}

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> Of(std::initializer_list<T> values) {
  Builder builder;
  for (const T& value : values) EXPECT_TRUE(builder.Append(value).ok());
  return *builder.Finish();
}

std::string Expected(int64_t rows, const std::string& min, const std::string& max, int64_t nulls) {
  const auto object = [](const std::string& bound) { return bound.empty() ? "{}" : "{\"c\":" + bound + "}"; };
  return "{\"numRecords\":" + std::to_string(rows) + ",\"minValues\":" + object(min) + ",\"maxValues\":" + object(max) +
         ",\"nullCount\":{\"c\":" + std::to_string(nulls) + "}}";
}

TEST(ColumnStatistics, ColumnsWithoutValuesHaveOnlyANullCount) {
  for (const auto& type : {arrow::int64(), arrow::utf8(), arrow::float64(), arrow::date32(), arrow::boolean(),
                           arrow::decimal128(5, 2), arrow::binary()}) {
    EXPECT_EQ(StatisticsOf(*OneColumn(Json(type, "[null,null]"))), Expected(2, "", "", 2)) << type->ToString();
  }
}

TEST(ColumnStatistics, BooleansAndBinaryHaveNoBounds) {
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(arrow::boolean(), "[true,null]"))), Expected(2, "", "", 1));
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(arrow::binary(), R"(["a","b"])"))), Expected(2, "", "", 0));
}

TEST(ColumnStatistics, ANanTakesAwayTheBoundsOfItsColumn) {
  const double nan = std::nan("");
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({1.0, nan, 2.0}))), Expected(3, "", "", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::FloatBuilder>({nan}))), Expected(1, "", "", 0));
  // Also when it came in an earlier batch.
  const auto first = OneColumn(Of<arrow::DoubleBuilder>({nan}));
  StatisticsCollector collector(*first->schema(), -1);
  ASSERT_TRUE(collector.Observe(*first).ok());
  ASSERT_TRUE(collector.Observe(*OneColumn(Of<arrow::DoubleBuilder>({1.0}))).ok());
  EXPECT_EQ(collector.ToJson(), Expected(2, "", "", 0));
  // A NaN below a null is no value.
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.AppendValues(std::vector<double>{nan, 1.5}, std::vector<bool>{false, true}).ok());
  EXPECT_EQ(StatisticsOf(*OneColumn(*builder.Finish())), Expected(2, "1.5", "1.5", 1));
}

TEST(ColumnStatistics, ZerosOfEitherSignAreBoundedByBoth) {
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({0.0}))), Expected(1, "-0.0", "0.0", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({-0.0}))), Expected(1, "-0.0", "0.0", 0));
}

TEST(ColumnStatistics, AnInfiniteBoundIsLeftOutAndTheOtherKept) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({infinity, 1.0}))), Expected(2, "1.0", "", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({-infinity, 1e300}))), Expected(2, "", "1e+300", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::DoubleBuilder>({infinity}))), Expected(1, "", "", 0));
}

TEST(ColumnStatistics, LongTextIsCutToBoundsThatHold) {
  const std::string a32(32, 'a');
  const std::string replacement = "\xEF\xBF\xBD";
  const std::string highest = "\xF4\x8F\xBF\xBF";
  const auto bounds = [](const std::string& text, const std::string& min, const std::string& max) {
    EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::StringBuilder>({text}))),
              Expected(1, "\"" + min + "\"", max.empty() ? "" : "\"" + max + "\"", 0));
  };
  bounds(a32, a32, a32);
  bounds(a32 + "b", a32, a32 + replacement);
  bounds(a32 + "\xEF\xBF\xBD", a32, a32 + highest);
  bounds(a32 + "\xF0\x9F\x98\x80", a32, a32 + highest);
  bounds(a32 + highest, a32, "");
  // 32 code points, not bytes or UTF-16 units.
  std::string smiles;
  for (int i = 0; i < 32; ++i) smiles += "\xF0\x9F\x98\x80";
  bounds(smiles, smiles, smiles);
  bounds(smiles + "x", smiles, smiles + replacement);
}

TEST(ColumnStatistics, TextThatIsNoUtf8HasNoBound) {
  const std::string bad = "\xFF";
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::StringBuilder>({bad, std::string("a")}))), Expected(2, "\"a\"", "", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Of<arrow::StringBuilder>({std::string("\xED\xA0\x80")}))), Expected(1, "", "", 0));
}

TEST(ColumnStatistics, DatesAndTimestampsOfOddYearsAreLeftOut) {
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(arrow::date32(), "[2932896,0]"))),
            Expected(2, "\"1970-01-01\"", "\"9999-12-31\"", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(arrow::date32(), "[2932897,0]"))), Expected(2, "\"1970-01-01\"", "", 0));
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(arrow::date32(), "[-719528,0]"))), Expected(2, "", "\"1970-01-01\"", 0));
  const auto type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  EXPECT_EQ(StatisticsOf(*OneColumn(Json(type, "[-9223372036854775808, 999]"))),
            Expected(2, "", "\"1970-01-01T00:00:00.000999Z\"", 0));
}

TEST(ColumnStatistics, AMemberBelowANullStructIsNull) {
  const auto inner = Of<arrow::Int64Builder>({int64_t{7}, int64_t{8}, int64_t{9}});
  arrow::TypedBufferBuilder<bool> validity;
  for (const bool valid : {true, false, true}) ASSERT_TRUE(validity.Append(valid).ok());
  const auto type = arrow::struct_({arrow::field("x", arrow::int64())});
  const auto array = std::make_shared<arrow::StructArray>(type, 3, arrow::ArrayVector{inner}, *validity.Finish());
  EXPECT_EQ(StatisticsOf(*OneColumn(array)),
            R"({"numRecords":3,"minValues":{"c":{"x":7}},"maxValues":{"c":{"x":9}},"nullCount":{"c":{"x":1}}})");
  EXPECT_EQ(StatisticsOf(*OneColumn(array->Slice(1))),
            R"({"numRecords":2,"minValues":{"c":{"x":9}},"maxValues":{"c":{"x":9}},"nullCount":{"c":{"x":1}}})");
}

TEST(ColumnStatistics, OnlyTheFirstLeavesTakePart) {
  const auto schema = arrow::schema({
      arrow::field("s", arrow::struct_({arrow::field("a", arrow::int64()), arrow::field("b", arrow::int64())})),
      arrow::field("l", arrow::list(arrow::int64())),
      arrow::field("z", arrow::int64()),
  });
  const auto rows = Json(arrow::struct_(schema->fields()), R"([{"s":{"a":1,"b":2},"l":[3],"z":4}])");
  const auto batch = *arrow::RecordBatch::FromStructArray(rows);
  EXPECT_EQ(StatisticsOf(*batch, 0), R"({"numRecords":1,"minValues":{},"maxValues":{},"nullCount":{}})");
  EXPECT_EQ(StatisticsOf(*batch, 1),
            R"({"numRecords":1,"minValues":{"s":{"a":1}},"maxValues":{"s":{"a":1}},"nullCount":{"s":{"a":0}}})");
  EXPECT_EQ(StatisticsOf(*batch, 3),
            R"({"numRecords":1,"minValues":{"s":{"a":1,"b":2}},"maxValues":{"s":{"a":1,"b":2}},)"
            R"("nullCount":{"s":{"a":0,"b":0},"l":0}})");
  EXPECT_EQ(StatisticsOf(*batch, 4), StatisticsOf(*batch, -1));
}

TEST(ColumnStatistics, NamesAreEscaped) {
  const auto schema = arrow::schema({arrow::field("a\"\\\n", arrow::int64())});
  const auto batch = arrow::RecordBatch::Make(schema, 1, {Of<arrow::Int64Builder>({int64_t{1}})});
  EXPECT_EQ(StatisticsOf(*batch), R"({"numRecords":1,"minValues":{"a\"\\\n":1},"maxValues":{"a\"\\\n":1},)"
                                  R"("nullCount":{"a\"\\\n":0}})");
}

// Against the plain loop: integers and text with nulls at random, in sliced batches of every small length.
TEST(ColumnStatistics, BoundsHoldEveryValueOfRandomColumns) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    arrow::Int32Builder numbers;
    arrow::StringBuilder texts;
    const size_t length = random.Below(90);
    const uint64_t null_share = random.Below(4);
    for (size_t i = 0; i < length; ++i) {
      if (random.Below(4) < null_share) {
        ASSERT_TRUE(numbers.AppendNull().ok() && texts.AppendNull().ok());
        continue;
      }
      ASSERT_TRUE(numbers.Append(static_cast<int32_t>(random.Next())).ok());
      std::string text;
      for (size_t c = random.Below(40); c > 0; --c) {
        static constexpr const char* kAlphabet[] = {
            "a", "b", "ä", "\xEF\xBF\xBF", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
        text += kAlphabet[random.Below(random.Below(10) == 0 ? 6 : 2)];
      }
      ASSERT_TRUE(texts.Append(text).ok());
    }
    const auto number_array = std::static_pointer_cast<arrow::Int32Array>(*numbers.Finish());
    const auto text_array = std::static_pointer_cast<arrow::StringArray>(*texts.Finish());
    const auto schema = arrow::schema({arrow::field("n", arrow::int32()), arrow::field("t", arrow::utf8())});
    const auto batch = arrow::RecordBatch::Make(schema, static_cast<int64_t>(length), {number_array, text_array});
    const auto offset = static_cast<int64_t>(random.Below(length + 1));
    StatisticsCollector collector(*schema, -1);
    ASSERT_TRUE(collector.Observe(*batch->Slice(offset)).ok());
    ASSERT_TRUE(collector.Observe(*batch->Slice(0, offset)).ok());

    simdjson::dom::parser parser;
    const std::string json = collector.ToJson();
    const simdjson::dom::element stats = parser.parse(json);
    std::optional<int64_t> least;
    std::optional<int64_t> most;
    for (int64_t i = 0; i < number_array->length(); ++i) {
      if (number_array->IsNull(i)) continue;
      const int64_t value = number_array->Value(i);
      least = std::min(least.value_or(value), value);
      most = std::max(most.value_or(value), value);
      const std::string_view min = stats["minValues"]["t"];
      ASSERT_LE(min, text_array->GetView(i)) << json;
      std::string_view max;
      if (stats["maxValues"]["t"].get(max) == simdjson::SUCCESS) {
        ASSERT_GE(max, text_array->GetView(i)) << json;
      }
    }
    ASSERT_EQ(int64_t{stats["nullCount"]["n"]}, number_array->null_count());
    ASSERT_EQ(int64_t{stats["numRecords"]}, number_array->length());
    int64_t bound = 0;
    ASSERT_EQ(stats["minValues"]["n"].get(bound) == simdjson::SUCCESS, least.has_value());
    if (least.has_value()) {
      ASSERT_EQ(bound, *least);
      ASSERT_EQ(int64_t{stats["maxValues"]["n"]}, *most);
    }
  }
}

TEST(Statistics, OfTheLeavesThatAreChosen) {
  const auto type = arrow::struct_({arrow::field("a", arrow::int64()), arrow::field("b", arrow::utf8())});
  const auto schema = arrow::schema({arrow::field("x", arrow::int64()), arrow::field("s", type),
                                     arrow::field("t", type), arrow::field("y", arrow::int64())});
  const auto structs = Json(type, R"([{"a": 1, "b": "m"}, {"a": null, "b": "n"}])");
  const auto batch = arrow::RecordBatch::Make(
      schema, 2, {Json(arrow::int64(), "[1, 2]"), structs, structs, Json(arrow::int64(), "[3, 4]")});
  const auto of = [&](const std::vector<bool>& chosen) {
    // The leading ones matter only where none are chosen.
    StatisticsCollector collector(*schema, 1, chosen);
    EXPECT_TRUE(collector.Observe(*batch).ok());
    return collector.ToJson();
  };
  EXPECT_EQ(of({}), R"({"numRecords":2,"minValues":{"x":1},"maxValues":{"x":2},"nullCount":{"x":0}})");
  EXPECT_EQ(of({false, true, false, false, false, true}),
            R"({"numRecords":2,"minValues":{"s":{"a":1},"y":3},"maxValues":{"s":{"a":1},"y":4},)"
            R"("nullCount":{"s":{"a":1},"y":0}})");
  EXPECT_EQ(of({false, false, false, false, false, false}),
            R"({"numRecords":2,"minValues":{},"maxValues":{},"nullCount":{}})");
}

}  // namespace
}  // namespace tarn::columnar
