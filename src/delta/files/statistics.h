#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/predicate.h"

namespace tarn::delta {

/// A column whose statistics are wanted.
struct StatsColumn {
  /// As in the statistics: the physical name of a top-level column.
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  /// A double that older files hold as floats (PROTOCOL.md, "Type Widening").
  bool was_float = false;
};

/// What the statistics of one file say of some columns.
struct FileFacts {
  /// -1 when unknown.
  int64_t num_records = -1;
  /// In the order of the columns asked for.
  std::vector<ColumnBounds> columns;
};

/// Reads statistics texts; keeps its buffers. Thread-compatible.
///
/// Every bound it gives is sound for the rows of the file, whoever wrote it: what may have been rounded or truncated is
/// widened, what cannot be read exactly is unknown.
class StatsParser {
 public:
  StatsParser();
  ~StatsParser();

  /// Corruption when the text is not a JSON object; single values that do not fit their column are unknown.
  Result<FileFacts> Parse(std::string_view text, const std::vector<StatsColumn>& columns);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The statistics of a file once rows of it are deleted by a vector (PROTOCOL.md, "Per-file Statistics"): the same with
/// the exact number of rows that the file holds and `tightBounds` false; bounds are left out when `stats` cannot be
/// read.
std::string WithWideBounds(std::string_view stats, int64_t num_records);

/// Bounds of one column for the files of one chunk, in columnar form. Thread-compatible.
class ColumnFacts {
 public:
  ColumnFacts(StatsColumn column, size_t files);

  const StatsColumn& column() const { return column_; }
  bool Known(size_t slot) const { return (flags_[slot] & kParsed) != 0; }
  void Set(size_t slot, const ColumnBounds& bounds);
  /// All unknown for a slot that was never set.
  ColumnBounds Get(size_t slot) const;

 private:
  enum Flag : uint8_t { kParsed = 1, kHasMin = 2, kHasMax = 4 };
  int64_t Encode(const columnar::Value& value);
  columnar::Value Decode(int64_t code) const;

  const StatsColumn column_;
  enum class Kind : uint8_t { kNone, kBool, kInt, kDouble, kText, kDecimal };
  Kind kind_ = Kind::kNone;
  std::vector<uint8_t> flags_;
  std::vector<int64_t> min_;
  std::vector<int64_t> max_;
  std::vector<int64_t> null_count_;
  /// Texts and decimals.
  std::string arena_;
};

}  // namespace tarn::delta
