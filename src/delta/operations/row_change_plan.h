#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delta/operations/row_change.h"

namespace tarn::delta {

/// The actions of a change, its files written but not committed.
struct PlannedChange {
  Reads reads;
  std::vector<Remove> removes;
  std::vector<Add> adds;
  /// Of the new files, for deleting them when they are not committed.
  std::vector<std::string> keys;
  ChangeCounts counts;
};

/// Finds the rows and writes what replaces them. On failure what was written is deleted again. NotFound when a file is
/// gone; Unsupported for part of a file where the change feed is enabled.
Result<PlannedChange> PlanRowChange(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                                    const ChangeRequest& request);

/// What commitInfo says of a change beside the request's own metrics.
std::map<std::string, std::string> MetricsOfChange(const ChangeCounts& counts, const ChangeRequest& request);

}  // namespace tarn::delta
