#pragma once

#include <memory>

#include "delta/files/row_bitmap.h"
#include "duckdb/common/multi_file/multi_file_data.hpp"

namespace tarn::engine {

/// Leaves the rows of one data file out that its deletion vector deletes.
class DeletionFilter final : public duckdb::DeleteFilter {
 public:
  explicit DeletionFilter(std::shared_ptr<const delta::RowBitmap> deleted) : deleted_(std::move(deleted)) {}

  /// Selects the live ones of `count` rows from `first` on. Called by several threads at once.
  duckdb::idx_t Filter(duckdb::row_t first, duckdb::idx_t count, duckdb::SelectionVector& live) override;

 private:
  const std::shared_ptr<const delta::RowBitmap> deleted_;
};

}  // namespace tarn::engine
