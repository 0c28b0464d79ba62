#pragma once

#include <utility>

#include "delta/files/deletion_vector.h"
#include "duckdb/common/multi_file/multi_file_data.hpp"

namespace tarn::engine {

/// Leaves the rows of one data file out that its deletion vectors do.
class DeletionFilter final : public duckdb::DeleteFilter {
 public:
  explicit DeletionFilter(delta::LiveRows rows) : rows_(std::move(rows)) {}

  /// Selects the live ones of `count` rows from `first` on. Called by several threads at once.
  duckdb::idx_t Filter(duckdb::row_t first, duckdb::idx_t count, duckdb::SelectionVector& live) override;

 private:
  const delta::LiveRows rows_;
};

}  // namespace tarn::engine
