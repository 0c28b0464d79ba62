#include "delta/files/data_file_reader.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "columnar/arrow_status.h"
#include "columnar/conform.h"
#include "columnar/value_array.h"
#include "delta/files/deletion_vector.h"

namespace tarn::delta {
namespace {

using columnar::FieldMatch;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// The rows of `batch` at some positions, its first one being row `begin` of the file.
Result<FileRows> RowsAt(const BatchPtr& batch, int64_t begin, std::vector<int64_t> positions) {
  if (static_cast<int64_t>(positions.size()) == batch->num_rows()) return FileRows{batch, std::move(positions)};
  std::vector<bool> kept(static_cast<size_t>(batch->num_rows()));
  for (const int64_t row : positions) kept[static_cast<size_t>(row - begin)] = true;
  arrow::BooleanBuilder keep;
  TARN_RETURN_ARROW_NOT_OK(keep.AppendValues(kept));
  TARN_ASSIGN_OR_RETURN_ARROW(const auto mask, keep.Finish());
  TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum rows, arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(mask)));
  return FileRows{rows.record_batch(), std::move(positions)};
}

/// The rows in [begin, end) that are not deleted.
std::vector<int64_t> Undeleted(int64_t begin, int64_t end, const RowBitmap& deleted) {
  std::vector<int64_t> dead;
  deleted.AppendRange(begin, end, dead);
  std::vector<int64_t> live;
  live.reserve(static_cast<size_t>(end - begin) - dead.size());
  auto next = dead.begin();
  for (int64_t row = begin; row < end; ++row) {
    if (next != dead.end() && *next == row) {
      ++next;
    } else {
      live.push_back(row);
    }
  }
  return live;
}

/// A column's place among those that partition the table, or -1.
int PartitionPlace(const Snapshot& snapshot, int column) {
  const std::vector<int>& partition_columns = snapshot.partition_columns();
  const auto found = std::find(partition_columns.begin(), partition_columns.end(), column);
  return found == partition_columns.end() ? -1 : static_cast<int>(found - partition_columns.begin());
}

/// `columns` of the table for rows whose stored ones are given in the same order.
Result<BatchPtr> WithConstants(const Snapshot& snapshot, const DataFile& file, const std::vector<int>& columns,
                               const arrow::ArrayVector& stored, int64_t length) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  auto next = stored.begin();
  for (const int column : columns) {
    const auto& field = fields.emplace_back(snapshot.schema()->field(column));
    const int place = PartitionPlace(snapshot, column);
    if (place < 0 && field->type()->id() != arrow::Type::NA) {
      arrays.push_back(*next++);
      continue;
    }
    const columnar::Value value = place < 0 ? columnar::Value() : file.partition_values[static_cast<size_t>(place)];
    TARN_ASSIGN_OR_RETURN(auto array, columnar::ConstantArray(value, field->type(), length));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), length, std::move(arrays));
}

/// In id mode a file without any ids would seem to lack every column.
Status CheckHasIds(const arrow::Schema& stored) {
  const auto& fields = stored.fields();
  const bool any = std::any_of(fields.begin(), fields.end(),
                               [](const auto& field) { return columnar::StoredFieldId(*field).has_value(); });
  return any ? Status::Ok() : Status::Corruption("the file has no field ids, by which the table finds its columns");
}

/// Streams stored columns, deleted rows included.
Status ReadStored(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                  const std::vector<int>& columns, const columnar::BatchVisitor& visit) {
  const FieldMatch match = snapshot.field_match();
  TARN_ASSIGN_OR_RETURN(const auto parquet, columnar::ParquetFile::Open(table_store, file.key));
  if (match == FieldMatch::kFieldId) {
    const Status status = CheckHasIds(*parquet->schema());
    if (!status.ok()) return status.WithContext(file.key);
  }
  arrow::FieldVector fields;
  columnar::ParquetSelection selection;
  selection.row_groups.resize(static_cast<size_t>(parquet->num_row_groups()));
  std::iota(selection.row_groups.begin(), selection.row_groups.end(), 0);
  for (const int column : columns) {
    const auto& field = fields.emplace_back(snapshot.schema()->field(column));
    const int stored = columnar::FindStored(parquet->schema()->fields(), *field, match);
    if (stored < 0) continue;
    const std::vector<int> leaves = parquet->FindLeaves({parquet->schema()->field(stored)->name()});
    selection.leaves.insert(selection.leaves.end(), leaves.begin(), leaves.end());
  }
  const auto schema = arrow::schema(std::move(fields));
  return parquet->Read(selection, [&](const BatchPtr& batch) -> Status {
    auto conformed = columnar::ConformBatch(*batch, schema, match);
    if (!conformed.ok()) return conformed.status().WithContext(file.key);
    return visit(*conformed);
  });
}

}  // namespace

Result<std::shared_ptr<const RowBitmap>> DeletedRows(storage::ObjectStore& table_store, const DataFile& file) {
  if (!file.deletion_vector.has_value()) return std::make_shared<const RowBitmap>();
  auto read = ReadDeletionVector(table_store, *file.deletion_vector);
  if (!read.ok()) return read.status().WithContext(file.key);
  return read;
}

Status ReadDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                    const std::vector<int>& columns, const columnar::BatchVisitor& visit) {
  const auto rows = LiveRows::Read(table_store, file);
  if (!rows.ok()) return rows.status().WithContext(file.key);
  int64_t row = 0;
  return ReadStored(table_store, snapshot, file, columns, [&](const BatchPtr& batch) -> Status {
    const int64_t begin = std::exchange(row, row + batch->num_rows());
    if (rows->all()) return visit(batch);
    std::vector<int64_t> positions;
    rows->ForEach(begin, row, [&](int64_t position) { positions.push_back(position); });
    TARN_ASSIGN_OR_RETURN(const FileRows live, RowsAt(batch, begin, std::move(positions)));
    return live.positions.empty() ? Status::Ok() : visit(live.batch);
  });
}

Result<int64_t> ScanDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                             const std::vector<int>& columns, const RowBitmap& deleted,
                             const std::function<Status(const FileRows&)>& visit) {
  std::vector<int> stored;
  for (const int column : columns) {
    const bool is_void = snapshot.schema()->field(column)->type()->id() == arrow::Type::NA;
    if (!is_void && PartitionPlace(snapshot, column) < 0) stored.push_back(column);
  }
  int64_t row = 0;
  const auto take = [&](const BatchPtr& batch) -> Status {
    const int64_t begin = std::exchange(row, row + batch->num_rows());
    TARN_ASSIGN_OR_RETURN(const BatchPtr all,
                          WithConstants(snapshot, file, columns, batch->columns(), batch->num_rows()));
    TARN_ASSIGN_OR_RETURN(const FileRows live, RowsAt(all, begin, Undeleted(begin, row, deleted)));
    return live.positions.empty() ? Status::Ok() : visit(live);
  };
  TARN_RETURN_NOT_OK(ReadStored(table_store, snapshot, file, stored, take));
  return row;
}

Result<BatchPtr> PartitionRow(const Snapshot& snapshot, const DataFile& file, const std::vector<int>& columns) {
  return WithConstants(snapshot, file, columns, {}, 1);
}

}  // namespace tarn::delta
