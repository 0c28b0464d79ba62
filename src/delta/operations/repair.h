#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "delta/table.h"
#include "delta/validate/validate.h"

namespace tarn::delta {

struct RepairOptions {
  /// Changes nothing.
  bool dry_run = false;
};

/// What became of one file that was wrong.
struct RepairStep {
  std::string key;
  /// "deleted, since …"
  std::string what;
};

struct RepairResult {
  std::vector<RepairStep> steps;
  /// What is wrong afterwards; before, in a dry run.
  ValidationReport report;
};

/// Mends the files of a log that are derived from its commits: a wrong hint or compacted file is deleted, a wrong
/// checksum and a wrong or incomplete checkpoint written anew from the commits. What cannot be had again from elsewhere
/// is left: a checkpoint without the commits before it, and all of them where a commit itself is at fault. Never
/// touches a commit or a data file.
Result<RepairResult> Repair(const TableContext& table, const RepairOptions& options = {});

}  // namespace tarn::delta
