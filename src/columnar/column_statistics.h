#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace tarn::columnar {

/// Gathers the `stats` of one data file while its batches pass by (PROTOCOL.md, "Per-file Statistics").
///
/// Bounds are inclusive and sound: a minimum is never above, a maximum never below any value of the file, and a bound
/// that cannot be written so is left out. Left out are the bounds of booleans, binary, lists and maps; of a floating
/// column that holds a NaN, or where a bound is infinite; of text that is not UTF-8; of dates and timestamps outside
/// the years 1 to 9999. Every indexed leaf has its null count. Thread-compatible.
class StatisticsCollector {
 public:
  /// Of the leaves in schema order those take part that `chosen` has as true or, where it is empty, the leading
  /// `indexed_columns`, -1 for all; a list or a map counts as one leaf.
  StatisticsCollector(const arrow::Schema& schema, int indexed_columns, const std::vector<bool>& chosen = {});
  ~StatisticsCollector();
  StatisticsCollector(const StatisticsCollector&) = delete;
  StatisticsCollector& operator=(const StatisticsCollector&) = delete;

  /// The batch must have the collector's schema.
  Status Observe(const arrow::RecordBatch& batch);
  int64_t num_records() const { return num_records_; }
  std::string ToJson() const;

  class Column;

 private:
  std::vector<std::unique_ptr<Column>> columns_;
  int64_t num_records_ = 0;
};

}  // namespace tarn::columnar
