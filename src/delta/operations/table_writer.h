#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/data_file_writer.h"
#include "delta/table.h"

namespace tarn::delta {

class RowConstraints;

struct TableWriterOptions {
  int64_t target_file_bytes = 128 << 20;
  /// Row groups being encoded at once, one per partition that rows go to; the one idle for longest gives way.
  int max_open_files = 8;
  int64_t row_group_bytes = 32 << 20;
};

/// Writes rows of a table into new data files of its partitions. Memory: one row group per open file.
/// Thread-compatible.
class TableWriter {
 public:
  TableWriter(const TableContext& table, std::shared_ptr<const Snapshot> snapshot, const TableWriterOptions& options);

  /// New rows: the batch has the columns of the table's schema, those that partition it included. InvalidArgument names
  /// a column that is null and must not be, a day or time beyond the years 1 to 9999 that would partition the table, a
  /// constraint that a row breaks, or a batch that does not fit; Unsupported a constraint that is not understood.
  Status Append(const arrow::RecordBatch& rows);
  /// Rows that the table has already, whatever its constraints say of them.
  Status AppendCopied(const arrow::RecordBatch& rows);
  /// Publishes what is not yet and gives all files, with dataChange=true. Nothing may be appended afterwards.
  Result<std::vector<Add>> Finish();
  /// Of the files that were published, or may have been, for deleting them when they are not committed.
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  struct OpenFile {
    std::string key;
    std::unique_ptr<DataFileWriter> writer;
    PartitionValues values;
    int64_t last_used = 0;
  };
  /// By PartitionKey.
  using OpenFiles = std::map<std::string, OpenFile>;

  Status CheckShape(const arrow::RecordBatch& rows) const;
  Status CheckPartitions(const arrow::RecordBatch& rows) const;
  Status CheckConstraints(const arrow::RecordBatch& rows);
  Status Write(const arrow::RecordBatch& rows);
  Status AppendTo(const PartitionValues& partition, const arrow::RecordBatch& rows);
  Result<OpenFile> Open(const PartitionValues& partition);
  Status Close(OpenFiles::iterator file);

  const TableContext& table_;
  const std::shared_ptr<const Snapshot> snapshot_;
  const TableWriterOptions options_;
  const std::vector<int> columns_;
  const std::shared_ptr<arrow::Schema> file_schema_;
  /// Null before the first new row.
  std::shared_ptr<const RowConstraints> constraints_;
  OpenFiles open_;
  int64_t uses_ = 0;
  std::vector<Add> adds_;
  std::vector<std::string> keys_;
};

}  // namespace tarn::delta
