#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "engine/query_service.h"
#include "frontends/encoding/result_writer.h"

namespace tarn::frontends {

/// Pulls a query's rows through a writer, a bounded amount at a time. Thread-compatible.
class ResultEncoder {
 public:
  static Result<std::unique_ptr<ResultEncoder>> Make(std::unique_ptr<engine::QueryStream> stream, ResultFormat format);
  ResultEncoder(std::unique_ptr<engine::QueryStream> stream, std::unique_ptr<ResultWriter> writer)
      : stream_(std::move(stream)), writer_(std::move(writer)) {}

  /// Appends to `out` until it holds at least `target_bytes` or the result ended; true while there is more. After an
  /// error `out` may hold a last line that says so, where the format has room for it.
  Result<bool> Fill(size_t target_bytes, ByteBuffer& out);
  const std::string& query_id() const { return stream_->query_id(); }
  int64_t rows() const { return rows_; }

 private:
  Result<bool> FillOrFail(size_t target_bytes, ByteBuffer& out);

  const std::unique_ptr<engine::QueryStream> stream_;
  const std::unique_ptr<ResultWriter> writer_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t offset_ = 0;
  /// Rows of the batch that are written at a time.
  int64_t step_rows_ = 1;
  int64_t rows_ = 0;
  bool begun_ = false;
  /// The writer may have more of the batch that it was given last.
  bool resuming_ = false;
};

}  // namespace tarn::frontends
