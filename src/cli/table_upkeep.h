#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "cli/config_options.h"

namespace tarn::cli {

/// What keeps a table in order; of `OpenAnyTable`, so that any Delta table will do.
struct UpkeepOptions {
  LakeChoice lake;
  std::string table;
  bool dry_run = false;
  bool json = false;
  /// A duration; empty for the table's own.
  std::string retention;
  bool lite = false;
  bool allow_short_retention = false;
  /// What to restore; one of the two.
  std::optional<int64_t> version;
  std::string timestamp;
};

/// Each writes what it did, or would do, to standard output.
Status Vacuum(const UpkeepOptions& options);
Status CleanUp(const UpkeepOptions& options);
Status Restore(const UpkeepOptions& options);
Status Checkpoint(const UpkeepOptions& options);

}  // namespace tarn::cli
