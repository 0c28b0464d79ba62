#include "delta/files/data_file_writer.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "columnar/conform.h"
#include "columnar/without_void.h"
#include "delta/letter_case.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// The protocol's default.
constexpr int kDefaultIndexedColumns = 32;

/// `delta.dataSkippingStatsColumns`: paths with commas between them. What is no path is passed over.
std::optional<std::vector<ColumnPath>> StatisticsColumns(const Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.dataSkippingStatsColumns");
  if (found == metadata.configuration.end()) return std::nullopt;
  std::vector<ColumnPath> columns;
  std::string piece;
  const auto take = [&] {
    const size_t begin = piece.find_first_not_of(' ');
    const size_t end = piece.find_last_not_of(' ');
    if (begin != std::string::npos) {
      if (auto path = ParseColumnPath(piece.substr(begin, end - begin + 1)); path.ok()) columns.push_back(*path);
    }
    piece.clear();
  };
  bool quoted = false;
  for (const char c : found->second) {
    if (c == '`') quoted = !quoted;
    if (c == ',' && !quoted) {
      take();
    } else {
      piece += c;
    }
  }
  take();
  return columns;
}

/// Whether one of the columns is the one of this path, or holds it.
bool IsWithin(const ColumnPath& path, const std::vector<ColumnPath>& columns) {
  return std::any_of(columns.begin(), columns.end(), [&](const ColumnPath& column) {
    return column.size() <= path.size() && std::equal(column.begin(), column.end(), path.begin(), SameButForCase);
  });
}

/// Of the leaves below these fields, in order, which are within the columns.
void ChooseLeaves(const arrow::FieldVector& fields, const std::vector<ColumnPath>& columns, ColumnPath& path,
                  std::vector<bool>& chosen) {
  for (const auto& field : fields) {
    path.push_back(field->name());
    if (field->type()->id() == arrow::Type::STRUCT) {
      ChooseLeaves(field->type()->fields(), columns, path, chosen);
    } else {
      chosen.push_back(IsWithin(path, columns));
    }
    path.pop_back();
  }
}

}  // namespace

int IndexedColumns(const Metadata& metadata) {
  const int64_t columns = PropertyNumber(metadata, "delta.dataSkippingNumIndexedCols", kDefaultIndexedColumns);
  return static_cast<int>(std::min<int64_t>(columns, std::numeric_limits<int>::max()));
}

DataFileOptions DataFileOptionsOf(const Snapshot& snapshot) {
  DataFileOptions options;
  options.match = snapshot.field_match();
  options.parquet.indexed_columns = IndexedColumns(snapshot.metadata());
  options.statistics_columns = StatisticsColumns(snapshot.metadata());
  return options;
}

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(storage::ObjectStore& table_store, const std::string& key,
                                                             const std::shared_ptr<arrow::Schema>& schema,
                                                             const DataFileOptions& options) {
  auto named = columnar::StoredSchema(schema, options.match);
  auto stored = columnar::WithoutVoid(named);
  columnar::ParquetWriterOptions parquet_options = options.parquet;
  if (options.statistics_columns.has_value()) {
    ColumnPath path;
    // Under the table's names; in the file they may have others.
    ChooseLeaves(columnar::WithoutVoid(schema)->fields(), *options.statistics_columns, path,
                 parquet_options.indexed_leaves);
  }
  TARN_ASSIGN_OR_RETURN(auto parquet, columnar::ParquetWriter::Open(table_store, key, stored, parquet_options));
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
