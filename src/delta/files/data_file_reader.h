#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/status.h"
#include "columnar/parquet_reader.h"
#include "delta/files/row_bitmap.h"
#include "delta/snapshot.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Streams the rows of one data file as the table sees them: `columns` (indices into the snapshot's schema, none of
/// them a partition column) under their names and types there, whatever the file calls them and however narrow it holds
/// them, nulls for those that it lacks, without the rows that its deletion vectors leave out. For rewrites and exports;
/// queries read through the engine.
///
/// Corruption names the file; errors of the store pass through; a failing visitor ends it with its status.
Status ReadDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                    const std::vector<int>& columns, const columnar::BatchVisitor& visit);

/// Live rows of a file as they pass by.
struct FileRows {
  std::shared_ptr<arrow::RecordBatch> batch;
  /// Of each row in the file, ascending.
  std::vector<int64_t> positions;
};

/// The same for changing rows: any columns of the schema, those included that partition the table and those without
/// values, and the rows' positions. `deleted` is the file's vector as DeletedRows reads it. Gives the number of rows in
/// the file, deleted ones included.
Result<int64_t> ScanDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                             const std::vector<int>& columns, const RowBitmap& deleted,
                             const std::function<Status(const FileRows&)>& visit);

/// Which rows the file's deletion vector deletes; none without one.
Result<std::shared_ptr<const RowBitmap>> DeletedRows(storage::ObjectStore& table_store, const DataFile& file);

/// What all rows of the file have in common: one row of the columns, which partition the table.
Result<std::shared_ptr<arrow::RecordBatch>> PartitionRow(const Snapshot& snapshot, const DataFile& file,
                                                         const std::vector<int>& columns);

}  // namespace tarn::delta
