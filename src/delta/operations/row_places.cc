#include "delta/operations/row_places.h"

#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <numeric>

#include "columnar/arrow_status.h"
#include "delta/files/data_file_reader.h"

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

Status ReadRowsAt(storage::ObjectStore& table_store, const Snapshot& snapshot, const RowPlaces& places,
                  const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit) {
  std::vector<int> columns(static_cast<size_t>(snapshot.schema()->num_fields()));
  std::iota(columns.begin(), columns.end(), 0);
  for (const FileIndex index : places.Files()) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot.File(index));
    TARN_ASSIGN_OR_RETURN(const auto deleted, DeletedRows(table_store, file));
    const std::vector<int64_t> wanted = places.RowsOf(index);
    auto next = wanted.begin();
    const auto take = [&](const FileRows& live) -> Status {
      arrow::Int64Builder chosen;
      for (size_t i = 0; i < live.positions.size(); ++i) {
        next = std::lower_bound(next, wanted.end(), live.positions[i]);
        if (next == wanted.end()) break;
        if (*next == live.positions[i]) TARN_RETURN_ARROW_NOT_OK(chosen.Append(static_cast<int64_t>(i)));
      }
      if (chosen.length() == 0) return Status::Ok();
      std::shared_ptr<arrow::Array> indices;
      TARN_RETURN_ARROW_NOT_OK(chosen.Finish(&indices));
      TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum rows,
                                  arrow::compute::Take(arrow::Datum(live.batch), arrow::Datum(indices)));
      return visit(rows.record_batch());
    };
    TARN_RETURN_NOT_OK(ScanDataFile(table_store, snapshot, file, columns, *deleted, take).status());
  }
  return Status::Ok();
}

}  // namespace tarn::delta
