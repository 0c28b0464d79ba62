#pragma once

#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "delta/predicate.h"
#include "delta/transaction.h"

namespace tarn::engine {

/// What the plan of one statement reads of a pinned table, by which its change is judged beside those of others.
/// Thread-safe.
class TableReads {
 public:
  /// A scan of all rows, until Narrow says otherwise.
  void AddScan() EXCLUDES(mutex_);
  /// Every row that the plan takes from its scan makes these true.
  void Narrow(const std::vector<delta::Predicate>& all_of) EXCLUDES(mutex_);
  /// For a transaction on the snapshot that is scanned, once the plan is made: nothing without a scan, and all there is
  /// behind several, since what narrows one may be made of the rows of another.
  Result<delta::Reads> Of(const delta::Snapshot& snapshot) const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  int scans_ GUARDED_BY(mutex_) = 0;
  std::vector<delta::Predicate> all_of_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
