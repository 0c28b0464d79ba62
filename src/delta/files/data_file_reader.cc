#include "delta/files/data_file_reader.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <numeric>

#include "columnar/arrow_status.h"
#include "columnar/conform.h"
#include "delta/files/deletion_vector.h"

namespace tarn::delta {
namespace {

using columnar::FieldMatch;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// The rows of `batch` that count, its first one being row `begin` of the file.
Result<BatchPtr> LiveOf(const BatchPtr& batch, int64_t begin, const LiveRows& rows) {
  std::vector<bool> live(static_cast<size_t>(batch->num_rows()));
  int64_t count = 0;
  rows.ForEach(begin, begin + batch->num_rows(), [&](int64_t row) {
    live[static_cast<size_t>(row - begin)] = true;
    ++count;
  });
  if (count == batch->num_rows()) return batch;
  arrow::BooleanBuilder keep;
  TARN_RETURN_ARROW_NOT_OK(keep.AppendValues(live));
  TARN_ASSIGN_OR_RETURN_ARROW(const auto mask, keep.Finish());
  TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum kept, arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(mask)));
  return kept.record_batch();
}

/// In id mode a file without any ids would seem to lack every column.
Status CheckHasIds(const arrow::Schema& stored) {
  const auto& fields = stored.fields();
  const bool any = std::any_of(fields.begin(), fields.end(),
                               [](const auto& field) { return columnar::StoredFieldId(*field).has_value(); });
  return any ? Status::Ok() : Status::Corruption("the file has no field ids, by which the table finds its columns");
}

}  // namespace

Status ReadDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                    const std::vector<int>& columns, const columnar::BatchVisitor& visit) {
  const FieldMatch match = snapshot.field_match();
  const auto rows = LiveRows::Read(table_store, file);
  if (!rows.ok()) return rows.status().WithContext(file.key);
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
  int64_t row = 0;
  return parquet->Read(selection, [&](const BatchPtr& batch) -> Status {
    auto conformed = columnar::ConformBatch(*batch, schema, match);
    if (!conformed.ok()) return conformed.status().WithContext(file.key);
    const int64_t begin = std::exchange(row, row + batch->num_rows());
    if (rows->all()) return visit(*conformed);
    TARN_ASSIGN_OR_RETURN(const BatchPtr live, LiveOf(*conformed, begin, *rows));
    return live->num_rows() == 0 ? Status::Ok() : visit(live);
  });
}

}  // namespace tarn::delta
