// JSON, NDJSON and CSV: one formatter per column, rows written one after the other.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <string>
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
    for (const auto& field : schema->fields()) cells_.push_back(CellFormatter::Make(*field->type(), CellStyle::kJson));
  }

  Status Begin(ByteBuffer& out) override {
    if (!lines_) out.Push('[');
    return Status::Ok();
  }

  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    for (size_t i = 0; i < cells_.size(); ++i) cells_[i]->Bind(*batch->column(static_cast<int>(i)));
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      if (!lines_) {
        if (!first_) out.Append(",\n");
        first_ = false;
      }
      for (size_t i = 0; i < cells_.size(); ++i) {
        out.Append(keys_[i]);
        cells_[i]->Append(row, out);
      }
      out.Append(cells_.empty() ? "{}" : "}");
      if (lines_) out.Push('\n');
    }
    return Status::Ok();
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
  const bool lines_;
  bool first_ = true;
  const std::vector<std::string> keys_;
  std::vector<std::unique_ptr<CellFormatter>> cells_;
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
