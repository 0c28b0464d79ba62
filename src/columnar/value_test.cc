#include "columnar/value.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "columnar/decimal_text.h"
#include "columnar/time_text.h"

namespace tarn::columnar {
namespace {

const auto kTimestamp = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
const auto kTimestampNtz = arrow::timestamp(arrow::TimeUnit::MICRO);

Value Parse(std::string_view text, const std::shared_ptr<arrow::DataType>& type) {
  Result<Value> value = ParsePartitionValue(text, *type);
  EXPECT_TRUE(value.ok()) << text << ": " << value.status().ToString();
  return value.ok() ? *value : Value();
}
bool Refused(std::string_view text, const std::shared_ptr<arrow::DataType>& type) {
  return ParsePartitionValue(text, *type).status().Is(StatusCode::kCorruption);
}
std::string Format(const Value& value, const std::shared_ptr<arrow::DataType>& type) {
  return FormatPartitionValue(value, *type).value_or("(null)");
}
int64_t Integer(std::string_view text, const std::shared_ptr<arrow::DataType>& type) {
  return std::get<int64_t>(Parse(text, type));
}

std::optional<std::strong_ordering> Reverse(std::optional<std::strong_ordering> order) {
  if (!order) return order;
  return 0 <=> *order;
}

TEST(ValueCompare, OrdersWithinAKind) {
  const auto less = std::optional(std::strong_ordering::less);
  const auto equal = std::optional(std::strong_ordering::equal);
  EXPECT_EQ(Compare(Value(false), Value(true)), less);
  EXPECT_EQ(Compare(Value(int64_t{-1}), Value(int64_t{0})), less);
  EXPECT_EQ(Compare(Value(-0.0), Value(0.0)), equal);
  EXPECT_EQ(Compare(Value(-std::numeric_limits<double>::infinity()), Value(-1e308)), less);
  EXPECT_EQ(Compare(Value(std::string("a")), Value(std::string("a\x01"))), less);
  // Bytes, not signed characters.
  EXPECT_EQ(Compare(Value(std::string("z")), Value(std::string("ä"))), less);
}

TEST(ValueCompare, HasNoAnswerForNullNanAndMixedKinds) {
  const Value values[] = {Value(), Value(true), Value(int64_t{1}), Value(1.0), Value(std::string("1"))};
  for (const Value& a : values) {
    for (const Value& b : values) {
      if (a.index() != b.index() || IsNull(a)) {
        EXPECT_EQ(Compare(a, b), std::nullopt);
      }
    }
  }
  EXPECT_EQ(Compare(Value(std::nan("")), Value(std::nan(""))), std::nullopt);
  EXPECT_EQ(Compare(Value(std::nan("")), Value(0.0)), std::nullopt);
}

TEST(ValueCompare, DecimalsOfAnyScaleCompareExactly) {
  const __int128 huge = std::numeric_limits<__int128>::max();
  // Ascending, with equal neighbours grouped.
  const std::vector<std::vector<Value>> ascending = {
      {Value(DecimalValue{-huge - 1, 0})},
      {Value(DecimalValue{-huge, 0})},
      {Value(DecimalValue{std::numeric_limits<int64_t>::min(), -1})},
      {Value(std::numeric_limits<int64_t>::min()), Value(DecimalValue{std::numeric_limits<int64_t>::min(), 0})},
      {Value(DecimalValue{-15, 1}), Value(DecimalValue{-1500, 3})},
      {Value(int64_t{-1}), Value(DecimalValue{-10, 1})},
      {Value(DecimalValue{-1, 38})},
      {Value(int64_t{0}), Value(DecimalValue{0, 0}), Value(DecimalValue{0, 38}), Value(DecimalValue{0, -5})},
      {Value(DecimalValue{1, 38})},
      {Value(DecimalValue{99, 2})},
      {Value(int64_t{1}), Value(DecimalValue{100, 2})},
      {Value(DecimalValue{101, 2})},
      {Value(int64_t{1200}), Value(DecimalValue{12, -2})},
      {Value(std::numeric_limits<int64_t>::max())},
      {Value(DecimalValue{huge, 1})},
      {Value(DecimalValue{huge, 0})},
      {Value(DecimalValue{huge, -1})},
  };
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      for (const Value& a : ascending[i]) {
        for (const Value& b : ascending[j]) EXPECT_EQ(Compare(a, b), std::optional(i <=> j)) << i << " " << j;
      }
    }
  }
}

TEST(ValueCompare, AgreesWithExactArithmeticOnRandomDecimals) {
  Random random(7);
  for (int i = 0; i < 5000; ++i) {
    const auto scale_a = static_cast<int32_t>(random.Below(6));
    const auto scale_b = static_cast<int32_t>(random.Below(6));
    const auto a = static_cast<int64_t>(random.Below(2'000'000)) - 1'000'000;
    const auto b = static_cast<int64_t>(random.Below(2'000'000)) - 1'000'000;
    int64_t common_a = a;
    int64_t common_b = b;
    for (int32_t s = scale_a; s < 6; ++s) common_a *= 10;
    for (int32_t s = scale_b; s < 6; ++s) common_b *= 10;
    const Value left(DecimalValue{a, scale_a});
    const Value right(DecimalValue{b, scale_b});
    ASSERT_EQ(Compare(left, right), std::optional(common_a <=> common_b));
    ASSERT_EQ(Compare(right, left), Reverse(Compare(left, right)));
  }
}

TEST(PartitionValue, TheEmptyTextIsNullForEveryType) {
  for (const auto& type : {arrow::utf8(), arrow::binary(), arrow::int64(), arrow::date32(), kTimestamp}) {
    EXPECT_TRUE(IsNull(Parse("", type)));
  }
  EXPECT_EQ(FormatPartitionValue(Value(), *arrow::utf8()), std::nullopt);
  EXPECT_EQ(FormatPartitionValue(Value(std::string()), *arrow::utf8()), std::nullopt);
}

TEST(PartitionValue, IntegersKeepToTheirWidth) {
  EXPECT_EQ(Integer("-128", arrow::int8()), -128);
  EXPECT_EQ(Integer("+7", arrow::int8()), 7);
  EXPECT_EQ(Integer("-9223372036854775808", arrow::int64()), std::numeric_limits<int64_t>::min());
  for (const char* text : {"128", "-129", "1.0", " 1", "1 ", "+-1", "++1", "0x1", "-", "+", "a"}) {
    EXPECT_TRUE(Refused(text, arrow::int8())) << text;
  }
  EXPECT_TRUE(Refused("9223372036854775808", arrow::int64()));
}

TEST(PartitionValue, BooleansAndFloats) {
  EXPECT_EQ(Parse("TRUE", arrow::boolean()), Value(true));
  EXPECT_EQ(Parse("false", arrow::boolean()), Value(false));
  EXPECT_TRUE(Refused("1", arrow::boolean()));
  EXPECT_EQ(Parse("0.1", arrow::float32()), Value(static_cast<double>(0.1F)));
  EXPECT_EQ(Parse("0.1", arrow::float64()), Value(0.1));
  EXPECT_EQ(Parse("1.0E10", arrow::float64()), Value(1e10));
  EXPECT_EQ(Parse("-Infinity", arrow::float64()), Value(-std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(std::isnan(std::get<double>(Parse("NaN", arrow::float64()))));
  EXPECT_TRUE(Refused("1,5", arrow::float64()));
  EXPECT_EQ(Format(Value(static_cast<double>(0.1F)), arrow::float32()), "0.1");
  EXPECT_EQ(Format(Value(1.0), arrow::float64()), "1.0");
  EXPECT_EQ(Format(Value(-0.0), arrow::float64()), "-0.0");
  EXPECT_EQ(Format(Value(std::nan("")), arrow::float64()), "NaN");
  EXPECT_EQ(Format(Value(std::numeric_limits<double>::infinity()), arrow::float32()), "Infinity");
}

TEST(PartitionValue, DatesOfEveryYear) {
  EXPECT_EQ(Integer("1970-01-01", arrow::date32()), 0);
  EXPECT_EQ(Integer("2000-02-29", arrow::date32()), 11016);
  EXPECT_EQ(Integer("1969-12-31", arrow::date32()), -1);
  EXPECT_EQ(Integer("2024-2-9", arrow::date32()), Integer("2024-02-09", arrow::date32()));
  EXPECT_EQ(Format(Value(int64_t{2'932'897}), arrow::date32()), "+10000-01-01");
  EXPECT_EQ(Integer("+10000-01-01", arrow::date32()), 2'932'897);
  EXPECT_EQ(Format(Value(int64_t{-719'529}), arrow::date32()), "-0001-12-31");
  EXPECT_EQ(Integer("-0001-12-31", arrow::date32()), -719'529);
  EXPECT_EQ(Format(Value(int64_t{-719'528}), arrow::date32()), "0000-01-01");
  for (const char* text :
       {"2023-02-29", "1900-02-29", "2023-13-01", "2023-00-01", "2023-01-00", "2023-04-31", "23-01-01", "2023-01-01 ",
        "2023-01-01T00:00:00", "2023/01/01", "2023-01", "9999999-01-01"}) {
    EXPECT_TRUE(Refused(text, arrow::date32())) << text;
  }
}

TEST(PartitionValue, TimestampsInEveryForm) {
  const int64_t second = 1'709'210'096;
  EXPECT_EQ(Integer("2024-02-29 12:34:56", kTimestamp), second * 1'000'000);
  EXPECT_EQ(Integer("2024-02-29T12:34:56Z", kTimestamp), second * 1'000'000);
  EXPECT_EQ(Integer("2024-02-29 12:34:56.5", kTimestamp), second * 1'000'000 + 500'000);
  EXPECT_EQ(Integer("2024-02-29T12:34:56.000001Z", kTimestamp), second * 1'000'000 + 1);
  EXPECT_EQ(Integer("2024-02-29T12:34:56.123456789Z", kTimestamp), second * 1'000'000 + 123'456);
  EXPECT_EQ(Integer("2024-02-29T14:34:56+02:00", kTimestamp), second * 1'000'000);
  EXPECT_EQ(Integer("2024-02-29T07:04:56-0530", kTimestamp), second * 1'000'000);
  EXPECT_EQ(Integer("2024-02-29T14:34:56+02", kTimestamp), second * 1'000'000);
  EXPECT_EQ(Integer("2024-02-29", kTimestamp), second / 86'400 * 86'400 * 1'000'000);
  EXPECT_EQ(Integer("1969-12-31 23:59:59.999999", kTimestampNtz), -1);
  EXPECT_EQ(Format(Value(int64_t{-1}), kTimestamp), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(Format(Value(int64_t{0}), kTimestamp), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(Format(Value(int64_t{0}), kTimestampNtz), "1970-01-01 00:00:00");
  EXPECT_EQ(Format(Value(int64_t{1}), kTimestampNtz), "1970-01-01 00:00:00.000001");
  for (const char* text : {"2024-02-29T24:00:00", "2024-02-29T12:60:00", "2024-02-29T12:34:60", "2024-02-29T12:34",
                           "2024-02-29T12:34:56.", "2024-02-29T12:34:56.1234567890", "2024-02-29T12:34:56+2",
                           "2024-02-29T12:34:56 UTC", "2024-02-29T", "+300000-01-01T00:00:00", "12:34:56"}) {
    EXPECT_TRUE(Refused(text, kTimestamp)) << text;
  }
  EXPECT_TRUE(Refused("2024-02-29T12:34:56Z", kTimestampNtz));
}

TEST(PartitionValue, DecimalsAreExact) {
  const auto type = arrow::decimal128(38, 10);
  EXPECT_EQ(
      Parse("-1234567890123456789012345678.0123456789", type),
      Value(DecimalValue{
          -(static_cast<__int128>(1234567890123456789) * 10'000'000'000 + 123'456'780) * 1'000'000'000 - 123'456'789,
          10}));
  EXPECT_EQ(Parse("1E+3", arrow::decimal128(10, 2)), Value(DecimalValue{100'000, 2}));
  EXPECT_EQ(Parse("0E-18", arrow::decimal128(10, 2)), Value(DecimalValue{0, 2}));
  EXPECT_EQ(Parse("1.500", arrow::decimal128(2, 1)), Value(DecimalValue{15, 1}));
  EXPECT_EQ(Parse(".5", arrow::decimal128(2, 1)), Value(DecimalValue{5, 1}));
  for (const char* text : {"1.55", "100", "1e99999999999", ".", "1.2.3", "e5", "--1", "1e", "1e+-5"}) {
    EXPECT_TRUE(Refused(text, arrow::decimal128(2, 1))) << text;
  }
  EXPECT_EQ(Format(Value(DecimalValue{-5, 3}), arrow::decimal128(9, 3)), "-0.005");
  EXPECT_EQ(Format(Value(DecimalValue{1200, 2}), arrow::decimal128(9, 2)), "12.00");
}

TEST(PartitionValue, BinaryIsTextOrEscapes) {
  EXPECT_EQ(Format(Value(std::string("\x01\x02\x03")), arrow::binary()), "\x01\x02\x03");
  EXPECT_EQ(Format(Value(std::string("\xFF\x00", 2)), arrow::binary()), "\\u00FF\\u0000");
  EXPECT_EQ(Parse("\\u00fF\\u0000", arrow::binary()), Value(std::string("\xFF\x00", 2)));
  EXPECT_EQ(Parse("\\u00f", arrow::binary()), Value(std::string("\\u00f")));
  // Bytes that look like an escape are escaped.
  EXPECT_EQ(Parse(Format(Value(std::string("\\u0041")), arrow::binary()), arrow::binary()),
            Value(std::string("\\u0041")));
  EXPECT_EQ(Parse("\\u0041", arrow::utf8()), Value(std::string("\\u0041")));
}

TEST(PartitionValue, NestedTypesCannotPartition) {
  const auto value = ParsePartitionValue("x", *arrow::list(arrow::int64()));
  EXPECT_TRUE(value.status().Is(StatusCode::kUnsupported));
}

Value RandomValue(Random& random, const arrow::DataType& type) {
  const uint64_t bits = random.Next() >> random.Below(64);
  switch (type.id()) {
    case arrow::Type::BOOL:
      return Value(bits % 2 == 0);
    case arrow::Type::INT8:
      return Value(int64_t{static_cast<int8_t>(bits)});
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
      return Value(int64_t{static_cast<int32_t>(bits)});
    case arrow::Type::FLOAT: {
      const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
      return Value(std::isnan(value) ? 0.5 : static_cast<double>(value));
    }
    case arrow::Type::DOUBLE: {
      const auto value = std::bit_cast<double>(bits);
      return Value(std::isnan(value) ? 0.5 : value);
    }
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      const auto wide = (static_cast<__int128>(random.Next()) << 60) + static_cast<__int128>(bits);
      return Value(DecimalValue{random.Below(2) == 0 ? wide : -wide, decimal.scale()});
    }
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      std::string bytes(1 + random.Below(12), '\0');
      for (char& c : bytes) c = static_cast<char>(random.Below(type.id() == arrow::Type::STRING ? 128 : 256));
      return Value(bytes);
    }
    default:
      return Value(static_cast<int64_t>(bits));
  }
}

TEST(PartitionValue, WhatIsFormattedParsesBackToTheSame) {
  Random random(11);
  for (const auto& type : {arrow::boolean(), arrow::int8(), arrow::int32(), arrow::int64(), arrow::float32(),
                           arrow::float64(), arrow::utf8(), arrow::binary(), arrow::date32(), kTimestamp, kTimestampNtz,
                           arrow::decimal128(38, 0), arrow::decimal128(38, 20), arrow::decimal128(38, 38)}) {
    for (int i = 0; i < 2000; ++i) {
      const Value value = RandomValue(random, *type);
      const std::optional<std::string> text = FormatPartitionValue(value, *type);
      ASSERT_TRUE(text.has_value());
      ASSERT_EQ(Parse(*text, type), value) << type->ToString() << " " << *text;
    }
  }
}

TEST(PartitionValue, ExtremeInstantsSurvive) {
  for (const int64_t micros : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(Integer(Format(Value(micros), kTimestamp), kTimestamp), micros);
  }
  for (const int64_t days : {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()}) {
    EXPECT_EQ(Integer(Format(Value(days), arrow::date32()), arrow::date32()), days);
  }
}

TEST(TimeText, EveryDayOfFourCenturiesFollowsTheOneBefore) {
  std::string previous;
  for (int64_t day = -200'000; day < 200'000; ++day) {
    std::string text;
    AppendDate(text, day);
    ASSERT_EQ(ParseDate(text), day);
    ASSERT_LT(previous, text);
    previous = text;
  }
}

TEST(PartitionValue, TimestampsThatNameNoZoneAreOfTheGivenOne) {
  const auto zone = TimeZone::Find("America/Los_Angeles");
  ASSERT_TRUE(zone.ok()) << zone.status().ToString();
  const auto parsed = [&](std::string_view text, const std::shared_ptr<arrow::DataType>& type) {
    return Format(*ParsePartitionValue(text, *type, *zone), type);
  };
  EXPECT_EQ(parsed("2021-09-08 11:11:11", kTimestamp), "2021-09-08T18:11:11.000000Z");
  EXPECT_EQ(parsed("2021-09-08T11:11:11Z", kTimestamp), "2021-09-08T11:11:11.000000Z");
  EXPECT_EQ(parsed("2021-09-08 11:11:11+02:00", kTimestamp), "2021-09-08T09:11:11.000000Z");
  EXPECT_EQ(parsed("2021-09-08 11:11:11", kTimestampNtz), "2021-09-08 11:11:11");
  EXPECT_EQ(parsed("2021-09-08", arrow::date32()), "2021-09-08");
}

}  // namespace
}  // namespace tarn::columnar
