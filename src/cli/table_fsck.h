#pragma once

#include <string>

#include "base/status.h"
#include "cli/config_options.h"

namespace tarn::cli {

struct FsckOptions {
  LakeChoice lake;
  /// DATABASE.TABLE of the lake; or, with a '/' in it, the folder or URI of a Delta table.
  std::string table;
  bool check_files = false;
  bool check_data = false;
  bool json = false;
  /// Mends derived files first.
  bool repair = false;
  bool dry_run = false;
};

/// Validates a table, which need not be readable, and writes what it finds, and what it mended, to standard output.
/// Corruption when there is an error left.
Status Fsck(const FsckOptions& options);

}  // namespace tarn::cli
