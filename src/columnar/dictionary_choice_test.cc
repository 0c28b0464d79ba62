#include "columnar/dictionary_choice.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tarn::columnar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Rows [first, first + count), each written as `row(number)`.
template <typename Row>
std::shared_ptr<arrow::RecordBatch> Rows(const arrow::FieldVector& fields, int first, int count, const Row& row) {
  std::string json = "[";
  for (int number = first; number < first + count; ++number) json += (number > first ? "," : "") + row(number);
  return *arrow::RecordBatch::FromStructArray(*arrow::json::ArrayFromJSONString(arrow::struct_(fields), json + "]"));
}

TEST(DictionaryChoice, ValuesThatMostlyDifferNeedNone) {
  const arrow::FieldVector fields = {arrow::field("unique", arrow::int64()), arrow::field("few", arrow::float64()),
                                     arrow::field("name", arrow::utf8()),    arrow::field("uuid", arrow::utf8()),
                                     arrow::field("flag", arrow::boolean()), arrow::field("nothing", arrow::int32())};
  const auto row = [](int n) {
    const std::string number = std::to_string(n);
    return R"({"unique":)" + number + R"(,"few":)" + std::to_string(n % 7) + R"(,"name":"n)" + std::to_string(n % 300) +
           R"(","uuid":"u)" + number + R"(","flag":true,"nothing":null})";
  };
  // Over batches, of which each alone would say otherwise: every one has a name only once.
  const auto batches = {Rows(fields, 0, 300, row), Rows(fields, 300, 300, row), Rows(fields, 600, 300, row)};
  EXPECT_THAT(LeavesWithoutRepetition(batches), ElementsAre(0, 3));
  EXPECT_THAT(LeavesWithoutRepetition({}), IsEmpty());
}

TEST(DictionaryChoice, LeavesAreCountedAsTheFileHasThem) {
  const auto pair = arrow::struct_({arrow::field("same", arrow::int32()), arrow::field("unique", arrow::int32())});
  const arrow::FieldVector fields = {arrow::field("list", arrow::list(arrow::int64())),
                                     arrow::field("map", arrow::map(arrow::utf8(), arrow::int64())),
                                     arrow::field("pair", pair), arrow::field("last", arrow::date32())};
  const auto batch = Rows(fields, 0, 500, [](int n) {
    const std::string number = std::to_string(n);
    return R"({"list":[1,1,)" + std::to_string(n % 5) + R"(],"map":[["k",)" + number +
           R"(]],"pair":{"same":1,"unique":)" + number + R"(},"last":)" + number + "}";
  });
  EXPECT_THAT(LeavesWithoutRepetition({batch}), ElementsAre(2, 4, 5));
  // A part of the rows, as writers cut batches.
  EXPECT_THAT(LeavesWithoutRepetition({batch->Slice(100, 50)}), ElementsAre(2, 4, 5));
}

// As other programs may hand them over: what has no values needs no memory for them.
TEST(DictionaryChoice, ArraysWithoutValuesMayHaveNoBuffers) {
  const arrow::FieldVector fields = {arrow::field("number", arrow::int64()), arrow::field("text", arrow::utf8()),
                                     arrow::field("list", arrow::list(arrow::int64())),
                                     arrow::field("map", arrow::map(arrow::utf8(), arrow::int64())),
                                     arrow::field("last", arrow::int64())};
  const auto bare = [](const std::shared_ptr<arrow::DataType>& type) {
    return arrow::ArrayData::Make(type, 0, {nullptr, nullptr});
  };
  const auto no_texts = arrow::ArrayData::Make(arrow::utf8(), 0, {nullptr, nullptr, nullptr});
  const auto list = arrow::ArrayData::Make(fields[2]->type(), 0, {nullptr, nullptr}, {bare(arrow::int64())});
  const auto& entries = static_cast<const arrow::MapType&>(*fields[3]->type()).value_type();
  const auto pairs = arrow::ArrayData::Make(entries, 0, {nullptr}, {no_texts, bare(arrow::int64())});
  const auto map = arrow::ArrayData::Make(fields[3]->type(), 0, {nullptr, nullptr}, {pairs});
  const auto empty = arrow::RecordBatch::Make(
      arrow::schema(fields), 0,
      std::vector<std::shared_ptr<arrow::ArrayData>>{bare(arrow::int64()), no_texts, list, map, bare(arrow::int64())});
  EXPECT_THAT(LeavesWithoutRepetition({empty}), IsEmpty());
  const auto full = Rows(fields, 0, 50, [](int n) {
    return R"({"number":1,"text":"a","list":[],"map":[],"last":)" + std::to_string(n) + "}";
  });
  EXPECT_THAT(LeavesWithoutRepetition({empty, full}), ElementsAre(5));

  const auto all_null = arrow::ArrayData::Make(arrow::int64(), 2, {*arrow::AllocateEmptyBitmap(2), nullptr});
  const auto nulls =
      arrow::RecordBatch::Make(arrow::schema({fields[0]}), 2, std::vector<std::shared_ptr<arrow::ArrayData>>{all_null});
  EXPECT_THAT(LeavesWithoutRepetition({nulls}), IsEmpty());
  const auto numbers = Rows({fields[0]}, 0, 50, [](int n) { return R"({"number":)" + std::to_string(n) + "}"; });
  EXPECT_THAT(LeavesWithoutRepetition({nulls, numbers}), ElementsAre(0));
}

}  // namespace
}  // namespace tarn::columnar
