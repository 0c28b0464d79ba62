#include "engine/table_reads.h"

#include <utility>

namespace tarn::engine {

void TableReads::AddScan() {
  MutexLock lock(mutex_);
  ++scans_;
}

void TableReads::Narrow(const std::vector<delta::Predicate>& all_of) {
  MutexLock lock(mutex_);
  all_of_.insert(all_of_.end(), all_of.begin(), all_of.end());
}

Result<delta::Reads> TableReads::Of(const delta::Snapshot& snapshot) const {
  delta::Reads reads;
  std::vector<delta::Predicate> all_of;
  {
    MutexLock lock(mutex_);
    if (scans_ == 0) return reads;
    reads.whole_table = scans_ > 1 || all_of_.empty();
    if (reads.whole_table) return reads;
    all_of = all_of_;
  }
  TARN_ASSIGN_OR_RETURN(reads.files, snapshot.Select(all_of));
  reads.conditions.push_back(std::move(all_of));
  return reads;
}

}  // namespace tarn::engine
