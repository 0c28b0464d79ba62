#pragma once

#include <arrow/type_fwd.h>

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "duckdb/common/types.hpp"

namespace duckdb {
class DataChunk;
}  // namespace duckdb

namespace tarn::engine {

/// DuckDB's conversion to Arrow changes the values of some types without a word (UHUGEINT loses its upper half, TIMETZ
/// its offset) and gives others as their insides (BIT, BIGNUM). Unsupported when a column is of such a type, or holds
/// one; the message names the first.
Status CheckResultTypes(const duckdb::vector<duckdb::LogicalType>& types, const duckdb::vector<std::string>& names);

/// Checks the values of HUGEINT columns: Arrow has them as decimals of 38 digits, one less than they can have.
class HugeintCheck {
 public:
  HugeintCheck() = default;
  explicit HugeintCheck(const duckdb::vector<duckdb::LogicalType>& types);

  /// InvalidArgument that names the first column with a value that is too large; the other columns cost nothing.
  Status operator()(const arrow::RecordBatch& batch) const;

 private:
  /// That are HUGEINT or hold it.
  std::vector<int> columns_;
};

/// Checks the values of INTERVAL columns before their conversion: Arrow counts their time in nanoseconds, DuckDB in
/// microseconds, and the conversion multiplies without a look.
class IntervalCheck {
 public:
  IntervalCheck() = default;
  IntervalCheck(const duckdb::vector<duckdb::LogicalType>& types, const duckdb::vector<std::string>& names);

  /// InvalidArgument that names the first column with a value that is too long; the other columns cost nothing.
  Status operator()(duckdb::DataChunk& rows) const;

 private:
  /// That are INTERVAL or hold it, with their names.
  std::vector<std::pair<size_t, std::string>> columns_;
};

}  // namespace tarn::engine
