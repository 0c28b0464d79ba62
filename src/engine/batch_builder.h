#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/main/query_result.hpp"
#include "engine/result_types.h"

namespace tarn::engine {

/// Cuts the engine's rows into Arrow batches: of a bounded number of rows and bytes, the first one small so that it
/// comes early. Thread-compatible.
class BatchBuilder {
 public:
  /// ResourceExhausted for a row that takes more bytes.
  explicit BatchBuilder(int64_t max_row_bytes) : max_row_bytes_(max_row_bytes) {}

  /// Unsupported names a column whose type Arrow does not have.
  Status Begin(const duckdb::BaseQueryResult& result, duckdb::ClientProperties properties);
  /// Further rows, none of which may be left from before.
  Status Add(duckdb::unique_ptr<duckdb::DataChunk> chunk);
  bool has_rows() const { return rows_ != nullptr; }
  /// Moves rows into the batch until it is full or none are left.
  void Fill();
  bool full() const;
  /// Null when there are no rows.
  Result<std::shared_ptr<arrow::RecordBatch>> Take();

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

 private:
  duckdb::vector<duckdb::LogicalType> types_;
  HugeintCheck check_hugeints_;
  IntervalCheck check_intervals_;
  duckdb::ClientProperties properties_;
  std::shared_ptr<arrow::Schema> schema_;
  const int64_t max_row_bytes_;
  duckdb::unique_ptr<duckdb::DataChunk> rows_;
  std::vector<int64_t> row_bytes_;
  duckdb::idx_t next_row_ = 0;
  duckdb::unique_ptr<duckdb::ArrowAppender> appender_;
  int64_t target_rows_ = STANDARD_VECTOR_SIZE;
  int64_t bytes_ = 0;
};

}  // namespace tarn::engine
