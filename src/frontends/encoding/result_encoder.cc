#include "frontends/encoding/result_encoder.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

namespace tarn::frontends {

namespace {

/// A text can be many times as long as the values it stands for, so that a batch of large values is written in pieces
/// of about this many bytes of values.
constexpr int64_t kStepBytes = 4 << 20;

int64_t StepRows(const arrow::RecordBatch& batch, int64_t preferred_rows) {
  const int64_t row_bytes = arrow::util::TotalBufferSize(batch) / std::max<int64_t>(1, batch.num_rows());
  return std::clamp<int64_t>(kStepBytes / std::max<int64_t>(1, row_bytes), 1, preferred_rows);
}

}  // namespace

Result<std::unique_ptr<ResultEncoder>> ResultEncoder::Make(std::unique_ptr<engine::QueryStream> stream,
                                                           ResultFormat format) {
  TARN_ASSIGN_OR_RETURN(std::unique_ptr<ResultWriter> writer, ResultWriter::Make(format, stream->schema()));
  return std::make_unique<ResultEncoder>(std::move(stream), std::move(writer));
}

Result<bool> ResultEncoder::Fill(size_t target_bytes, ByteBuffer& out) {
  Result<bool> more = FillOrFail(target_bytes, out);
  if (!more.ok()) writer_->Abandon(more.status(), out);
  return more;
}

Result<bool> ResultEncoder::FillOrFail(size_t target_bytes, ByteBuffer& out) {
  if (!begun_) {
    begun_ = true;
    TARN_RETURN_NOT_OK(writer_->Begin(out));
  }
  while (out.size() < target_bytes) {
    if (resuming_) {
      resuming_ = writer_->Resume(out);
      continue;
    }
    if (batch_ == nullptr) {
      TARN_ASSIGN_OR_RETURN(batch_, stream_->Next());
      offset_ = 0;
      if (batch_ == nullptr) {
        TARN_RETURN_NOT_OK(writer_->Finish(out));
        return false;
      }
      step_rows_ = StepRows(*batch_, writer_->preferred_rows());
    }
    const int64_t rows = std::min(step_rows_, batch_->num_rows() - offset_);
    if (rows > 0) {
      const bool whole = offset_ == 0 && rows == batch_->num_rows();
      TARN_RETURN_NOT_OK(writer_->Write(whole ? batch_ : batch_->Slice(offset_, rows), out));
      resuming_ = true;
      offset_ += rows;
      rows_ += rows;
    }
    if (offset_ >= batch_->num_rows()) batch_.reset();
  }
  return true;
}

}  // namespace tarn::frontends
