#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/column.h"

namespace tarn::ingest {

/// Columns per measurement, those of the table included.
inline constexpr size_t kMaxColumns = 10'000;

/// The rows of one measurement while a body is read. A line first resolves its keys to columns, which may add columns
/// for the time being, then either commits all of its values or rolls back; so a bad line leaves nothing behind.
class Measurement {
 public:
  /// `schema` is the table's, or null when there is none.
  Measurement(std::string name, const arrow::Schema* schema);

  const std::string& name() const { return name_; }
  int64_t rows() const { return static_cast<int64_t>(micros_.size()); }
  /// Columns with a value in this body.
  int64_t used_columns() const { return static_cast<int64_t>(tag_order_.size() + field_order_.size()); }

  /// Why no line can be kept at all, or empty.
  const std::string& refusal() const { return refusal_; }
  void Refuse(std::string reason) { refusal_ = std::move(reason); }

  bool has_required_columns() const { return !required_.empty(); }
  /// A column of the table that must not be null and got no value in this line; null when there is none.
  const Column* MissingColumn(int64_t line) const;

  /// The column for a key used as `role` with values of `kind`, added for now when it is new. Null with `reason` set
  /// when the key is reserved or no name for a column, was given twice in this line, clashes or has another type.
  Column* Resolve(std::string_view key, ColumnRole role, ValueKind kind, int64_t line, std::string& reason);
  /// The same checks for a column that is already known.
  bool Claim(Column& column, ColumnRole role, ValueKind kind, int64_t line, std::string& reason) {
    if (column.kind() == kind && column.role() == role && column.last_line != line) [[likely]] {
      column.last_line = line;
      return true;
    }
    return ClaimSlowly(column, role, kind, line, reason);
  }

  /// The tag or field column that came n-th in this body, for predicting keys; null past the last.
  Column* TagAt(size_t n) const { return n < tag_order_.size() ? tag_order_[n] : nullptr; }
  Column* FieldAt(size_t n) const { return n < field_order_.size() ? field_order_[n] : nullptr; }

  /// Keeps the columns added since the last call and ends the row whose values the caller has appended at `rows()`.
  /// `line` is the place of its line in the body.
  void CommitRow(int64_t nanos, size_t line);
  /// Drops the columns added since the last commit.
  void Rollback();
  /// Tells that `column` is about to get its first value: from now on its role and place in the output are fixed.
  void NoteFirstUse(Column& column, ColumnRole role);

  std::shared_ptr<arrow::RecordBatch> Finish();
  std::vector<size_t> TakeLines() { return std::move(lines_); }

 private:
  bool ClaimSlowly(Column& column, ColumnRole role, ValueKind kind, int64_t line, std::string& reason);
  void AddTableColumn(const arrow::Field& field);

  const std::string name_;
  std::string refusal_;
  std::vector<std::unique_ptr<Column>> columns_;
  size_t committed_columns_ = 0;
  /// By name in lower case. Ordered, so that chosen keys cannot make it slow as they can a hash table.
  std::map<std::string, Column*, std::less<>> by_folded_name_;
  /// Columns of the table that must not be null.
  std::vector<const Column*> required_;
  std::vector<Column*> tag_order_;
  std::vector<Column*> field_order_;
  std::vector<int64_t> micros_;
  std::vector<size_t> lines_;
  /// Sub-microsecond remainders; empty until the first that is not zero, unless the table has the column.
  std::vector<int16_t> remainders_;
  bool has_remainders_ = false;
};

/// How messages show a name: in single quotes, cut when long.
std::string Quoted(std::string_view name);

}  // namespace tarn::ingest
