#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>

#include "duckdb/common/types/vector.hpp"

namespace duckdb {
class ClientContext;
}  // namespace duckdb

namespace tarn::engine {

/// Copies rows [from, from + count) of an Arrow array into `target` from row `offset` on, so that many small batches
/// share one vector. `target` is flat, of the type SqlType gives the array or one that DuckDB can cast it to, and has
/// room for offset + count rows.
///
/// Long strings are referenced, not copied: the array outlives every use of the vector's rows. Throws as DuckDB does.
void AppendArrowRows(duckdb::ClientContext& context, const arrow::Array& array, int64_t from, int64_t count,
                     duckdb::Vector& target, int64_t offset);

/// Makes rows [offset, offset + count) of `target` NULL.
void AppendNullRows(duckdb::Vector& target, int64_t offset, int64_t count);

}  // namespace tarn::engine
