#include "delta/operations/row_places.h"

#include <algorithm>

namespace tarn::delta {

bool RowPlaces::Add(FileIndex file, int64_t row) {
  std::vector<bool>& rows = rows_[file];
  const auto place = static_cast<size_t>(row);
  if (place >= rows.size()) rows.resize(std::max(place + 1, 2 * rows.size()));
  if (rows[place]) return false;
  rows[place] = true;
  ++count_;
  return true;
}

std::vector<FileIndex> RowPlaces::Files() const {
  std::vector<FileIndex> files;
  for (const auto& [file, rows] : rows_) files.push_back(file);
  return files;
}

std::vector<int64_t> RowPlaces::RowsOf(FileIndex file) const {
  std::vector<int64_t> found;
  const auto rows = rows_.find(file);
  if (rows == rows_.end()) return found;
  for (size_t place = 0; place < rows->second.size(); ++place) {
    if (rows->second[place]) found.push_back(static_cast<int64_t>(place));
  }
  return found;
}

}  // namespace tarn::delta
