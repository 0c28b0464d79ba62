#include "delta/operations/scan.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "columnar/arrow_status.h"
#include "delta/files/data_file_reader.h"

namespace tarn::delta {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// Which of the columns that are read are wanted for what.
struct Columns {
  std::vector<int> read;
  /// Places in `read`.
  std::vector<int> given;
  std::vector<int> deciding;
};

int PlaceOf(int column, std::vector<int>& read) {
  const auto found = std::find(read.begin(), read.end(), column);
  if (found != read.end()) return static_cast<int>(found - read.begin());
  read.push_back(column);
  return static_cast<int>(read.size()) - 1;
}

Columns ColumnsFor(const ScanOptions& options) {
  Columns columns;
  for (const int column : options.columns) columns.given.push_back(PlaceOf(column, columns.read));
  if (options.where == nullptr) return columns;
  for (const int column : options.where->columns()) columns.deciding.push_back(PlaceOf(column, columns.read));
  return columns;
}

/// Those of the rows that are wanted, with the columns that are given.
Result<BatchPtr> Wanted(const BatchPtr& rows, const Columns& columns, RowCondition* where) {
  TARN_ASSIGN_OR_RETURN_ARROW(BatchPtr given, rows->SelectColumns(columns.given));
  if (where == nullptr) return given;
  TARN_ASSIGN_OR_RETURN_ARROW(const auto deciding, rows->SelectColumns(columns.deciding));
  TARN_ASSIGN_OR_RETURN(const auto mask, where->Select(*deciding));
  if (mask->true_count() == rows->num_rows()) return given;
  // Filter knows the number of rows by the columns alone.
  if (columns.given.empty()) return arrow::RecordBatch::Make(given->schema(), mask->true_count(), arrow::ArrayVector());
  TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum kept, arrow::compute::Filter(arrow::Datum(given), arrow::Datum(mask)));
  return kept.record_batch();
}

}  // namespace

std::vector<int> AllColumns(const Snapshot& snapshot) {
  std::vector<int> columns(static_cast<size_t>(snapshot.schema()->num_fields()));
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

Status ScanTable(const TableContext& table, const Snapshot& snapshot, const ScanOptions& options,
                 const std::function<Status(const BatchPtr&)>& visit) {
  const Columns columns = ColumnsFor(options);
  TARN_ASSIGN_OR_RETURN(const auto files, snapshot.Select(options.where == nullptr ? std::vector<Predicate>()
                                                                                   : options.where->predicates()));
  for (const FileIndex index : files) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot.File(index));
    TARN_ASSIGN_OR_RETURN(const auto deleted, DeletedRows(*table.store, file));
    const auto take = [&](const FileRows& rows) -> Status {
      TARN_ASSIGN_OR_RETURN(const BatchPtr wanted, Wanted(rows.batch, columns, options.where));
      return wanted->num_rows() == 0 ? Status::Ok() : visit(wanted);
    };
    TARN_RETURN_NOT_OK(ScanDataFile(*table.store, snapshot, file, columns.read, *deleted, take).status());
  }
  return Status::Ok();
}

}  // namespace tarn::delta
