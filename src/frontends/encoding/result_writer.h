#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "frontends/encoding/byte_buffer.h"

namespace tarn::frontends {

enum class ResultFormat : uint8_t { kJson, kNdjson, kCsv, kArrow, kParquet, kTable, kMarkdown };

/// The format's short name ("ndjson") and its media type ("application/x-ndjson").
std::string_view FormatName(ResultFormat format);
std::string_view FormatMediaType(ResultFormat format);
std::optional<ResultFormat> FormatByName(std::string_view name);

/// Turns a result into bytes: Begin once, Write per batch and Resume until it is done, Finish once. Each call appends
/// what is ready to `out`, which the caller may empty between calls. Thread-compatible.
class ResultWriter {
 public:
  virtual ~ResultWriter() = default;
  /// Unsupported when the format cannot hold a type of the schema; the message names the column.
  static Result<std::unique_ptr<ResultWriter>> Make(ResultFormat format, std::shared_ptr<arrow::Schema> schema);

  virtual Status Begin(ByteBuffer& out) = 0;
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) = 0;
  /// Goes on with the batch, which Write leaves where a large value begins; false when all of it is written.
  virtual bool Resume(ByteBuffer&) { return false; }
  virtual Status Finish(ByteBuffer& out) = 0;
  /// In place of Finish when the result broke off: says so inside the format where that has a place for it.
  virtual void Abandon(const Status&, ByteBuffer&) {}
  /// Rows per Write that keep `out` small; a text format wants slices, a binary one whole batches.
  virtual int64_t preferred_rows() const { return 1024; }
};

}  // namespace tarn::frontends
