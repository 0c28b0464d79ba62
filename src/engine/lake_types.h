#pragma once

#include <arrow/type_fwd.h>

#include <optional>

#include "base/status.h"
#include "columnar/value.h"
#include "duckdb/common/types.hpp"
#include "duckdb/common/types/value.hpp"

namespace tarn::engine {

/// The SQL type of a column of this Arrow type; Unsupported by name for a type that neither Delta nor a system table
/// has. Delta's void, which holds nothing but nulls, is an INTEGER.
Result<duckdb::LogicalType> SqlType(const arrow::DataType& type);

/// A constant of SQL as a value of ours; nullopt for types that columnar::Value cannot hold exactly. NULL gives a null
/// value.
std::optional<columnar::Value> FromSqlValue(const duckdb::Value& value);

/// The inverse: `value` as a constant of a column of `type`; NULL when it is null. InvalidArgument when the kinds do
/// not fit.
Result<duckdb::Value> ToSqlValue(const columnar::Value& value, const duckdb::LogicalType& type);

}  // namespace tarn::engine
