#include "delta/operations/table_writer.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "columnar/arrow_status.h"
#include "columnar/conform.h"
#include "columnar/time_text.h"
#include "columnar/value_array.h"
#include "delta/constraints.h"
#include "delta/operations/rewrite.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

using columnar::Value;

/// Partition values, by which rows are told apart before they are spelled.
using Tuple = std::vector<Value>;

Tuple TupleAt(const arrow::RecordBatch& rows, const std::vector<int>& columns, int64_t row) {
  Tuple tuple;
  tuple.reserve(columns.size());
  for (const int column : columns) tuple.push_back(columnar::ValueAt(*rows.column(column), row));
  return tuple;
}

/// DuckDB's infinite days and times are the first and last that the number can say.
std::string TimeText(int64_t value, const arrow::DataType& type) {
  const int64_t last =
      type.id() == arrow::Type::DATE32 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int64_t>::max();
  if (value == last) return "infinity";
  return value <= -last ? "-infinity" : *columnar::FormatPartitionValue(value, type);
}

/// A partition column as it will be read: an empty text is a null there (PROTOCOL.md, "Partition Value Serialization").
Result<std::shared_ptr<arrow::Array>> EmptyAsNull(const std::shared_ptr<arrow::Array>& array) {
  if (array->type_id() != arrow::Type::STRING && array->type_id() != arrow::Type::BINARY) return array;
  const auto& texts = static_cast<const arrow::BinaryArray&>(*array);
  const int64_t end = array->offset() + array->length();
  TARN_ASSIGN_OR_RETURN_ARROW(std::shared_ptr<arrow::Buffer> validity, arrow::AllocateEmptyBitmap(end));
  bool has_empty = false;
  for (int64_t row = 0; row < texts.length(); ++row) {
    if (texts.IsNull(row)) continue;
    const bool is_empty = texts.value_length(row) == 0;
    has_empty = has_empty || is_empty;
    if (!is_empty) arrow::bit_util::SetBit(validity->mutable_data(), array->offset() + row);
  }
  if (!has_empty) return array;
  const auto data = array->data()->Copy();
  data->buffers[0] = std::move(validity);
  data->null_count = arrow::kUnknownNullCount;
  return arrow::MakeArray(data);
}

/// Others do not open a table at all of which one partition's text is beyond their calendar.
Status CheckPlainYears(const arrow::Array& times, const std::string& column) {
  const bool are_days = times.type_id() == arrow::Type::DATE32;
  for (int64_t row = 0; row < times.length(); ++row) {
    if (times.IsNull(row)) continue;
    const auto value = std::get<int64_t>(columnar::ValueAt(times, row));
    if (columnar::HasPlainYear(are_days ? value : columnar::DayOfMicros(value))) continue;
    return Status::InvalidArgument("column '" + column + "' partitions the table and cannot be " +
                                   TimeText(value, *times.type()) +
                                   ": other readers know days of the years 1 to 9999 only");
  }
  return Status::Ok();
}

}  // namespace

TableWriter::TableWriter(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                         const TableWriterOptions& options)
    : table_(table),
      snapshot_(std::move(snapshot)),
      options_(options),
      columns_(DataFileColumns(*snapshot_)),
      file_schema_(DataFileSchema(*snapshot_)) {}

Status TableWriter::CheckShape(const arrow::RecordBatch& rows) const {
  const arrow::Schema& schema = *snapshot_->schema();
  if (!rows.schema()->Equals(schema, /*check_metadata=*/false)) {
    return Status::InvalidArgument("rows of schema {" + rows.schema()->ToString() + "} do not fit the table's {" +
                                   schema.ToString() + "}");
  }
  return columnar::CheckRequired(rows);
}

Status TableWriter::CheckPartitions(const arrow::RecordBatch& rows) const {
  for (const int column : snapshot_->partition_columns()) {
    const arrow::Array& values = *rows.column(column);
    if (values.type_id() != arrow::Type::DATE32 && values.type_id() != arrow::Type::TIMESTAMP) continue;
    TARN_RETURN_NOT_OK(CheckPlainYears(values, rows.column_name(column)));
  }
  return Status::Ok();
}

Status TableWriter::CheckConstraints(const arrow::RecordBatch& rows) {
  if (constraints_ == nullptr) {
    TARN_ASSIGN_OR_RETURN(constraints_, RowConstraints::Of(*snapshot_));
  }
  // As the rows will be read.
  arrow::ArrayVector columns = rows.columns();
  for (const int column : snapshot_->partition_columns()) {
    TARN_ASSIGN_OR_RETURN(columns[static_cast<size_t>(column)], EmptyAsNull(rows.column(column)));
  }
  return constraints_->Check(*arrow::RecordBatch::Make(rows.schema(), rows.num_rows(), std::move(columns)));
}

Status TableWriter::Append(const arrow::RecordBatch& rows) {
  TARN_RETURN_NOT_OK(CheckShape(rows));
  TARN_RETURN_NOT_OK(CheckPartitions(rows));
  TARN_RETURN_NOT_OK(CheckConstraints(rows));
  return Write(rows);
}

Status TableWriter::AppendCopied(const arrow::RecordBatch& rows) {
  TARN_RETURN_NOT_OK(CheckShape(rows));
  return Write(rows);
}

Status TableWriter::Write(const arrow::RecordBatch& rows) {
  if (rows.num_rows() == 0) return Status::Ok();
  const std::vector<int>& partition_columns = snapshot_->partition_columns();
  if (partition_columns.empty()) return AppendTo({}, rows);
  struct Part {
    PartitionValues values;
    arrow::Int64Builder rows;
  };
  std::map<std::string, Part> parts;
  // Values are spelled only where they differ from those of the row before.
  Part* part = nullptr;
  Tuple last;
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    Tuple tuple = TupleAt(rows, partition_columns, row);
    if (part == nullptr || tuple != last) {
      PartitionValues values = PartitionTexts(*snapshot_, tuple);
      part = &parts[PartitionKey(values)];
      part->values = std::move(values);
      last = std::move(tuple);
    }
    TARN_RETURN_ARROW_NOT_OK(part->rows.Append(row));
  }
  for (auto& [key, of_part] : parts) {
    if (of_part.rows.length() == rows.num_rows()) return AppendTo(of_part.values, rows);
    TARN_ASSIGN_OR_RETURN_ARROW(const std::shared_ptr<arrow::Array> indices, of_part.rows.Finish());
    TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum taken,
                                arrow::compute::Take(arrow::Datum(rows.Slice(0)), arrow::Datum(indices)));
    TARN_RETURN_NOT_OK(AppendTo(of_part.values, *taken.record_batch()));
  }
  return Status::Ok();
}

Result<TableWriter::OpenFile> TableWriter::Open(const PartitionValues& partition) {
  for (size_t i = 0; i < partition.size(); ++i) {
    const arrow::Field& field = *snapshot_->schema()->field(snapshot_->partition_columns()[i]);
    // An empty text is a null there.
    if (!field.nullable() && !partition[i].second.has_value()) {
      return Status::InvalidArgument("column '" + field.name() + "' must not be null");
    }
  }
  if (open_.size() >= static_cast<size_t>(std::max(options_.max_open_files, 1))) {
    TARN_RETURN_NOT_OK(Close(std::min_element(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
      return a.second.last_used < b.second.last_used;
    })));
  }
  DataFileOptions options = DataFileOptionsOf(*snapshot_);
  options.parquet.precondition = storage::Precondition::IfAbsent();
  options.parquet.row_group_bytes = options_.row_group_bytes;
  OpenFile file;
  file.key = PartitionFolder(partition) + "part-" + table_.random->Uuid() + ".zstd.parquet";
  file.values = partition;
  TARN_ASSIGN_OR_RETURN(file.writer, DataFileWriter::Open(*table_.store, file.key, file_schema_, options));
  return file;
}

Status TableWriter::AppendTo(const PartitionValues& partition, const arrow::RecordBatch& rows) {
  std::string key = PartitionKey(partition);
  auto file = open_.find(key);
  if (file == open_.end()) {
    TARN_ASSIGN_OR_RETURN(OpenFile opened, Open(partition));
    file = open_.emplace(std::move(key), std::move(opened)).first;
  }
  file->second.last_used = ++uses_;
  arrow::ArrayVector arrays;
  for (const int column : columns_) arrays.push_back(rows.column(column));
  TARN_RETURN_NOT_OK(
      file->second.writer->Append(*arrow::RecordBatch::Make(file_schema_, rows.num_rows(), std::move(arrays))));
  return file->second.writer->bytes_written() >= options_.target_file_bytes ? Close(file) : Status::Ok();
}

Status TableWriter::Close(OpenFiles::iterator file) {
  OpenFile closed = std::move(file->second);
  open_.erase(file);
  keys_.push_back(closed.key);
  TARN_ASSIGN_OR_RETURN(Add add, closed.writer->Finish(std::move(closed.values)));
  adds_.push_back(std::move(add));
  return Status::Ok();
}

Result<std::vector<Add>> TableWriter::Finish() {
  while (!open_.empty()) TARN_RETURN_NOT_OK(Close(open_.begin()));
  return std::move(adds_);
}

}  // namespace tarn::delta
