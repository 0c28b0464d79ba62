// JSON, NDJSON and CSV: one formatter per column, rows written one after the other.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontends/encoding/cell_formatter.h"
#include "frontends/encoding/result_writers.h"
#include "frontends/encoding/value_text.h"

namespace tarn::frontends {

namespace {

class JsonWriter final : public ResultWriter {
 public:
  JsonWriter(std::shared_ptr<arrow::Schema> schema, bool lines) : lines_(lines), keys_(JsonKeys(schema->fields())) {
    for (const auto& field : schema->fields()) {
      cells_.push_back(CellFormatter::Make(*field->type(), CellStyle::kJson));
      is_text_.push_back(field->type()->id() == arrow::Type::STRING);
    }
  }

  Status Begin(ByteBuffer& out) override {
    if (!lines_) out.Push('[');
    return Status::Ok();
  }

  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    for (size_t i = 0; i < cells_.size(); ++i) cells_[i]->Bind(*batch->column(static_cast<int>(i)));
    batch_ = batch;
    row_ = 0;
    column_ = 0;
    WriteRows(out);
    return Status::Ok();
  }

  bool Resume(ByteBuffer& out) override {
    if (batch_ == nullptr) return false;
    size_t end = std::min(kPieceBytes, rest_.size());
    // Not within a character, which has four bytes at most.
    for (int i = 0; i < 3 && end < rest_.size() && (rest_[end] & 0xC0) == 0x80; ++i) --end;
    AppendJsonEscaped(rest_.substr(0, end), out);
    rest_.remove_prefix(end);
    if (!rest_.empty()) return true;
    out.Push('"');
    ++column_;
    WriteRows(out);
    return batch_ != nullptr;
  }

  Status Finish(ByteBuffer& out) override {
    if (!lines_) out.Append("]\n");
    return Status::Ok();
  }

  void Abandon(const Status& status, ByteBuffer& out) override {
    if (!lines_) return;
    out.Append("{\"error\":{\"code\":");
    AppendJsonString(StatusCodeName(status.code()), out);
    out.Append(",\"message\":");
    AppendJsonString(status.message(), out);
    out.Append("}}\n");
  }

 private:
  /// A text can take six times its bytes: one larger than this is written in pieces of it.
  static constexpr size_t kPieceBytes = 1 << 20;

  /// Goes on until the batch ends or a large text begins.
  void WriteRows(ByteBuffer& out) {
    for (; row_ < batch_->num_rows(); ++row_, column_ = 0) {
      if (column_ == 0 && !lines_) {
        if (!first_) out.Append(",\n");
        first_ = false;
      }
      for (; column_ < cells_.size(); ++column_) {
        out.Append(keys_[column_]);
        if (is_text_[column_] && BeginLargeText(out)) return;
        cells_[column_]->Append(row_, out);
      }
      out.Append(cells_.empty() ? "{}" : "}");
      if (lines_) out.Push('\n');
    }
    batch_.reset();
  }

  bool BeginLargeText(ByteBuffer& out) {
    const auto& texts = static_cast<const arrow::StringArray&>(*batch_->column(static_cast<int>(column_)));
    if (texts.value_length(row_) <= static_cast<int64_t>(kPieceBytes) || texts.IsNull(row_)) return false;
    rest_ = texts.GetView(row_);
    out.Push('"');
    return true;
  }

  const bool lines_;
  bool first_ = true;
  const std::vector<std::string> keys_;
  std::vector<std::unique_ptr<CellFormatter>> cells_;
  std::vector<bool> is_text_;
  /// What is being written: null between batches, the next cell, and the rest of a large text in it.
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t row_ = 0;
  size_t column_ = 0;
  std::string_view rest_;
};

/// Quotes what was written to `out` from `begin` on, where RFC 4180 asks for it.
void QuoteCsv(size_t begin, bool quote_empty, ByteBuffer& out) {
  const std::string_view cell = out.view().substr(begin);
  if (cell.empty() ? !quote_empty : cell.find_first_of(",\"\r\n") == std::string_view::npos) return;
  const std::string text(cell);
  out.Truncate(begin);
  out.Push('"');
  for (const char c : text) {
    if (c == '"') out.Push('"');
    out.Push(c);
  }
  out.Push('"');
}

/// RFC 4180 with a header line. A null is an empty cell, an empty string is "". Where it is the only cell of its line,
/// a null is "" too: readers take an empty line for no row.
class CsvWriter final : public ResultWriter {
 public:
  explicit CsvWriter(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {
    for (const auto& field : schema_->fields()) {
      cells_.push_back(CellFormatter::Make(*field->type(), CellStyle::kText));
      may_need_quotes_.push_back(!arrow::is_primitive(field->type()->id()) && !arrow::is_decimal(field->type()->id()));
    }
  }

  Status Begin(ByteBuffer& out) override {
    for (int i = 0; i < schema_->num_fields(); ++i) {
      if (i > 0) out.Push(',');
      const size_t begin = out.size();
      out.Append(schema_->field(i)->name());
      QuoteCsv(begin, /*quote_empty=*/true, out);
    }
    out.Append("\r\n");
    return Status::Ok();
  }

  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    for (size_t i = 0; i < cells_.size(); ++i) cells_[i]->Bind(*batch->column(static_cast<int>(i)));
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      for (size_t i = 0; i < cells_.size(); ++i) {
        if (i > 0) out.Push(',');
        const size_t begin = out.size();
        cells_[i]->Append(row, out);
        if (may_need_quotes_[i]) QuoteCsv(begin, !batch->column(static_cast<int>(i))->IsNull(row), out);
        if (out.size() == begin && cells_.size() == 1) out.Append("\"\"");
      }
      out.Append("\r\n");
    }
    return Status::Ok();
  }

  Status Finish(ByteBuffer&) override { return Status::Ok(); }

 private:
  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<CellFormatter>> cells_;
  std::vector<bool> may_need_quotes_;
};

}  // namespace

std::unique_ptr<ResultWriter> MakeJsonWriter(std::shared_ptr<arrow::Schema> schema, bool lines) {
  return std::make_unique<JsonWriter>(std::move(schema), lines);
}

std::unique_ptr<ResultWriter> MakeCsvWriter(std::shared_ptr<arrow::Schema> schema) {
  return std::make_unique<CsvWriter>(std::move(schema));
}

}  // namespace tarn::frontends
