#pragma once

#include "duckdb/main/database.hpp"

namespace tarn::engine {

/// The table function `table_changes('database.table', first [, last])`: what the commits from `first` to `last`
/// changed, both included and each a version (BIGINT) or a time. It stands for the table `AT (CHANGES => [first,
/// last])`, so that pins, pruning and the gate are those of tables.
inline constexpr char kTableChangesFunction[] = "table_changes";
/// Unit of the AT clause that the function makes; the parser knows no such unit.
inline constexpr char kChangesUnit[] = "changes";

void RegisterTableChanges(duckdb::DatabaseInstance& instance);

}  // namespace tarn::engine
