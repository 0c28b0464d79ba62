#include "columnar/dictionary_choice.h"

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

}  // namespace
}  // namespace tarn::columnar
