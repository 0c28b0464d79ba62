#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::columnar {

struct ParquetWriterOptions {
  /// A row group is closed at whichever bound comes first. Readers skip whole row groups and share them among threads,
  /// so they are not much larger than the statistics, headers and dictionaries of their columns warrant: these are
  /// DuckDB's.
  int64_t row_group_rows = 120 << 10;
  int64_t row_group_bytes = 128 << 20;
  /// Zstandard level; Parquet data page version 1, timestamps as INT64 micros, a dictionary where values repeat.
  int zstd_level = 1;
  /// How many leading leaf columns get statistics (`delta.dataSkippingNumIndexedCols`); -1 for all.
  int indexed_columns = 32;
  /// Where not empty, which leaves get them instead, in the file's schema order (`delta.dataSkippingStatsColumns`).
  std::vector<bool> indexed_leaves;
  /// What must hold for the file to be published; checked when it is finished.
  storage::Precondition precondition;
};

/// A finished data file as an `add` action needs it.
struct WrittenFile {
  std::string key;
  int64_t size_bytes = 0;
  int64_t num_records = 0;
  int64_t modified_micros = 0;
  /// The `stats` JSON of PROTOCOL.md, "Per-file Statistics": numRecords, minValues, maxValues, nullCount, tightBounds
  /// absent.
  std::string stats_json;
};

/// The one writer of Parquet data files: flush, compaction and SQL writes stream into it. Memory is bounded by one row
/// group. Field ids come from the metadata `delta.columnMapping.id`. After a failed call every further one fails. An
/// unfinished writer leaves nothing behind. Thread-compatible.
class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  /// `schema` is what the file holds: physical names, no partition columns, the types of delta_schema.h except void.
  /// InvalidArgument or Unsupported, naming the column, for any other.
  static Result<std::unique_ptr<ParquetWriter>> Open(storage::ObjectStore& store, const std::string& key,
                                                     std::shared_ptr<arrow::Schema> schema,
                                                     const ParquetWriterOptions& options);
  /// The batch's schema must equal the writer's (metadata aside); InvalidArgument otherwise. Of the first rows of a
  /// file the arrays are held until there are enough to choose the encodings by, so they must own their memory.
  virtual Status Append(const arrow::RecordBatch& batch) = 0;
  /// Begins a new row group with the next batch, for files whose parts are read separately.
  virtual Status EndRowGroup() = 0;
  /// Encoded bytes so far, for choosing when to begin the next file.
  virtual int64_t bytes_written() const = 0;
  /// Publishes the file durably. The writer takes no more rows afterwards.
  virtual Result<WrittenFile> Finish() = 0;
};

}  // namespace tarn::columnar
