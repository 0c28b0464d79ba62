#include "delta/files/column_mapping.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::delta {
namespace {

using columnar::FieldMatch;

Metadata WithMode(const std::string& mode) {
  Metadata metadata;
  metadata.configuration["delta.columnMapping.mode"] = mode;
  return metadata;
}

TEST(ColumnMapping, CountsOnlyWhereTheProtocolHasIt) {
  const std::vector<std::string> mapped = {"columnMapping"};
  EXPECT_EQ(*FieldMatchOf({2, 5, {}, {}}, WithMode("name")), FieldMatch::kPhysicalName);
  EXPECT_EQ(*FieldMatchOf({2, 5, {}, {}}, WithMode("id")), FieldMatch::kFieldId);
  EXPECT_EQ(*FieldMatchOf({2, 5, {}, {}}, WithMode("none")), FieldMatch::kName);
  EXPECT_EQ(*FieldMatchOf({2, 5, {}, {}}, {}), FieldMatch::kName);
  EXPECT_EQ(*FieldMatchOf({1, 2, {}, {}}, WithMode("name")), FieldMatch::kName);
  EXPECT_EQ(*FieldMatchOf({3, 7, mapped, mapped}, WithMode("name")), FieldMatch::kPhysicalName);
  EXPECT_EQ(*FieldMatchOf({3, 7, std::vector<std::string>{}, mapped}, WithMode("name")), FieldMatch::kName);
  EXPECT_TRUE(FieldMatchOf({2, 5, {}, {}}, WithMode("nmae")).status().Is(StatusCode::kCorruption));
}

std::shared_ptr<arrow::Field> Mapped(const std::string& name, std::shared_ptr<arrow::DataType> type,
                                     const std::string& physical_name, const std::string& id) {
  return arrow::field(name, std::move(type), true,
                      arrow::key_value_metadata({"delta.columnMapping.physicalName", "json:delta.columnMapping.id"},
                                                {physical_name, id}));
}

Status Check(const arrow::FieldVector& fields) {
  return CheckMapping(*arrow::schema(fields), FieldMatch::kPhysicalName);
}

TEST(ColumnMapping, EveryMemberAtEveryDepthHasANameAndAnIdOfItsOwn) {
  const auto number = arrow::int64();
  const auto member = arrow::struct_({Mapped("x", number, "p", "3")});
  EXPECT_TRUE(Check({Mapped("a", number, "p", "1"), Mapped("m", arrow::map(arrow::utf8(), member), "q", "2")}).ok());
  EXPECT_TRUE(CheckMapping(*arrow::schema({arrow::field("a", number)}), FieldMatch::kName).ok());
  const auto expect = [](const arrow::FieldVector& fields, const std::string& column) {
    const Status status = Check(fields);
    EXPECT_TRUE(status.Is(StatusCode::kCorruption)) << column;
    EXPECT_THAT(status.message(), testing::HasSubstr("'" + column + "'"));
  };
  expect({arrow::field("a", number)}, "a");
  expect({Mapped("a", number, "p", "one")}, "a");
  expect({Mapped("a", number, "p", "1"), Mapped("b", number, "p", "2")}, "b");
  expect({Mapped("a", number, "p", "1"), Mapped("b", number, "P", "2")}, "b");
  expect({Mapped("a", number, "p", "1"), Mapped("b", number, "q", "1")}, "b");
  expect({Mapped("l", arrow::list(arrow::field("element", arrow::struct_({arrow::field("x", number)}))), "p", "1")},
         "l.element.x");
  expect({Mapped("s", member, "p", "3")}, "s.x");
}

}  // namespace
}  // namespace tarn::delta
