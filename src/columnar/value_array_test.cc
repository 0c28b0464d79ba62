#include "columnar/value_array.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

namespace tarn::columnar {
namespace {

TEST(ValueArray, ConstantsComeBackAsTheyWere) {
  const std::vector<std::pair<Value, std::shared_ptr<arrow::DataType>>> cases = {
      {true, arrow::boolean()},
      {int64_t{-7}, arrow::int8()},
      {int64_t{300}, arrow::int16()},
      {int64_t{1} << 30, arrow::int32()},
      {int64_t{1} << 60, arrow::int64()},
      {1.5, arrow::float32()},
      {-2.25, arrow::float64()},
      {std::string("text"), arrow::utf8()},
      {std::string("\0\xff", 2), arrow::binary()},
      {int64_t{20454}, arrow::date32()},
      {int64_t{1'700'000'000'000'000}, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {DecimalValue{-12345, 2}, arrow::decimal128(7, 2)},
  };
  for (const auto& [value, type] : cases) {
    SCOPED_TRACE(type->ToString());
    const auto array = ConstantArray(value, type, 3);
    ASSERT_TRUE(array.ok()) << array.status().ToString();
    EXPECT_TRUE((*array)->type()->Equals(*type));
    ASSERT_EQ((*array)->length(), 3);
    EXPECT_EQ(ValueAt(**array, 2), value);
    const auto nulls = ConstantArray({}, type, 2);
    ASSERT_TRUE(nulls.ok());
    EXPECT_TRUE(IsNull(ValueAt(**nulls, 1)));
  }
  // Another scale of the same number.
  const auto rescaled = ConstantArray(DecimalValue{15, 1}, arrow::decimal128(7, 3), 1);
  EXPECT_EQ(ValueAt(**rescaled, 0), Value(DecimalValue{1500, 3}));
}

TEST(ValueArray, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(ConstantArray(std::string("x"), arrow::int64(), 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ConstantArray(int64_t{1}, arrow::utf8(), 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(ConstantArray(DecimalValue{15, 1}, arrow::decimal128(7, 0), 1).ok());
}

TEST(ValueArray, NestedRowsHaveNoValue) {
  const auto lists = ConstantArray({}, arrow::list(arrow::int64()), 1);
  ASSERT_TRUE(lists.ok());
  EXPECT_TRUE(IsNull(ValueAt(**lists, 0)));
}

}  // namespace
}  // namespace tarn::columnar
