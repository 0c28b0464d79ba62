#include "engine/deletion_filter.h"

namespace tarn::engine {

duckdb::idx_t DeletionFilter::Filter(duckdb::row_t first, duckdb::idx_t count, duckdb::SelectionVector& live) {
  live.Initialize(count);
  duckdb::idx_t kept = 0;
  rows_.ForEach(first, first + static_cast<int64_t>(count),
                [&](int64_t row) { live.set_index(kept++, static_cast<duckdb::idx_t>(row - first)); });
  return kept;
}

}  // namespace tarn::engine
