#include "engine/batch_builder.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "columnar/arrow_status.h"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "engine/row_bytes.h"

namespace tarn::engine {
namespace {

/// A batch ends at this many rows or bytes; the first one at a single vector.
constexpr int64_t kMaxBatchRows = 65'536;
constexpr int64_t kMaxBatchBytes = 1 << 20;
constexpr int kBatchGrowth = 4;

}  // namespace

Status BatchBuilder::Begin(const duckdb::BaseQueryResult& result, duckdb::ClientProperties properties) {
  TARN_RETURN_NOT_OK(CheckResultTypes(result.types, result.names));
  types_ = result.types;
  check_hugeints_ = HugeintCheck(types_);
  check_intervals_ = IntervalCheck(types_, result.names);
  properties_ = std::move(properties);
  ArrowSchema c_schema;
  duckdb::ArrowConverter::ToArrowSchema(&c_schema, types_, result.names, properties_);
  TARN_ASSIGN_OR_RETURN(schema_, columnar::FromArrow(arrow::ImportSchema(&c_schema)));
  return Status::Ok();
}

Status BatchBuilder::Add(duckdb::unique_ptr<duckdb::DataChunk> chunk) {
  TARN_CHECK(!has_rows());
  TARN_RETURN_NOT_OK(check_intervals_(*chunk));
  row_bytes_ = RowBytes(*chunk);
  const int64_t largest = *std::max_element(row_bytes_.begin(), row_bytes_.end());
  if (largest > max_row_bytes_) {
    return Status::ResourceExhausted("a row of the result takes " + std::to_string(largest) + " bytes; the most is " +
                                     std::to_string(max_row_bytes_));
  }
  rows_ = std::move(chunk);
  next_row_ = 0;
  return Status::Ok();
}

void BatchBuilder::Fill() {
  if (!appender_) {
    appender_ = duckdb::make_uniq<duckdb::ArrowAppender>(
        types_, rows_->size(), properties_,
        duckdb::unordered_map<duckdb::idx_t, const duckdb::shared_ptr<duckdb::ArrowTypeExtensionData>>());
    bytes_ = 0;
  }
  const duckdb::idx_t begin = next_row_;
  do bytes_ += row_bytes_[next_row_++];
  while (next_row_ < rows_->size() && bytes_ < kMaxBatchBytes);
  appender_->Append(*rows_, begin, next_row_, rows_->size());
  if (next_row_ == rows_->size()) rows_.reset();
}

bool BatchBuilder::full() const {
  return appender_ && (static_cast<int64_t>(appender_->RowCount()) >= target_rows_ || bytes_ >= kMaxBatchBytes);
}

Result<std::shared_ptr<arrow::RecordBatch>> BatchBuilder::Take() {
  if (!appender_) return std::shared_ptr<arrow::RecordBatch>();
  ArrowArray array = appender_->Finalize();
  appender_.reset();
  target_rows_ = std::min(target_rows_ * kBatchGrowth, kMaxBatchRows);
  TARN_ASSIGN_OR_RETURN(auto batch, columnar::FromArrow(arrow::ImportRecordBatch(&array, schema_)));
  TARN_RETURN_NOT_OK(check_hugeints_(*batch));
  return batch;
}

}  // namespace tarn::engine
