#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "columnar/sort_keys.h"

namespace tarn::columnar {

struct RowSortOptions {
  /// Indices into the schema, of sortable columns (sort_keys.h).
  std::vector<int> columns;
  /// More rows than fit are sorted in runs, which lie in temporary files meanwhile.
  int64_t memory_bytes = int64_t{256} << 20;
  /// About how much each sorted batch has, where memory allows it.
  int64_t batch_bytes = 1 << 20;
  /// Of the local disk; empty for $TMPDIR or /tmp.
  std::string temp_folder;
};

/// Sorts rows that need not fit into memory. Rows with equal keys stay in the order in which they came. Temporary files
/// have no names, so that they go with the process. Thread-compatible.
class RowSorter {
 public:
  RowSorter(std::shared_ptr<arrow::Schema> schema, RowSortOptions options);
  ~RowSorter();

  Status Add(std::shared_ptr<arrow::RecordBatch> batch);
  using Visit = std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>;
  /// All rows in order, in batches; the sorter is empty afterwards. A failing visitor ends it with
  /// its status.
  Status Finish(const Visit& visit);

  /// How many times rows were written to disk.
  int runs_written() const { return runs_written_; }

 private:
  class Run;
  class Merge;

  int64_t BatchBytes() const;
  /// What is in memory, in order; it is given up.
  Status VisitSorted(const Visit& visit);
  /// What `produce` gives, as a file.
  Result<std::unique_ptr<Run>> WriteRun(const std::function<Status(const Visit&)>& produce);
  Status Spill();
  Status MergeRuns(const Visit& visit);

  const std::shared_ptr<arrow::Schema> schema_;
  const RowSortOptions options_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;
  int64_t buffered_bytes_ = 0;
  /// Oldest rows first.
  std::vector<std::unique_ptr<Run>> runs_;
  int runs_written_ = 0;
};

}  // namespace tarn::columnar
