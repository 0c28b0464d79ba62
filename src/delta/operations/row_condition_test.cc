#include "delta/operations/row_condition.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <limits>

namespace tarn::delta {
namespace {

using Op = Predicate::Op;
using columnar::Value;

const arrow::FieldVector kColumns = {arrow::field("i", arrow::int32()), arrow::field("d", arrow::float64()),
                                     arrow::field("s", arrow::utf8()), arrow::field("x", arrow::decimal128(5, 2)),
                                     arrow::field("l", arrow::list(arrow::int64()))};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One letter per row: T, F, or ? for unknown.
Result<std::string> Select(const std::vector<Predicate>& all_of) {
  const auto schema = arrow::schema(kColumns);
  const auto rows = *arrow::json::ArrayFromJSONString(
      arrow::struct_(kColumns),
      R"([{"i":1,"d":1.5,"s":"a","x":"1.50","l":[1]},{"i":2,"d":NaN,"s":"b","x":"2.00","l":null},
          {"i":null,"d":null,"s":null,"x":null,"l":[]},{"i":4,"d":-0.0,"s":"","x":"-1.00","l":[2]}])");
  const auto batch = *arrow::RecordBatch::FromStructArray(rows);
  TARN_ASSIGN_OR_RETURN(const auto condition, MakeCondition(*schema, all_of));
  TARN_ASSIGN_OR_RETURN(const auto mask, condition->Select(**batch->SelectColumns(condition->columns())));
  std::string letters;
  for (int64_t row = 0; row < mask->length(); ++row) {
    letters += mask->IsNull(row) ? '?' : mask->Value(row) ? 'T' : 'F';
  }
  return letters;
}

std::string Letters(Predicate predicate) {
  const auto letters = Select({std::move(predicate)});
  return letters.ok() ? *letters : letters.status().ToString();
}

Predicate Not(Predicate predicate) { return {Op::kNot, -1, {}, {std::move(predicate)}}; }
Predicate Or(std::vector<Predicate> any_of) { return {Op::kOr, -1, {}, std::move(any_of)}; }

TEST(RowCondition, ComparesByKind) {
  EXPECT_EQ(Letters(Predicate::Compare(Op::kEq, 0, int64_t{2})), "FT?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kNe, 0, int64_t{2})), "TF?T");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kLt, 0, int64_t{2})), "TF?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kLe, 0, int64_t{2})), "TT?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kGt, 0, int64_t{2})), "FF?T");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kGe, 0, int64_t{2})), "FT?T");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kEq, 2, std::string())), "FF?T");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kGt, 3, columnar::DecimalValue{15, 1})), "FT?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kEq, 0, Value())), "????");
}

TEST(RowCondition, NaNIsTheGreatestAndEqualsItself) {
  EXPECT_EQ(Letters(Predicate::Compare(Op::kGt, 1, 1.0)), "TT?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kEq, 1, kNaN)), "FT?F");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kLt, 1, kNaN)), "TF?T");
  EXPECT_EQ(Letters(Predicate::Compare(Op::kEq, 1, 0.0)), "FF?T");
}

TEST(RowCondition, CombinesAsSqlDoes) {
  const Predicate one = Predicate::Compare(Op::kEq, 0, int64_t{1});
  const Predicate unknown = Predicate::Compare(Op::kEq, 0, Value());
  EXPECT_EQ(Letters(Not(one)), "FT?T");
  EXPECT_EQ(Letters(Not(unknown)), "????");
  EXPECT_EQ(Letters(Predicate::And({one, unknown})), "?F?F");
  EXPECT_EQ(Letters(Or({one, unknown})), "T???");
  EXPECT_EQ(Letters(Or({one, {Op::kIsNull, 0, {}, {}}})), "TFTF");
  EXPECT_EQ(Letters({Op::kIsNotNull, 4, {}, {}}), "TFTT");
  EXPECT_EQ(Letters({Op::kIn, 0, {int64_t{1}, int64_t{4}}, {}}), "TF?T");
  EXPECT_EQ(Letters({Op::kIn, 0, {int64_t{1}, Value()}, {}}), "T???");
  EXPECT_EQ(Letters(Not({Op::kIn, 0, {int64_t{1}, Value()}, {}})), "F???");
  EXPECT_EQ(Letters({Op::kIn, 0, {}, {}}), "FFFF");
}

TEST(RowCondition, AConjunctionOfNothingIsEveryRow) {
  const auto condition = *MakeCondition(*arrow::schema(kColumns), {});
  EXPECT_TRUE(condition->columns().empty());
  const auto rows = arrow::RecordBatch::Make(arrow::schema({}), 3, arrow::ArrayVector());
  EXPECT_EQ((*condition->Select(*rows))->true_count(), 3);
}

TEST(RowCondition, RefusesWhatCannotBeDecided) {
  const auto code = [](Predicate predicate) { return Select({std::move(predicate)}).status().code(); };
  EXPECT_EQ(code({}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Not({})), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Op::kNot, -1, {}, {}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Predicate::Compare(Op::kEq, 7, int64_t{1})), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Predicate::Compare(Op::kEq, 4, int64_t{1})), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Predicate::Compare(Op::kEq, 0, std::string("1"))), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Op::kEq, 0, {}, {}}), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tarn::delta
