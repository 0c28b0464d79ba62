#pragma once

#include <functional>
#include <optional>

#include "delta/predicate.h"

namespace duckdb {
class ClientContext;
class Expression;
class LogicalType;
class TableFilter;
}  // namespace duckdb

namespace tarn::engine {

/// Finds the table's column that a column reference inside an expression stands for; nullopt when it is none.
using ColumnOfReference = std::function<std::optional<int>(const duckdb::Expression& reference)>;

/// A bound expression as a condition for skipping files. Whatever cannot be expressed exactly becomes kUnknown, which
/// excludes nothing. Sides without columns are evaluated, so that `time > now() - interval 1 hour` prunes.
delta::Predicate PredicateFromExpression(duckdb::ClientContext& context, const duckdb::Expression& expression,
                                         const ColumnOfReference& column_of);

/// The same for a filter that DuckDB pushes into the scan of one column of type `type`. A top-N filter stands for its
/// present value.
delta::Predicate PredicateFromFilter(duckdb::ClientContext& context, const duckdb::TableFilter& filter, int column,
                                     const duckdb::LogicalType& type);

/// True when there is nothing in the predicate that could exclude a file.
bool ExcludesNothing(const delta::Predicate& predicate);

}  // namespace tarn::engine
