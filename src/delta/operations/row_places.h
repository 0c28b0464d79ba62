#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "delta/snapshot.h"

namespace tarn::delta {

/// Rows by their place in one snapshot: a file and a position in it. Takes a bit for each row of a file up to the last
/// one that is in. Thread-compatible.
class RowPlaces {
 public:
  /// False when the row is in already; `row` is not negative.
  bool Add(FileIndex file, int64_t row);

  int64_t count() const { return count_; }
  /// Those that have rows, ascending.
  std::vector<FileIndex> Files() const;
  /// Ascending; none for a file that has none.
  std::vector<int64_t> RowsOf(FileIndex file) const;

 private:
  std::map<FileIndex, std::vector<bool>> rows_;
  int64_t count_ = 0;
};

}  // namespace tarn::delta
