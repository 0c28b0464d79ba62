#include "delta/files/data_file_writer.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <charconv>

#include "base/clock.h"
#include "columnar/conform.h"
#include "columnar/without_void.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// The protocol's default.
constexpr int kDefaultIndexedColumns = 32;

}  // namespace

int IndexedColumns(const Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.dataSkippingNumIndexedCols");
  if (found == metadata.configuration.end()) return kDefaultIndexedColumns;
  int columns = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [rest, error] = std::from_chars(found->second.data(), end, columns);
  return error == std::errc() && rest == end && columns >= -1 ? columns : kDefaultIndexedColumns;
}

DataFileOptions DataFileOptionsOf(const Snapshot& snapshot) {
  DataFileOptions options;
  options.match = snapshot.field_match();
  options.parquet.indexed_columns = IndexedColumns(snapshot.metadata());
  return options;
}

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(storage::ObjectStore& table_store, const std::string& key,
                                                             const std::shared_ptr<arrow::Schema>& schema,
                                                             const DataFileOptions& options) {
  auto named = columnar::StoredSchema(schema, options.match);
  auto stored = columnar::WithoutVoid(named);
  TARN_ASSIGN_OR_RETURN(auto parquet, columnar::ParquetWriter::Open(table_store, key, stored, options.parquet));
  return std::unique_ptr<DataFileWriter>(new DataFileWriter(std::move(named), std::move(stored), std::move(parquet)));
}

Status DataFileWriter::Append(const arrow::RecordBatch& batch) {
  TARN_RETURN_NOT_OK(columnar::CheckRequired(batch));
  const auto named = columnar::Renamed(batch, named_);
  return parquet_->Append(stored_ == named_ ? *named : *columnar::WithoutVoid(*named, stored_));
}

Result<Add> DataFileWriter::Finish(PartitionValues partition_values) {
  TARN_ASSIGN_OR_RETURN(columnar::WrittenFile file, parquet_->Finish());
  Add add;
  add.path = EncodeLogPath(file.key);
  add.partition_values = std::move(partition_values);
  add.size_bytes = file.size_bytes;
  add.modification_time_millis = file.modified_micros / kMicrosPerMilli;
  add.stats = std::move(file.stats_json);
  return add;
}

}  // namespace tarn::delta
