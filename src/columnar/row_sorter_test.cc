#include "columnar/row_sorter.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "base/random.h"
#include "columnar/sort_keys.h"

namespace tarn::columnar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Filled(Builder& builder, const std::vector<std::optional<Value>>& values) {
  for (const auto& value : values) {
    EXPECT_TRUE((value.has_value() ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return *builder.Finish();
}

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> ArrayOf(const std::vector<std::optional<Value>>& values) {
  Builder builder;
  return Filled(builder, values);
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::vector<std::shared_ptr<arrow::Array>>& columns) {
  arrow::FieldVector fields;
  for (const auto& column : columns)
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), column->type()));
  return arrow::RecordBatch::Make(arrow::schema(fields), columns.front()->length(), columns);
}

/// Values come in ascending order, those with the same number are equal.
void ExpectAscending(const std::shared_ptr<arrow::Array>& array, const std::vector<int>& order) {
  const SortKeys keys = SortKeys::Of(*BatchOf({array}), {0}).value();
  ASSERT_EQ(keys.size(), order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t j = 0; j < order.size(); ++j) {
      EXPECT_EQ(keys[i] < keys[j], order[i] < order[j]) << array->type()->ToString() << " " << i << " " << j;
    }
  }
}

std::vector<int> Ascending(size_t count) {
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

TEST(SortKeys, OrderAsTheValuesDo) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ExpectAscending(ArrayOf<arrow::Int64Builder, int64_t>({std::nullopt, INT64_MIN, -256, -1, 0, 1, 255, INT64_MAX}),
                  Ascending(8));
  ExpectAscending(ArrayOf<arrow::Int8Builder, int8_t>({std::nullopt, INT8_MIN, -1, 0, INT8_MAX}), Ascending(5));
  ExpectAscending(ArrayOf<arrow::Date32Builder, int32_t>({std::nullopt, -40'000, 0, 19'000}), Ascending(4));
  ExpectAscending(ArrayOf<arrow::DoubleBuilder, double>(
                      {std::nullopt, -kInfinity, -1.5, -5e-324, -0.0, 0.0, 5e-324, 1e300, kInfinity, NAN, -NAN}),
                  {0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8});
  ExpectAscending(ArrayOf<arrow::FloatBuilder, float>({std::nullopt, -2.F, -0.F, 0.F, 3.F, NAN}), {0, 1, 2, 2, 3, 4});
  ExpectAscending(ArrayOf<arrow::BooleanBuilder, bool>({std::nullopt, false, true}), Ascending(3));
  using namespace std::string_literals;
  ExpectAscending(
      ArrayOf<arrow::StringBuilder, std::string>({std::nullopt, ""s, "\0"s, "\0\0"s, "\0a"s, "\1"s, "A"s, "a"s, "a\0"s,
                                                  "a\0b"s, "ab"s, "b"s, "\xc3\xa4"s, "\xff"s}),
      Ascending(14));
  arrow::Decimal128Builder decimals(arrow::decimal128(38, 2));
  const std::vector<std::optional<arrow::Decimal128>> numbers = {
      std::nullopt,
      arrow::Decimal128("-99999999999999999999999999999999999999"),
      arrow::Decimal128(-1),
      arrow::Decimal128(0),
      arrow::Decimal128("18446744073709551616"),
      arrow::Decimal128("99999999999999999999999999999999999999")};
  ExpectAscending(Filled(decimals, numbers), Ascending(numbers.size()));
}

TEST(SortKeys, TheFirstColumnComesFirstAndTextsDoNotRunTogether) {
  const auto texts = ArrayOf<arrow::StringBuilder, std::string>({"a", "a", "aa", "aa"});
  const auto numbers = ArrayOf<arrow::Int32Builder, int32_t>({1, 2, -5, std::nullopt});
  const SortKeys keys = SortKeys::Of(*BatchOf({texts, numbers}), {0, 1}).value();
  EXPECT_LT(keys[0], keys[1]);
  EXPECT_LT(keys[1], keys[3]);
  EXPECT_LT(keys[3], keys[2]);
}

TEST(SortKeys, OfSlicesAreThoseOfTheirRows) {
  const auto batch = BatchOf({ArrayOf<arrow::Int64Builder, int64_t>({7, 3, std::nullopt, 5}),
                              ArrayOf<arrow::StringBuilder, std::string>({"x", "y", "z", std::nullopt}),
                              ArrayOf<arrow::BooleanBuilder, bool>({true, false, true, false})});
  const SortKeys whole = SortKeys::Of(*batch, {0, 1, 2}).value();
  const SortKeys part = SortKeys::Of(*batch->Slice(1, 3), {0, 1, 2}).value();
  for (size_t row = 0; row < 3; ++row) EXPECT_EQ(part[row], whole[row + 1]);
}

TEST(SortKeys, NestedColumnsHaveNoOrder) {
  const Status refused = CheckSortable(*arrow::field("tags", arrow::list(arrow::utf8())));
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("'tags'"));
  EXPECT_FALSE(CheckSortable(*arrow::field("s", arrow::struct_({arrow::field("a", arrow::int32())}))).ok());
  EXPECT_FALSE(CheckSortable(*arrow::field("n", arrow::null())).ok());
  EXPECT_TRUE(CheckSortable(*arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))).ok());
}

/// Key, what came how-manieth, and a text, so that rows have some width.
std::shared_ptr<arrow::RecordBatch> RandomRows(Random& random, int64_t rows, int64_t& next) {
  arrow::Int64Builder keys;
  arrow::Int64Builder places;
  arrow::StringBuilder texts;
  for (int64_t row = 0; row < rows; ++row) {
    const auto key = static_cast<int64_t>(random.Below(500));
    EXPECT_TRUE((key == 0 ? keys.AppendNull() : keys.Append(key)).ok());
    EXPECT_TRUE(places.Append(next++).ok());
    EXPECT_TRUE(texts.Append(std::string(key % 40, 'x')).ok());
  }
  return BatchOf({*keys.Finish(), *places.Finish(), *texts.Finish()});
}

/// Sorts random rows by the first column; gives how many runs it took.
int ExpectSorted(int64_t memory_bytes, int batches) {
  Random random(static_cast<uint64_t>(batches));
  int64_t next = 0;
  std::optional<RowSorter> sorter;
  for (int i = 0; i < batches; ++i) {
    const auto batch = RandomRows(random, 1000, next);
    if (!sorter.has_value()) {
      sorter.emplace(batch->schema(), RowSortOptions{.columns = {0}, .memory_bytes = memory_bytes, .temp_folder = {}});
    }
    EXPECT_TRUE(sorter->Add(batch).ok());
  }
  std::vector<bool> seen(static_cast<size_t>(next));
  std::optional<std::pair<int64_t, int64_t>> last;
  const Status done = sorter->Finish([&](const auto& batch) {
    EXPECT_GT(batch->num_rows(), 0);
    const auto& keys = static_cast<const arrow::Int64Array&>(*batch->column(0));
    const auto& places = static_cast<const arrow::Int64Array&>(*batch->column(1));
    const auto& texts = static_cast<const arrow::StringArray&>(*batch->column(2));
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      const std::pair<int64_t, int64_t> here(keys.IsNull(row) ? 0 : keys.Value(row), places.Value(row));
      EXPECT_TRUE(!last.has_value() || *last < here) << "in order, and equal keys as they came";
      EXPECT_EQ(texts.GetView(row).size(), static_cast<size_t>(here.first % 40));
      EXPECT_FALSE(seen[static_cast<size_t>(here.second)]);
      seen[static_cast<size_t>(here.second)] = true;
      last = here;
    }
    return Status::Ok();
  });
  EXPECT_TRUE(done.ok()) << done.ToString();
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](bool row) { return row; }));
  return sorter->runs_written();
}

TEST(RowSorter, SortsInMemoryWhatFits) { EXPECT_EQ(ExpectSorted(64 << 20, 10), 0); }

TEST(RowSorter, MergesRunsOfWhatDoesNot) {
  const int runs = ExpectSorted(600 << 10, 40);
  EXPECT_GT(runs, 2);
  EXPECT_LT(runs, 64);
}

TEST(RowSorter, MergesRunsOfRunsWhereThereAreMany) { EXPECT_GT(ExpectSorted(40 << 10, 150), 150); }

TEST(RowSorter, NothingIsNoError) {
  RowSorter sorter(arrow::schema({arrow::field("a", arrow::int64())}), {.columns = {0}, .temp_folder = {}});
  EXPECT_TRUE(sorter.Finish([](const auto&) { return Status::Unavailable("called"); }).ok());
}

TEST(RowSorter, AVisitorThatFailsEndsIt) {
  Random random(1);
  int64_t next = 0;
  const auto batch = RandomRows(random, 1000, next);
  RowSorter sorter(batch->schema(), {.columns = {0}, .memory_bytes = 1000, .temp_folder = {}});
  ASSERT_TRUE(sorter.Add(batch).ok());
  ASSERT_TRUE(sorter.Add(batch).ok());
  EXPECT_EQ(sorter.Finish([](const auto&) { return Status::Unavailable("enough"); }).code(), StatusCode::kUnavailable);
}

TEST(RowSorter, AFolderOfTheEnvironmentThatIsNotThereIsAnError) {
  Random random(1);
  int64_t next = 0;
  const auto batch = RandomRows(random, 100, next);
  RowSorter sorter(batch->schema(), {.columns = {0}, .memory_bytes = 1, .temp_folder = {}});
  const char* const variable = std::getenv("TMPDIR");
  const std::string before = variable == nullptr ? "/tmp" : variable;
  ASSERT_EQ(setenv("TMPDIR", "/nowhere/at/all", 1), 0);
  const Status failed = sorter.Add(batch);
  ASSERT_EQ(setenv("TMPDIR", before.c_str(), 1), 0);
  EXPECT_EQ(failed.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(failed.message(), HasSubstr("TMPDIR"));
}

TEST(RowSorter, AFolderThatIsNotThereIsNamed) {
  Random random(1);
  int64_t next = 0;
  const auto batch = RandomRows(random, 100, next);
  RowSorter sorter(batch->schema(), {.columns = {0}, .memory_bytes = 1, .temp_folder = "/nowhere/at/all"});
  const Status failed = sorter.Add(batch);
  EXPECT_EQ(failed.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(failed.message(), HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace tarn::columnar
