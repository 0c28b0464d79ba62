#include "columnar/without_void.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

namespace tarn::columnar {
namespace {

const auto kVoid = arrow::field("n", arrow::null());
const auto kNumber = arrow::field("a", arrow::int32());

TEST(WithoutVoid, AreLeftOutOfStructsAtEveryDepth) {
  const auto inner = arrow::struct_({kVoid, kNumber, arrow::field("deep", arrow::struct_({kNumber, kVoid}))});
  const auto stored = arrow::struct_({kNumber, arrow::field("deep", arrow::struct_({kNumber}))});
  EXPECT_TRUE(WithoutVoid(inner)->Equals(stored));
  EXPECT_TRUE(WithoutVoid(arrow::list(arrow::field("element", inner, false)))
                  ->Equals(arrow::list(arrow::field("element", stored, false))));
  EXPECT_TRUE(WithoutVoid(arrow::map(arrow::utf8(), inner))->Equals(arrow::map(arrow::utf8(), stored)));
  // Nothing would be left of it.
  const auto nothing = arrow::struct_({kVoid});
  EXPECT_EQ(WithoutVoid(nothing), nothing);
  const auto schema = arrow::schema({kNumber, arrow::field("l", arrow::list(arrow::int8()))});
  EXPECT_EQ(WithoutVoid(schema), schema);
  EXPECT_TRUE(WithoutVoid(arrow::schema({kVoid, kNumber, kVoid}))->Equals(*arrow::schema({kNumber})));
  EXPECT_TRUE(HoldsVoid(*arrow::list(inner)));
  EXPECT_FALSE(HoldsVoid(*arrow::list(stored)));
}

TEST(WithoutVoid, RowsStayWhereTheyAre) {
  const auto type = arrow::struct_({kVoid, kNumber});
  const auto schema = arrow::schema({arrow::field("s", type), arrow::field("l", arrow::list(type)),
                                     arrow::field("m", arrow::map(arrow::utf8(), type))});
  const auto rows = [](const std::shared_ptr<arrow::Schema>& of, const std::string& struct_json) {
    arrow::ArrayVector columns;
    const std::string texts[] = {"[null," + struct_json + "," + struct_json + "]",
                                 "[[],[" + struct_json + ",null],null]", "[null,[],[[\"k\"," + struct_json + "]]]"};
    for (int i = 0; i < 3; ++i) {
      columns.push_back(*arrow::json::ArrayFromJSONString(of->field(i)->type(), texts[i]));
    }
    return arrow::RecordBatch::Make(of, 3, std::move(columns));
  };
  const auto batch = rows(schema, R"({"n":null,"a":7})");
  const auto stored = WithoutVoid(schema);
  const auto expected = rows(stored, R"({"a":7})");
  EXPECT_TRUE(WithoutVoid(*batch, stored)->Equals(*expected));
  EXPECT_TRUE(WithoutVoid(*batch, stored)->ValidateFull().ok());
  const auto with_void = *batch->AddColumn(1, "n", std::make_shared<arrow::NullArray>(3));
  EXPECT_TRUE(WithoutVoid(*with_void, stored)->Equals(*expected));
  EXPECT_TRUE(WithoutVoid(*batch->Slice(1, 2), stored)->Equals(*expected->Slice(1, 2)));
}

}  // namespace
}  // namespace tarn::columnar
