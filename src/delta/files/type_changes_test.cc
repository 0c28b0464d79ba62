#include "delta/files/type_changes.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/files/statistics.h"

namespace tarn::delta {
namespace {

std::shared_ptr<arrow::Field> Changed(const std::string& name, std::shared_ptr<arrow::DataType> type,
                                      const std::string& changes) {
  return arrow::field(name, std::move(type), true, arrow::key_value_metadata({"json:delta.typeChanges"}, {changes}));
}

Status Check(const std::shared_ptr<arrow::Field>& field) { return CheckTypeChanges(*arrow::schema({field})); }

TEST(TypeChanges, OnlyTheProtocolsWideningsAreRead) {
  const std::string twice = R"([{"fromType":"byte","toType":"short"},{"fromType":"short","toType":"long"}])";
  EXPECT_TRUE(Check(Changed("a", arrow::int64(), twice)).ok());
  const std::string decimals = R"json([{"fromType":"decimal(5,2)","toType":"decimal(12,2)"}])json";
  EXPECT_TRUE(Check(Changed("a", arrow::decimal128(12, 2), decimals)).ok());
  const std::string elements = R"([{"fromType":"integer","toType":"long","fieldPath":"element"}])";
  EXPECT_TRUE(Check(Changed("a", arrow::list(arrow::int64()), elements)).ok());
  const auto inner = Changed("a", arrow::int32(), R"([{"fromType":"long","toType":"integer"}])");
  const Status narrowed = Check(arrow::field("outer", arrow::struct_({inner})));
  EXPECT_TRUE(narrowed.Is(StatusCode::kUnsupported));
  EXPECT_THAT(narrowed.message(), testing::AllOf(testing::HasSubstr("'a'"), testing::HasSubstr("long to integer")));
  for (const char* malformed : {"[", "{}", "[{}]", R"([{"fromType":1,"toType":"long"}])"}) {
    EXPECT_TRUE(Check(Changed("a", arrow::int64(), malformed)).Is(StatusCode::kCorruption)) << malformed;
  }
}

// A float's text, read as a double, lies beside the float that the file holds.
TEST(TypeChanges, BoundsOfFormerFloatsHoldTheFloats) {
  const auto field = Changed("f", arrow::float64(), R"([{"fromType":"float","toType":"double"}])");
  ASSERT_TRUE(WasFloat(*field));
  EXPECT_FALSE(WasFloat(*arrow::field("f", arrow::float64())));
  for (const std::string shortest : {"0.1", "0.3", "0.7", "-0.1", "16777216", "3.4e38"}) {
    const std::string stats = R"({"numRecords":1,"minValues":{"f":)" + shortest + R"(},"maxValues":{"f":)" + shortest +
                              R"(},"nullCount":{"f":0}})";
    const auto facts = StatsParser().Parse(stats, {{"f", arrow::float64(), true}});
    ASSERT_TRUE(facts.ok());
    const auto stored = static_cast<double>(std::stof(shortest));
    EXPECT_LE(std::get<double>(facts->columns[0].min), stored) << shortest;
    EXPECT_GE(std::get<double>(facts->columns[0].max), stored) << shortest;
  }
}

}  // namespace
}  // namespace tarn::delta
