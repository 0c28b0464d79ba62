#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "columnar/parquet_writer.h"
#include "delta/actions.h"
#include "delta/column_path.h"
#include "delta/snapshot.h"

namespace tarn::delta {

/// How the rows of one data file are written.
struct DataFileOptions {
  /// How the table finds its columns in data files.
  columnar::FieldMatch match = columnar::FieldMatch::kName;
  /// The columns and struct members, with all that they hold, that get statistics; nullopt for the leading ones.
  std::optional<std::vector<ColumnPath>> statistics_columns;
  columnar::ParquetWriterOptions parquet;
};

/// How many leading leaf columns of a table get statistics, -1 for all: `delta.dataSkippingNumIndexedCols` or the
/// protocol's default.
int IndexedColumns(const Metadata& metadata);

/// Options for a table as a snapshot shows it.
DataFileOptions DataFileOptionsOf(const Snapshot& snapshot);

/// Writes rows under a table's names into a new data file under the names that it is to have there, and makes the `add`
/// that puts it into the table. An unfinished writer leaves nothing behind. Thread-compatible.
class DataFileWriter {
 public:
  /// `schema` has the table's columns but for those it is partitioned by, their mapping in the metadata. Void ones
  /// are left out of the file.
  static Result<std::unique_ptr<DataFileWriter>> Open(storage::ObjectStore& table_store, const std::string& key,
                                                      const std::shared_ptr<arrow::Schema>& schema,
                                                      const DataFileOptions& options);

  /// The batch has the schema that was given. InvalidArgument names a column that is null and must not be.
  Status Append(const arrow::RecordBatch& batch);
  int64_t bytes_written() const { return parquet_->bytes_written(); }
  /// Publishes the file durably. `partition_values` are under their stored names.
  Result<Add> Finish(PartitionValues partition_values);

 private:
  DataFileWriter(std::shared_ptr<arrow::Schema> named, std::shared_ptr<arrow::Schema> stored,
                 std::unique_ptr<columnar::ParquetWriter> parquet)
      : named_(std::move(named)), stored_(std::move(stored)), parquet_(std::move(parquet)) {}

  /// Under the names that the file has, and what of it the file holds.
  const std::shared_ptr<arrow::Schema> named_;
  const std::shared_ptr<arrow::Schema> stored_;
  const std::unique_ptr<columnar::ParquetWriter> parquet_;
};

}  // namespace tarn::delta
