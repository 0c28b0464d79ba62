#include "engine/deletion_filter.h"

#include <vector>

namespace tarn::engine {

duckdb::idx_t DeletionFilter::Filter(duckdb::row_t first, duckdb::idx_t count, duckdb::SelectionVector& live) {
  live.Initialize(count);
  std::vector<int64_t> deleted;
  deleted_->AppendRange(first, first + static_cast<int64_t>(count), deleted);
  auto next = deleted.begin();
  duckdb::idx_t kept = 0;
  for (duckdb::idx_t i = 0; i < count; i++) {
    if (next != deleted.end() && *next == first + static_cast<int64_t>(i)) {
      ++next;
    } else {
      live.set_index(kept++, i);
    }
  }
  return kept;
}

}  // namespace tarn::engine
