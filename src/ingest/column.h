#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/numbers.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {

/// What a column is used for. A text column that the table already has can be either until a body uses it.
enum class ColumnRole : uint8_t { kUnknown, kTag, kField };

/// One column of one measurement while a body is read. Missing values are filled in as nulls when the next value comes
/// or at the end, so that a row costs only the columns it has.
class Column {
 public:
  Column(std::string name, ColumnRole role, ValueKind kind) : name_(std::move(name)), role_(role), kind_(kind) {}

  const std::string& name() const { return name_; }
  ColumnRole role() const { return role_; }
  void set_role(ColumnRole role) { role_ = role; }
  ValueKind kind() const { return kind_; }
  bool used() const { return length_ > 0; }

  /// Not empty when the table's type is none that a field can have; then no value is ever appended.
  const std::string& foreign_type() const { return foreign_type_; }
  void set_foreign_type(std::string type) { foreign_type_ = std::move(type); }

  /// The key as it stands in the text with its '=', which the next line most likely repeats.
  const std::string& raw_key() const { return raw_key_; }
  void set_raw_key(std::string_view raw) { raw_key_.assign(raw); }
  bool StartsWithKey(std::string_view text) const {
    return text.size() >= raw_key_.size() && std::memcmp(text.data(), raw_key_.data(), raw_key_.size()) == 0;
  }

  /// The line that gave this column a value last, to find a key that a line gives twice.
  int64_t last_line = -1;
  /// Among the tags or among the fields of this body, once used.
  size_t place = 0;

  // Append one value for row `row`, which must not be before the last one's.
  void AppendFloat(int64_t row, double value) {
    Advance(row);
    floats_.push_back(value);
  }
  void AppendInteger(int64_t row, int64_t value) {
    Advance(row);
    integers_.push_back(value);
  }
  void AppendUnsigned(int64_t row, uint64_t value) {
    Advance(row);
    // decimal128: low and high half.
    integers_.push_back(static_cast<int64_t>(value));
    integers_.push_back(0);
  }
  void AppendBoolean(int64_t row, bool value) {
    Advance(row);
    booleans_.push_back(value ? 1 : 0);
  }
  void AppendText(int64_t row, std::string_view value) {
    Advance(row);
    text_.append(value);
    offsets_.push_back(static_cast<int32_t>(text_.size()));
  }
  void AppendEscaped(int64_t row, std::string_view raw, Escapes escapes) {
    Advance(row);
    AppendUnescaped(raw, escapes, text_);
    offsets_.push_back(static_cast<int32_t>(text_.size()));
  }

  std::shared_ptr<arrow::Field> MakeField() const;
  /// The column with `rows` values; it is empty afterwards.
  std::shared_ptr<arrow::Array> Finish(int64_t rows);

 private:
  void Advance(int64_t row) {
    if (length_ != row) [[unlikely]] {
      AppendNulls(row - length_);
    }
    if (null_count_ > 0) [[unlikely]] {
      SetValid(length_);
    }
    ++length_;
  }
  void AppendNulls(int64_t count);
  void SetValid(int64_t row);

  std::string name_;
  std::string raw_key_;
  std::string foreign_type_;
  ColumnRole role_;
  ValueKind kind_;
  int64_t length_ = 0;
  int64_t null_count_ = 0;
  /// Arrow's validity bitmap; empty until the first null.
  std::vector<uint8_t> validity_;
  // Only those of `kind_` are used.
  std::vector<double> floats_;
  std::vector<int64_t> integers_;
  std::vector<uint8_t> booleans_;
  std::vector<int32_t> offsets_ = {0};
  std::string text_;
};

/// The Arrow type of a field of this kind. Unsigned integers are decimals because Delta has no unsigned type.
std::shared_ptr<arrow::DataType> ArrowTypeOf(ValueKind kind);

}  // namespace tarn::ingest
