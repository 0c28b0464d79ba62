#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/table.h"

namespace tarn::delta {

struct OptimizeOptions {
  int64_t target_file_bytes = 128 << 20;
  /// Files at least this large are left alone; 0 means three quarters of the target.
  int64_t min_file_bytes = 0;
  /// A file is rewritten only together with others that bring at least this share of its own bytes, so that a growing
  /// file is not written again and again for a few new rows; 0 lets any two files join.
  double min_growth = 0.25;
  /// A file of which deletion vectors delete more than this share is rewritten without them, whatever its size and
  /// alone if need be.
  double max_deleted_share = 0.05;
  /// A partition with fewer small files than this is left alone.
  int min_files = 2;
  /// Newest rewrite plan bound: at most this many input bytes in one commit.
  int64_t max_bytes_per_commit = int64_t{4} << 30;
  /// A second thread decodes inputs while the caller's encodes. Without it the work leaves the other processors alone.
  bool decode_ahead = true;
  /// Columns by which the rows of each partition are sorted, whatever the case of their names; empty keeps them as they
  /// lie. Then all files of a partition are rewritten together, those aside that were sorted by the same columns before
  /// and are not small: what each such commit writes does not overlap in these columns.
  std::vector<std::string> sort_by;
  /// More rows than fit are sorted in runs, in unnamed files of `temp_folder`, which is $TMPDIR or /tmp where it is
  /// empty.
  int64_t sort_memory_bytes = int64_t{256} << 20;
  std::string temp_folder;
};

/// Files of one partition that are written anew together, oldest first; a single one only to purge deleted rows or to
/// sort the others.
using OptimizeGroup = std::vector<FileIndex>;

/// What Optimize would rewrite; empty when there is nothing to do.
Result<std::vector<OptimizeGroup>> PlanOptimize(const Snapshot& snapshot, const OptimizeOptions& options);

struct OptimizeResult {
  /// nullopt when there was nothing to do.
  std::optional<int64_t> version;
  int64_t files_removed = 0;
  int64_t files_added = 0;
  int64_t vectors_removed = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

/// Bin-packs each partition's small files into larger ones, oldest first, in one commit with dataChange=false. Rows
/// keep their order within a file, and files keep theirs by age. Columns added since a file was written are filled with
/// nulls. Rows that deletion vectors delete are left out, and files with many of them are rewritten for that alone. A
/// group of inputs of which a concurrent writer removed one is given up and its output deleted; the other groups are
/// committed as they are. When nothing is left, it plans anew, a bounded number of times, and then returns Conflict.
/// Memory: one row group, a few megabytes of rows on their way into it, a few words per small file, and what a sort may
/// take.
///
/// Sorted rows are in ascending order, nulls first, NaN behind all numbers, texts by their bytes; a file that was
/// sorted says so by its tag `tarn.sortedBy`, the JSON list of the columns' physical names. InvalidArgument names a
/// column that is not there, is nested, or partitions the table.
Result<OptimizeResult> Optimize(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                const OptimizeOptions& options);

}  // namespace tarn::delta
