#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "duckdb/common/types.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/main/client_properties.hpp"

namespace tarn::engine {

/// Vectors on their way into a table, as Arrow has them. The inverse of arrow_vectors. Thread-compatible.
class ChunkRows {
 public:
  ChunkRows(duckdb::vector<duckdb::LogicalType> types, duckdb::vector<std::string> names,
            duckdb::ClientProperties properties)
      : types_(std::move(types)), names_(std::move(names)), properties_(std::move(properties)) {}

  /// A copy of the rows. Unsupported names a column whose type Arrow cannot carry unchanged, InvalidArgument one with
  /// such a value.
  Result<std::shared_ptr<arrow::RecordBatch>> Take(duckdb::DataChunk& chunk) const;

 private:
  const duckdb::vector<duckdb::LogicalType> types_;
  const duckdb::vector<std::string> names_;
  // Conversions take it by reference.
  mutable duckdb::ClientProperties properties_;
};

}  // namespace tarn::engine
