#pragma once

#include <cstdint>
#include <optional>

#include "delta/table.h"

namespace tarn::delta {

struct OptimizeOptions {
  int64_t target_file_bytes = 128 << 20;
  /// Files at least this large are left alone; 0 means three quarters of the target.
  int64_t min_file_bytes = 0;
  /// A partition with fewer small files than this is left alone.
  int min_files = 2;
  /// Newest rewrite plan bound: at most this many input bytes in one commit.
  int64_t max_bytes_per_commit = int64_t{4} << 30;
};

struct OptimizeResult {
  /// nullopt when there was nothing to do.
  std::optional<int64_t> version;
  int64_t files_removed = 0;
  int64_t files_added = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

/// Bin-packs each partition's small files into larger ones, in one commit with dataChange=false. Rows keep their order
/// within a file. Files that a concurrent writer removed are left out by planning anew, a bounded number of times.
/// Memory: one row group.
Result<OptimizeResult> Optimize(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                const OptimizeOptions& options);

}  // namespace tarn::delta
