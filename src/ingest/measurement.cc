#include "ingest/measurement.h"

#include <arrow/buffer.h>
#include <arrow/type.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace tarn::ingest {
namespace {

constexpr std::string_view kTime = "time";
constexpr std::string_view kTimeNs = "time_ns";
constexpr std::string_view kTimeDate = "time_date";
constexpr size_t kMaxQuotedBytes = 80;

std::string_view KindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kFloat:
      return "double";
    case ValueKind::kInteger:
      return "integer";
    case ValueKind::kUnsigned:
      return "unsigned integer";
    case ValueKind::kString:
      return "string";
    case ValueKind::kBoolean:
      return "boolean";
  }
  TARN_CHECK(false);
}

std::string_view RoleName(ColumnRole role) { return role == ColumnRole::kTag ? "tag" : "field"; }

bool IsReserved(std::string_view folded) { return folded == kTime || folded == kTimeNs || folded == kTimeDate; }

std::optional<ValueKind> KindOf(const arrow::DataType& type) {
  for (const ValueKind kind :
       {ValueKind::kFloat, ValueKind::kInteger, ValueKind::kUnsigned, ValueKind::kString, ValueKind::kBoolean}) {
    if (type.Equals(ArrowTypeOf(kind))) return kind;
  }
  return std::nullopt;
}

std::shared_ptr<arrow::DataType> TimeType() { return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"); }

template <typename T>
std::shared_ptr<arrow::Array> ToArray(std::shared_ptr<arrow::DataType> type, std::vector<T>& values) {
  const auto length = static_cast<int64_t>(values.size());
  return arrow::MakeArray(
      arrow::ArrayData::Make(std::move(type), length, {nullptr, arrow::Buffer::FromVector(std::move(values))}, 0));
}

}  // namespace

std::string Quoted(std::string_view name) {
  const std::string excerpt = Excerpt(name, kMaxQuotedBytes);
  return "'" + excerpt + (name.size() > kMaxQuotedBytes ? "…'" : "'");
}

Measurement::Measurement(std::string name, const arrow::Schema* schema) : name_(std::move(name)) {
  if (schema == nullptr) return;
  for (const auto& field : schema->fields()) AddTableColumn(*field);
  committed_columns_ = columns_.size();
}

void Measurement::AddTableColumn(const arrow::Field& field) {
  const std::string folded = FoldCase(field.name());
  if (folded == kTime) {
    if (!field.type()->Equals(TimeType()) || field.name() != kTime) {
      refusal_ = "the table's column " + Quoted(field.name()) + " is " + field.type()->ToString() +
                 " and not a timestamp named 'time'";
    }
    return;
  }
  if (folded == kTimeNs) {
    if (!field.type()->Equals(arrow::int16()) || field.name() != kTimeNs) {
      refusal_ = "the table's column " + Quoted(field.name()) + " is " + field.type()->ToString() +
                 " and not an int16 named 'time_ns'";
    }
    has_remainders_ = true;
    return;
  }
  if (folded == kTimeDate) return;
  const std::optional<ValueKind> kind = KindOf(*field.type());
  // A foreign column has no role either, so that Claim always looks closer.
  const bool may_be_tag = !kind.has_value() || kind == ValueKind::kString;
  const ColumnRole role = may_be_tag ? ColumnRole::kUnknown : ColumnRole::kField;
  columns_.push_back(std::make_unique<Column>(field.name(), role, kind.value_or(ValueKind::kString)));
  if (!kind.has_value()) columns_.back()->set_foreign_type(field.type()->ToString());
  if (!field.nullable()) required_.push_back(columns_.back().get());
  by_folded_name_.emplace(folded, columns_.back().get());
}

const Column* Measurement::MissingColumn(int64_t line) const {
  const auto missing = std::find_if(required_.begin(), required_.end(),
                                    [line](const Column* column) { return column->last_line != line; });
  return missing == required_.end() ? nullptr : *missing;
}

Column* Measurement::Resolve(std::string_view key, ColumnRole role, ValueKind kind, int64_t line, std::string& reason) {
  const std::string folded = FoldCase(key);
  if (IsReserved(folded)) {
    reason = std::string(RoleName(role)) + " key " + Quoted(key) + " is reserved";
    return nullptr;
  }
  const auto known = by_folded_name_.find(folded);
  if (known != by_folded_name_.end()) {
    Column& column = *known->second;
    if (column.name() != key) {
      reason = std::string(RoleName(role)) + " " + Quoted(key) + " differs only in case from " + Quoted(column.name());
      return nullptr;
    }
    return Claim(column, role, kind, line, reason) ? &column : nullptr;
  }
  if (columns_.size() >= kMaxColumns) {
    reason = std::string(RoleName(role)) + " " + Quoted(key) + " would be column number " +
             std::to_string(columns_.size() + 1) + " of " + Quoted(name_) + "; the limit is " +
             std::to_string(kMaxColumns);
    return nullptr;
  }
  columns_.push_back(std::make_unique<Column>(std::string(key), role, kind));
  Column* column = columns_.back().get();
  column->last_line = line;
  by_folded_name_.emplace(folded, column);
  return column;
}

bool Measurement::ClaimSlowly(Column& column, ColumnRole role, ValueKind kind, int64_t line, std::string& reason) {
  const std::string subject = std::string(RoleName(role)) + " " + Quoted(column.name());
  if (!column.foreign_type().empty()) {
    reason = subject + " is " + column.foreign_type() + " in the table, which line protocol cannot write";
    return false;
  }
  if (column.role() != ColumnRole::kUnknown && column.role() != role) {
    reason = subject + " is also a " + std::string(RoleName(column.role()));
    return false;
  }
  if (column.last_line == line) {
    reason = subject + " is given twice";
    return false;
  }
  if (column.kind() != kind) {
    reason = subject + " is " + std::string(KindName(kind)) + " here and " + std::string(KindName(column.kind())) +
             " in the table";
    return false;
  }
  column.last_line = line;
  return true;
}

void Measurement::Rollback() {
  while (columns_.size() > committed_columns_) {
    by_folded_name_.erase(FoldCase(columns_.back()->name()));
    columns_.pop_back();
  }
}

void Measurement::NoteFirstUse(Column& column, ColumnRole role) {
  std::vector<Column*>& order = role == ColumnRole::kTag ? tag_order_ : field_order_;
  column.set_role(role);
  column.place = order.size();
  order.push_back(&column);
}

void Measurement::CommitRow(int64_t nanos, size_t line) {
  committed_columns_ = columns_.size();
  int64_t micros = nanos / 1000;
  int64_t remainder = nanos % 1000;
  if (remainder < 0) {
    remainder += 1000;
    --micros;
  }
  micros_.push_back(micros);
  lines_.push_back(line);
  if (remainder != 0 || !remainders_.empty()) {
    has_remainders_ = true;
    remainders_.resize(micros_.size(), 0);
    remainders_.back() = static_cast<int16_t>(remainder);
  }
}

std::shared_ptr<arrow::RecordBatch> Measurement::Finish() {
  const int64_t row_count = rows();
  arrow::FieldVector fields = {arrow::field(std::string(kTime), TimeType())};
  arrow::ArrayVector arrays = {ToArray(TimeType(), micros_)};
  if (has_remainders_) {
    remainders_.resize(static_cast<size_t>(row_count), 0);
    fields.push_back(arrow::field(std::string(kTimeNs), arrow::int16()));
    arrays.push_back(ToArray(arrow::int16(), remainders_));
  }
  for (const auto* order : {&tag_order_, &field_order_}) {
    for (Column* column : *order) {
      fields.push_back(column->MakeField());
      arrays.push_back(column->Finish(row_count));
    }
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), row_count, std::move(arrays));
}

}  // namespace tarn::ingest
