#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::columnar {

/// Whether rows can be sorted by a column: InvalidArgument, naming it, for structs, lists, maps and void.
Status CheckSortable(const arrow::Field& field);

/// A text for each row of a batch; the texts order, byte for byte, as the rows do by some columns, the first one first:
/// nulls before all else, false before true, numbers, dates and times by size, NaN behind all numbers and -0 as 0,
/// strings and binaries by their bytes.
class SortKeys {
 public:
  SortKeys() = default;
  /// `columns` are indices into the batch's schema, of sortable columns.
  static Result<SortKeys> Of(const arrow::RecordBatch& batch, const std::vector<int>& columns);

  std::string_view operator[](size_t row) const {
    const size_t begin = row == 0 ? 0 : ends_[row - 1];
    return std::string_view(bytes_).substr(begin, ends_[row] - begin);
  }
  size_t size() const { return ends_.size(); }
  size_t memory_bytes() const { return bytes_.capacity() + ends_.capacity() * sizeof(size_t); }

 private:
  std::string bytes_;
  /// Where the key of each row ends.
  std::vector<size_t> ends_;
};

}  // namespace tarn::columnar
