#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/config_options.h"

namespace tarn::cli {

struct OptimizeOptions {
  LakeChoice lake;
  /// DATABASE.TABLE of the lake; or, with a '/' in it, the folder or URI of a Delta table.
  std::string table;
  bool dry_run = false;
  bool json = false;
  /// Sizes as configuration has them; empty when not given.
  std::string target_size;
  std::string min_file_size;
  std::vector<std::string> sort_by;
};

/// Merges a table's small files, and writes what became of them to standard output.
Status Optimize(const OptimizeOptions& options);

}  // namespace tarn::cli
