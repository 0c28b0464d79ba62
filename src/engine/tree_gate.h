#pragma once

#include <string>

#include "duckdb/parser/parser_options.hpp"
#include "duckdb/parser/sql_statement.hpp"
#include "engine/query_service.h"

namespace tarn::engine {

/// Layer 2 of the gate (sql_gate.h): walks the parse tree of a statement that the session may run, refuses what it does
/// not know by PermissionDenied, and gives SHOW its meaning here.
void CheckTree(duckdb::SQLStatement& statement, const SessionPolicy& policy, const duckdb::ParserOptions& options);

/// Whether layers 2 and 3 refuse a scalar function of this lower-case name.
bool IsDeniedFunction(const std::string& name);

}  // namespace tarn::engine
