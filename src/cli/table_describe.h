#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "cli/config_options.h"

namespace tarn::cli {

struct DescribeOptions {
  LakeChoice lake;
  /// DATABASE.TABLE of the lake; or, with a '/' in it, the folder or URI of a Delta table.
  std::string table;
  bool json = false;
  /// Of history: at most so many commits.
  int64_t limit = 20;
};

/// Writes what a table is to standard output: place, version, protocol, properties, columns.
Status Describe(const DescribeOptions& options);

/// Writes its commits, newest first.
Status History(const DescribeOptions& options);

}  // namespace tarn::cli
