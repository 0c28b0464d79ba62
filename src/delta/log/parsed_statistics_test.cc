#include "delta/log/parsed_statistics.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "delta/testing/table_fixture.h"

namespace tarn::delta {
namespace {

using testing::MemoryTable;

/// A table of these columns, the last of which partitions it.
std::shared_ptr<const Snapshot> TableOf(MemoryTable& table, const arrow::FieldVector& columns,
                                        std::map<std::string, std::string> configuration = {}) {
  CreateTableOptions options;
  options.schema = arrow::schema(columns);
  options.partition_columns = {columns.back()->name()};
  options.configuration = std::move(configuration);
  return (*Transaction::Create(table.context(), options))->Commit()->snapshot;
}

/// A statistics text put into columns and read out of them again.
std::string Through(const Snapshot& snapshot, const std::string& stats) {
  const auto type = ParsedStatsType(snapshot);
  const auto builder = arrow::MakeBuilder(type).ValueOrDie();
  EXPECT_TRUE(AppendParsedStats(*builder, *type, "").ok());
  EXPECT_TRUE(AppendParsedStats(*builder, *type, stats).ok());
  EXPECT_TRUE(AppendParsedStats(*builder, *type, "[1]").ok());
  const auto array = builder->Finish().ValueOrDie();
  EXPECT_TRUE(array->ValidateFull().ok());
  EXPECT_EQ(StatsTextOf(*array, 0), "");
  EXPECT_EQ(StatsTextOf(*array, 2), "");
  return StatsTextOf(*array, 1);
}

TEST(ParsedStatistics, EveryTypeIsKept) {
  MemoryTable table;
  const auto snapshot = TableOf(
      table,
      {arrow::field("i8", arrow::int8()), arrow::field("i64", arrow::int64()), arrow::field("f", arrow::float32()),
       arrow::field("d", arrow::float64()), arrow::field("dec", arrow::decimal128(38, 2)),
       arrow::field("day", arrow::date32()), arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
       arrow::field("s", arrow::utf8()), arrow::field("n", arrow::struct_({arrow::field("x", arrow::int32())})),
       arrow::field("b", arrow::boolean()), arrow::field("p", arrow::int32())});
  const std::string bounds =
      R"({"i8":-128,"i64":-9223372036854775808,"f":0.5,"d":1e+300,"dec":-123456789012345678901234567890123456.78,)"
      R"("day":"1969-12-31","at":"1969-12-31T23:59:59.999999Z","s":"ü \"q\"","n":{"x":3}})";
  const std::string stats = R"({"numRecords":9007199254740993,"minValues":)" + bounds + R"(,"maxValues":)" + bounds +
                            R"(,"nullCount":{"i8":0,"n":{"x":1},"b":2},"tightBounds":false})";
  EXPECT_EQ(Through(*snapshot, stats), stats);
}

TEST(ParsedStatistics, WhatDoesNotFitIsUnknown) {
  MemoryTable table;
  const auto snapshot = TableOf(table, {arrow::field("i8", arrow::int8()), arrow::field("dec", arrow::decimal128(3, 1)),
                                        arrow::field("day", arrow::date32()), arrow::field("s", arrow::utf8()),
                                        arrow::field("p", arrow::int32())});
  EXPECT_EQ(Through(*snapshot, R"({"numRecords":1.5,"minValues":{"i8":128,"dec":1.23,"day":"x","s":"a","other":1},)"
                               R"("maxValues":[],"more":{}})"),
            R"({"minValues":{"s":"a"}})");
}

TEST(ParsedStatistics, PropertiesSayWhichColumnsAreIndexed) {
  const arrow::FieldVector columns = {arrow::field("a", arrow::int32()), arrow::field("b", arrow::int32()),
                                      arrow::field("p", arrow::int32())};
  const std::string stats = R"({"minValues":{"a":1,"b":2}})";
  MemoryTable all;
  EXPECT_EQ(Through(*TableOf(all, columns), stats), stats);
  MemoryTable one;
  EXPECT_EQ(Through(*TableOf(one, columns, {{"delta.dataSkippingNumIndexedCols", "1"}}), stats),
            R"({"minValues":{"a":1}})");
  MemoryTable none;
  EXPECT_EQ(Through(*TableOf(none, columns, {{"delta.dataSkippingNumIndexedCols", "0"}}), stats), "{}");
}

TEST(ParsedStatistics, PartitionValuesAreTyped) {
  MemoryTable table;
  const auto snapshot = TableOf(table, {arrow::field("a", arrow::int32()), arrow::field("day", arrow::date32())});
  const auto type = ParsedPartitionType(*snapshot);
  ASSERT_NE(type, nullptr);
  const auto builder = arrow::MakeBuilder(type).ValueOrDie();
  for (const std::optional<std::string>& value :
       {std::optional<std::string>("1970-01-02"), std::optional<std::string>(""), std::optional<std::string>()}) {
    ASSERT_TRUE(AppendParsedPartition(*builder, *type, {{"day", value}}).ok());
  }
  const auto array = builder->Finish().ValueOrDie();
  const auto& days = static_cast<const arrow::Date32Array&>(*static_cast<const arrow::StructArray&>(*array).field(0));
  EXPECT_EQ(days.Value(0), 1);
  EXPECT_TRUE(days.IsNull(1) && days.IsNull(2));
}

}  // namespace
}  // namespace tarn::delta
