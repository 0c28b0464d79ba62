#include "engine/block_report.h"

#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "columnar/arrow_status.h"

namespace tarn::engine {

const std::shared_ptr<arrow::Schema>& BlockReport::Schema() {
  static const auto schema =
      arrow::schema({arrow::field("statement", arrow::int64()), arrow::field("operation", arrow::utf8()),
                     arrow::field("Count", arrow::int64())});
  return schema;
}

Result<std::shared_ptr<arrow::RecordBatch>> BlockReport::Finish() const {
  if (kinds_.empty()) return std::shared_ptr<arrow::RecordBatch>();
  arrow::Int64Builder numbers;
  arrow::StringBuilder kinds;
  arrow::Int64Builder rows;
  for (size_t i = 0; i < kinds_.size(); ++i) {
    TARN_RETURN_ARROW_NOT_OK(numbers.Append(static_cast<int64_t>(i) + 1));
  }
  TARN_RETURN_ARROW_NOT_OK(kinds.AppendValues(kinds_));
  TARN_RETURN_ARROW_NOT_OK(rows.AppendValues(rows_));
  arrow::ArrayVector columns(3);
  TARN_RETURN_ARROW_NOT_OK(numbers.Finish(&columns[0]));
  TARN_RETURN_ARROW_NOT_OK(kinds.Finish(&columns[1]));
  TARN_RETURN_ARROW_NOT_OK(rows.Finish(&columns[2]));
  return arrow::RecordBatch::Make(Schema(), static_cast<int64_t>(kinds_.size()), std::move(columns));
}

}  // namespace tarn::engine
