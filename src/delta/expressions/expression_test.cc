#include "delta/expressions/expression.h"

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "columnar/delta_schema.h"
#include "columnar/value.h"

namespace tarn::delta {
namespace {

using ::testing::HasSubstr;

const arrow::FieldVector kColumns = {
    arrow::field("b", arrow::int8()),
    arrow::field("i", arrow::int32()),
    arrow::field("l", arrow::int64()),
    arrow::field("f", arrow::float32()),
    arrow::field("d", arrow::float64()),
    arrow::field("x", arrow::decimal128(5, 2)),
    arrow::field("s", arrow::utf8()),
    arrow::field("flag", arrow::boolean()),
    arrow::field("day", arrow::date32()),
    arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
    arrow::field("nested",
                 arrow::struct_({arrow::field("Inner", arrow::int32()), arrow::field("of a", arrow::utf8())})),
    arrow::field("items", arrow::list(arrow::int32())),
    arrow::field("date", arrow::int32()),
};

std::shared_ptr<arrow::RecordBatch> Rows() {
  const auto rows = *arrow::json::ArrayFromJSONString(
      arrow::struct_(kColumns),
      R"([{"b":127,"i":2,"l":9007199254740993,"f":0.1,"d":1.5,"x":"1.50","s":"aé%","flag":true,"day":19782,
           "at":1709210096000001,"nested":{"Inner":7,"of a":"q"},"items":[1],"date":3},
          {"b":-128,"i":-2147483648,"l":-9223372036854775808,"f":NaN,"d":NaN,"x":"-999.99","s":"","flag":false,
           "day":-1,"at":-1,"nested":{"Inner":null,"of a":null},"items":[],"date":0},
          {"b":null,"i":null,"l":null,"f":null,"d":null,"x":null,"s":null,"flag":null,"day":null,"at":null,
           "nested":null,"items":null,"date":null}])");
  return *arrow::RecordBatch::FromStructArray(rows);
}

std::string TextOf(const Result<columnar::Value>& value) {
  if (!value.ok()) return "error";
  if (columnar::IsNull(*value)) return "null";
  if (const auto* flag = std::get_if<bool>(&*value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&*value)) return std::to_string(*integer);
  if (const auto* text = std::get_if<std::string>(&*value)) return "'" + *text + "'";
  if (const auto* decimal = std::get_if<columnar::DecimalValue>(&*value)) {
    return *columnar::FormatPartitionValue(*decimal, *arrow::decimal128(38, decimal->scale));
  }
  return *columnar::FormatPartitionValue(*value, *arrow::float64());
}

/// The values for the three rows, or why there are none.
std::string Values(const std::string& text) {
  const auto schema = arrow::schema(kColumns);
  const auto expression = Expression::Parse(text, *schema);
  if (!expression.ok()) return expression.status().ToString();
  std::string values;
  for (int64_t row = 0; row < 3; ++row) values += (row == 0 ? "" : " ") + TextOf((*expression)->At(*Rows(), row));
  return values;
}

std::string TypeOf(const std::string& text) {
  const auto expression = Expression::Parse(text, *arrow::schema(kColumns));
  return expression.ok() ? columnar::DeltaTypeName(*(*expression)->type()) : expression.status().ToString();
}

TEST(Expression, ComparesAsSparkDoes) {
  EXPECT_EQ(Values("i > 1"), "true false null");
  EXPECT_EQ(Values("i = 2.0"), "true false null");
  EXPECT_EQ(Values("2 <> i"), "false true null");
  EXPECT_EQ(Values("i <=> null"), "false false true");
  EXPECT_EQ(Values("i IS DISTINCT FROM 2"), "false true true");
  EXPECT_EQ(Values("d > 1e300"), "false true null") << "NaN is greatest";
  EXPECT_EQ(Values("d = d"), "true true null") << "NaN equals itself";
  EXPECT_EQ(Values("0.0D = -0.0D"), "true true true");
  EXPECT_EQ(Values("s < 'b'"), "true true null");
  EXPECT_EQ(Values("s >= \"a\\u00e9\""), "true false null");
  EXPECT_EQ(Values("flag > false"), "true false null");
  EXPECT_EQ(Values("x = 1.5"), "true false null");
  EXPECT_EQ(Values("x < 2"), "true true null");
  EXPECT_EQ(Values("day >= '2024-02-29'"), "true false null");
  EXPECT_EQ(Values("day = DATE '2024-02-29'"), "true false null");
  EXPECT_EQ(Values("at = TIMESTAMP '2024-02-29 12:34:56.000001'"), "true false null");
  EXPECT_EQ(Values("at >= day"), "true true null");
  EXPECT_EQ(Values("i = i = flag"), "true false null") << "from the left";
}

TEST(Expression, WideNumbersMeetAsDoubles) {
  EXPECT_EQ(Values("l = 9007199254740992D"), "true false null");
  EXPECT_EQ(Values("l = 9007199254740992"), "false false null");
  EXPECT_EQ(Values("f = 0.1"), "false false null") << "a float beside a decimal";
  EXPECT_EQ(Values("f = cast(0.1 as float)"), "true false null");
}

TEST(Expression, HasThreeTruthValues) {
  EXPECT_EQ(Values("flag AND i > 0"), "true false null");
  EXPECT_EQ(Values("flag OR s IS NULL"), "true false true");
  EXPECT_EQ(Values("NOT flag"), "false true null");
  EXPECT_EQ(Values("!flag"), "false true null");
  EXPECT_EQ(Values("not i = 2 and true"), "false true null");
  EXPECT_EQ(Values("i = 2 or flag and false"), "true false null");
  EXPECT_EQ(Values("flag IS TRUE"), "true false false");
  EXPECT_EQ(Values("flag IS NOT FALSE"), "true false true");
  EXPECT_EQ(Values("i IS NOT NULL"), "true true false");
  EXPECT_EQ(Values("i IN (1, 2)"), "true false null");
  EXPECT_EQ(Values("i NOT IN (1, null)"), "null null null");
  EXPECT_EQ(Values("i in (2, null)"), "true null null");
  EXPECT_EQ(Values("i BETWEEN 1 AND 2 AND flag"), "true false null");
  EXPECT_EQ(Values("i not between 1 and 2"), "false true null");
  EXPECT_EQ(Values("null"), "null null null");
}

TEST(Expression, ComputesInSparksTypes) {
  EXPECT_EQ(TypeOf("b + b"), "byte");
  EXPECT_EQ(TypeOf("b + 1"), "integer");
  EXPECT_EQ(TypeOf("i / 2"), "double");
  EXPECT_EQ(TypeOf("f * f"), "float");
  EXPECT_EQ(TypeOf("f / f"), "double");
  EXPECT_EQ(TypeOf("x + x"), "decimal(6,2)");
  EXPECT_EQ(TypeOf("x + 1"), "decimal(6,2)");
  EXPECT_EQ(TypeOf("x + i"), "decimal(13,2)");
  EXPECT_EQ(TypeOf("x * x"), "decimal(11,4)");
  EXPECT_EQ(TypeOf("x / x"), "decimal(13,8)");
  EXPECT_EQ(TypeOf("x % 3"), "decimal(3,2)");
  EXPECT_EQ(TypeOf("cast(x as decimal(38,10)) * x"), "decimal(38,6)");
  EXPECT_EQ(TypeOf("123.4500"), "decimal(7,4)");
  EXPECT_EQ(TypeOf("2147483648"), "long");
  EXPECT_EQ(TypeOf("-2147483648"), "integer");
  EXPECT_EQ(TypeOf("9223372036854775808"), "decimal(19,0)");
  EXPECT_EQ(TypeOf("1L + 1Y"), "long");
  EXPECT_EQ(Values("i + 1"), "3 -2147483647 null");
  EXPECT_EQ(Values("i % 3"), "2 -2 null");
  EXPECT_EQ(Values("x % 1"), "0.50 -0.99 null");
  EXPECT_EQ(Values("1 + 2 * 3 - -4"), "11 11 11");
  EXPECT_EQ(Values("x / 3"), "0.500000 -333.330000 null");
  EXPECT_EQ(Values("2 / 3 * x"), "1.0 -666.66 null");
}

TEST(Expression, AnOverflowHasNoValueAndADivisionByZeroIsNull) {
  EXPECT_EQ(Values("b + b"), "error error null");
  EXPECT_EQ(Values("-i"), "-2 error null");
  EXPECT_EQ(Values("abs(l)"), "9007199254740993 error null");
  EXPECT_EQ(Values("l - 1"), "9007199254740992 error null");
  EXPECT_EQ(Values("cast(i as tinyint)"), "2 error null");
  EXPECT_EQ(Values("cast(d as int)"), "1 error null");
  EXPECT_EQ(Values("cast(x * 1000 as decimal(5,2))"), "error error null");
  EXPECT_EQ(Values("cast(s as int)"), "error error null");
  EXPECT_EQ(Values("i / 0"), "null null null");
  EXPECT_EQ(Values("d / 0"), "null null null");
  EXPECT_EQ(Values("i % 0"), "null null null");
  EXPECT_EQ(Values("x / 0"), "null null null");
  EXPECT_EQ(Values("flag or cast(s as int) > 0"), "true error null") << "what decides comes first";
}

TEST(Expression, ChoosesAndCalls) {
  EXPECT_EQ(Values("CASE WHEN flag THEN i WHEN i IS NULL THEN 1.5 END"), "2.0 null 1.5");
  EXPECT_EQ(Values("CASE i WHEN 2 THEN 'two' ELSE s END"), "'two' '' null");
  EXPECT_EQ(Values("if(flag, 1, 2)"), "1 2 2");
  EXPECT_EQ(Values("coalesce(i, 0)"), "2 -2147483648 0");
  EXPECT_EQ(Values("nullif(i, 2)"), "null -2147483648 null");
  EXPECT_EQ(Values("length(s)"), "3 0 null");
  EXPECT_EQ(Values("upper(trim(' ab '))"), "'AB' 'AB' 'AB'");
  EXPECT_EQ(Values("lower(s)"), "error '' null");
  EXPECT_EQ(Values("isnan(d)"), "false true false");
  EXPECT_EQ(Values("isnotnull(nested)"), "true true false");
  EXPECT_EQ(Values("items is null"), "false false true");
  EXPECT_EQ(Values("year(day)"), "2024 1969 null");
  EXPECT_EQ(Values("month(at) * 100 + day(at)"), "229 1231 null");
  EXPECT_EQ(Values("cast(day as string)"), "'2024-02-29' '1969-12-31' null");
  EXPECT_EQ(Values("cast(x as int)"), "1 -999 null");
  EXPECT_EQ(Values("cast(' 12 ' as int) + cast(flag as int)"), "13 12 null");
}

TEST(Expression, LikeKnowsItsEscapes) {
  EXPECT_EQ(Values("s LIKE 'a_\\%'"), "true false null");
  EXPECT_EQ(Values("s NOT LIKE '%'"), "false false null");
  EXPECT_EQ(Values("s like 'a_!%' escape '!'"), "true false null");
  EXPECT_EQ(Values("'abcabd' like '%ab%d'"), "true true true");
  EXPECT_EQ(Values("'abcabd' like '%ab_'"), "true true true");
  EXPECT_EQ(Values("'abc' like 'ab'"), "false false false");
  EXPECT_THAT(Values("s like 'a\\\\b'"), HasSubstr("position 3"));
}

TEST(Expression, FindsColumnsWhateverTheirCase) {
  EXPECT_EQ(Values("NESTED.inner > 1"), "true null null");
  EXPECT_EQ(Values("nested.`of a` = 'q'"), "true null null");
  EXPECT_EQ(Values("date + 1"), "4 1 null") << "a word that also begins a literal";
  EXPECT_THAT(Values("nowhere > 1"), HasSubstr("position 1: there is no column nowhere"));
  EXPECT_THAT(Values("i > 1 and s.a = 2"), HasSubstr("position 11: s.a: s is no struct"));
  const auto twins = arrow::schema({arrow::field("a", arrow::int32()), arrow::field("A", arrow::int32())});
  EXPECT_THAT(Expression::Parse("a > 1", *twins).status().message(), HasSubstr("several columns are called a"));
  const auto found = Expression::Parse("x > 1 and b > 1 and x < nested.inner", *arrow::schema(kColumns));
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ((*found)->columns(), (std::vector<int>{0, 5, 10}));
}

TEST(Expression, RefusesWhatItDoesNotUnderstandAndSaysWhere) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "position 1: it ends too soon"},
      {"i >", "position 4: it ends too soon"},
      {"i > 1 2", "position 7: '2'"},
      {"(i > 1", "position 7"},
      {"i & 1 = 0", "position 3: '&'"},
      {"i > 1 -- really", "position 7: a comment"},
      {"s rlike 'a'", "position 3: 'rlike'"},
      {"items[0] = 1", "position 6: '['"},
      {"s = 'a''b'", "position 8: two texts in a row"},
      {"s = 'a", "position 5: a text that does not end"},
      {"`i > 1", "position 1: a name in backticks"},
      {"s = 1", "position 3: = of string and integer"},
      {"flag = 1", "position 6: = of boolean and integer"},
      {"i and flag", "position 1: and of integer"},
      {"s + 1 > 2", "position 3: + of string and integer"},
      {"size(items) > 1", "position 1: the function size"},
      {"length(s, s) > 1", "position 1: length of 2 arguments"},
      {"day = 'yesterday'", "position 5: 'yesterday' is no date"},
      {"DATE 'now' = day", "position 1: the date 'now'"},
      {"cast(i as map) = 1", "position 11: the type map"},
      {"cast(d as string) = 's'", "position 1: a cast from double to string"},
      {"items = items", "position 7: = of array<integer>"},
      {"i = 1Q", "position 5: '1Q'"},
      {"i in (select 1)", "position 14: '1'"},
      {"not", "position 4: it ends too soon"},
      {"not(i) = 1 and in(1)", "position 16: 'in'"},
      {"s like flag", "position 3: like with a pattern"},
  };
  for (const auto& [text, words] : kCases) {
    const Status status = Expression::Parse(text, *arrow::schema(kColumns)).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << text;
    EXPECT_THAT(status.message(), HasSubstr(words)) << text;
  }
}

TEST(Expression, HostileTextsAreBounded) {
  const auto parse = [](const std::string& text) { return Expression::Parse(text, *arrow::schema(kColumns)).status(); };
  const auto repeat = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  EXPECT_THAT(parse(repeat("(", 10'000)).message(), HasSubstr("100 levels"));
  EXPECT_THAT(parse(repeat("not ", 10'000) + "flag").message(), HasSubstr("100 levels"));
  EXPECT_THAT(parse(repeat("- ", 10'000) + "i > 0").message(), HasSubstr("100 levels"));
  EXPECT_THAT(parse(repeat("1 + ", 10'000) + "1 > 0").message(), HasSubstr("100 levels"));
  EXPECT_THAT(parse(repeat("case when true then ", 3'000)).message(), HasSubstr("100 levels"));
  EXPECT_THAT(parse("i > 0" + std::string(70'000, ' ')).message(), HasSubstr("longer than 64 KiB"));
  std::string doubled = "flag";
  for (int i = 0; i < 30; ++i) doubled = "(" + doubled + " between false and true)";
  EXPECT_THAT(parse(doubled).message(), HasSubstr("so many parts"));
  EXPECT_TRUE(parse(repeat("flag and ", 5'000) + "flag").ok());
}

}  // namespace
}  // namespace tarn::delta
