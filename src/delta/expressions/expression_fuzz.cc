// Any text is an expression that has a value or an error for a row, or is Unsupported; the second time the same.

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "delta/expressions/expression.h"

namespace {

/// One row of values and one of nulls.
std::shared_ptr<arrow::RecordBatch> MakeRows() {
  const arrow::FieldVector fields = {arrow::field("i", arrow::int32()), arrow::field("d", arrow::float64()),
                                     arrow::field("x", arrow::decimal128(10, 2)), arrow::field("s", arrow::utf8()),
                                     arrow::field("t", arrow::date32())};
  const arrow::ScalarVector values = {
      arrow::MakeScalar(7), arrow::MakeScalar(0.5),
      std::make_shared<arrow::Decimal128Scalar>(arrow::Decimal128(150), fields[2]->type()), arrow::MakeScalar("text"),
      std::make_shared<arrow::Date32Scalar>(19782)};
  arrow::ArrayVector columns;
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto both =
        arrow::Concatenate({*arrow::MakeArrayFromScalar(*values[i], 1), *arrow::MakeArrayOfNull(fields[i]->type(), 1)});
    columns.push_back(*both);
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), 2, std::move(columns));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tarn::delta::Expression;
  static const std::shared_ptr<arrow::RecordBatch> kRows = MakeRows();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expression = Expression::Parse(text, *kRows->schema());
  if (!expression.ok()) {
    TARN_CHECK(expression.status().Is(tarn::StatusCode::kUnsupported));
    TARN_CHECK(Expression::Parse(text, *kRows->schema()).status().message() == expression.status().message());
    return 0;
  }
  for (int64_t row = 0; row < kRows->num_rows(); ++row) {
    const auto value = (*expression)->At(*kRows, row);
    TARN_CHECK(value.ok() || value.status().Is(tarn::StatusCode::kInvalidArgument));
    TARN_CHECK((*expression)->At(*kRows, row).ok() == value.ok());
  }
  return 0;
}
