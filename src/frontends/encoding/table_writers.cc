// Tables for people: a terminal table and Markdown; the plan of an EXPLAIN in both.
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

bool IsWide(uint32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

bool IsCombining(uint32_t c) {
  return (c >= 0x0300 && c <= 0x036F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F);
}

/// Columns that UTF-8 text takes in a terminal.
size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
    for (size_t k = 1; k < length && i + k < text.size(); ++k) c = c << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3F);
    width += IsCombining(c) ? 0 : IsWide(c) ? 2 : 1;
    i += length;
  }
  return width;
}

/// Line breaks and control characters as escapes: a cell stays on its line and cannot drive the terminal.
std::string OneLine(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    const bool c1_control = c == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) >= 0x80 &&
                            static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (c >= 0x20 && c != 0x7F && !c1_control) {
      out += text[i];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      static constexpr char kHex[] = "0123456789abcdef";
      const auto shown = c1_control ? static_cast<uint8_t>(text[++i]) : c;
      out += "\\x";
      out += kHex[shown >> 4];
      out += kHex[shown & 15];
    }
  }
  return out;
}

bool IsNumeric(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) || arrow::is_decimal(type.id());
}

/// What both tables share: cells as lines of text.
class CellSource {
 public:
  explicit CellSource(const arrow::Schema& schema) {
    for (const auto& field : schema.fields()) {
      cells_.push_back(CellFormatter::Make(*field->type(), CellStyle::kText));
      numeric_.push_back(IsNumeric(*field->type()));
      names_.push_back(OneLine(field->name()));
    }
  }
  size_t columns() const { return cells_.size(); }
  bool numeric(size_t column) const { return numeric_[column]; }
  const std::vector<std::string>& names() const { return names_; }

  void Bind(const arrow::RecordBatch& batch) {
    batch_ = &batch;
    for (size_t i = 0; i < cells_.size(); ++i) cells_[i]->Bind(*batch.column(static_cast<int>(i)));
  }
  std::vector<std::string> Row(int64_t row) {
    std::vector<std::string> texts;
    texts.reserve(cells_.size());
    for (size_t i = 0; i < cells_.size(); ++i) {
      if (batch_->column(static_cast<int>(i))->IsNull(row)) {
        texts.emplace_back("NULL");
        continue;
      }
      scratch_.Clear();
      cells_[i]->Append(row, scratch_);
      texts.push_back(OneLine(scratch_.view()));
    }
    return texts;
  }

 private:
  std::vector<std::unique_ptr<CellFormatter>> cells_;
  std::vector<bool> numeric_;
  std::vector<std::string> names_;
  const arrow::RecordBatch* batch_ = nullptr;
  ByteBuffer scratch_;
};

/// Widths come from the first rows, which wait for that; later rows are written as they come and may stick out.
class TableWriter final : public ResultWriter {
 public:
  explicit TableWriter(const std::shared_ptr<arrow::Schema>& schema) : source_(*schema) {
    for (const std::string& name : source_.names()) widths_.push_back(DisplayWidth(name));
  }
  Status Begin(ByteBuffer&) override { return Status::Ok(); }
  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    source_.Bind(*batch);
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      std::vector<std::string> texts = source_.Row(row);
      ++rows_;
      if (started_) {
        WriteRow(texts, out);
        continue;
      }
      for (size_t i = 0; i < texts.size(); ++i) {
        widths_[i] = std::max(widths_[i], std::min<size_t>(DisplayWidth(texts[i]), kMaxWidth));
      }
      waiting_.push_back(std::move(texts));
      if (waiting_.size() >= kMeasuredRows) Start(out);
    }
    return Status::Ok();
  }
  Status Finish(ByteBuffer& out) override {
    if (!started_) Start(out);
    out.Push('(');
    AppendInt(rows_, out);
    out.Append(rows_ == 1 ? " row)\n" : " rows)\n");
    return Status::Ok();
  }

 private:
  static constexpr size_t kMeasuredRows = 1000;
  static constexpr size_t kMaxWidth = 80;

  void Start(ByteBuffer& out) {
    started_ = true;
    WriteRow(source_.names(), out);
    for (size_t i = 0; i < widths_.size(); ++i) {
      if (i > 0) out.Append("┼");
      for (size_t k = 0; k < widths_[i] + 2; ++k) out.Append("─");
    }
    out.Push('\n');
    for (const auto& row : waiting_) WriteRow(row, out);
    waiting_.clear();
  }
  void WriteRow(const std::vector<std::string>& texts, ByteBuffer& out) {
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) out.Append("│");
      const size_t width = DisplayWidth(texts[i]);
      const size_t padding = width < widths_[i] ? widths_[i] - width : 0;
      out.Push(' ');
      if (source_.numeric(i)) Pad(padding, out);
      out.Append(texts[i]);
      if (!source_.numeric(i) && i + 1 < texts.size()) Pad(padding, out);
      if (i + 1 < texts.size()) out.Push(' ');
    }
    out.Push('\n');
  }
  static void Pad(size_t count, ByteBuffer& out) {
    for (size_t k = 0; k < count; ++k) out.Push(' ');
  }

  CellSource source_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> waiting_;
  bool started_ = false;
  int64_t rows_ = 0;
};

class MarkdownWriter final : public ResultWriter {
 public:
  explicit MarkdownWriter(const std::shared_ptr<arrow::Schema>& schema) : source_(*schema) {}
  Status Begin(ByteBuffer& out) override {
    WriteRow(source_.names(), out);
    out.Push('|');
    for (size_t i = 0; i < source_.columns(); ++i) out.Append(source_.numeric(i) ? "---:|" : "---|");
    out.Push('\n');
    return Status::Ok();
  }
  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    source_.Bind(*batch);
    for (int64_t row = 0; row < batch->num_rows(); ++row) WriteRow(source_.Row(row), out);
    return Status::Ok();
  }
  Status Finish(ByteBuffer&) override { return Status::Ok(); }

 private:
  void WriteRow(const std::vector<std::string>& texts, ByteBuffer& out) {
    out.Push('|');
    for (const std::string& text : texts) {
      out.Push(' ');
      for (const char c : text) {
        if (c == '|') out.Push('\\');
        out.Push(c);
      }
      out.Append(" |");
    }
    out.Push('\n');
  }

  CellSource source_;
};

/// What EXPLAIN gives: the plan is a drawing of many lines in one value.
bool IsPlan(const arrow::Schema& schema) {
  return schema.num_fields() == 2 && schema.field(0)->name() == "explain_key" &&
         schema.field(1)->name() == "explain_value" && schema.field(1)->type()->id() == arrow::Type::STRING;
}

/// The lines of plans as they are, with `fence` before and after each.
class PlanWriter final : public ResultWriter {
 public:
  explicit PlanWriter(std::string_view fence) : fence_(fence) {}
  Status Begin(ByteBuffer&) override { return Status::Ok(); }
  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    const auto& plans = static_cast<const arrow::StringArray&>(*batch->column(1));
    for (int64_t row = 0; row < plans.length(); ++row) {
      out.Append(fence_);
      for (std::string_view rest = plans.GetView(row); !rest.empty();) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        out.Append(OneLine(rest.substr(0, end)));
        out.Push('\n');
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      out.Append(fence_);
    }
    return Status::Ok();
  }
  Status Finish(ByteBuffer&) override { return Status::Ok(); }

 private:
  const std::string_view fence_;
};

}  // namespace

std::unique_ptr<ResultWriter> MakeTableWriter(std::shared_ptr<arrow::Schema> schema) {
  if (IsPlan(*schema)) return std::make_unique<PlanWriter>("");
  return std::make_unique<TableWriter>(schema);
}

std::unique_ptr<ResultWriter> MakeMarkdownWriter(std::shared_ptr<arrow::Schema> schema) {
  if (IsPlan(*schema)) return std::make_unique<PlanWriter>("```\n");
  return std::make_unique<MarkdownWriter>(schema);
}

}  // namespace tarn::frontends
