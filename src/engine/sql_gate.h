#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duckdb/main/client_context.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/parser/sql_statement.hpp"
#include "engine/query_service.h"

/// What may run. Four layers, each of which alone stops most of what must not:
///
/// 1. statement kinds: exactly one statement, a SELECT, where the session may write a statement that changes a table of
///    the lake or several of them between BEGIN and COMMIT, or an EXPLAIN of one, told by a bare parser that runs
///    nothing;
/// 2. names in the parse tree: table functions by allow-list, scalar functions by deny-list, before anything is bound,
///    because binding already opens files;
/// 3. the bound plan: operators and table functions by allow-list, which sees through views, macros and parameters;
/// 4. settings of the instance: no external access, no replacement scans, no extensions, configuration locked.
///
/// Layers 1 and 2 (tree_gate.h) are ParseAndCheck, layer 3 is RegisterPlanGate, layer 4 is Database::Open.
namespace tarn::engine {

struct ParsedStatement {
  duckdb::unique_ptr<duckdb::SQLStatement> statement;
  /// What it is, as INSERT or SELECT.
  std::string kind;
  /// It changes a table, or explains a statement that does.
  bool writes = false;
  /// The table that it changes, as `database.table` in lower case; empty for one that changes nothing or makes a table.
  std::string table;
  /// It looks for the rows that it changes, so that others who change them are in its way.
  bool changes_rows = false;
  /// It changes rows and gives some: its answer is to be there before it is committed.
  bool returns_rows = false;
  /// By which DELETE, UPDATE or MERGE chooses rows, as text, empty for all of them; nothing for one that is too long to
  /// be kept in a table's history.
  std::optional<std::string> condition;
};

/// What one request asks for.
struct ParsedRequest {
  /// One, or those between BEGIN and COMMIT.
  std::vector<ParsedStatement> statements;
  bool is_block = false;
  /// Of a block: it ends in ROLLBACK.
  bool rolls_back = false;

  bool writes() const;
};

/// Refuses what a parser must not be given, without one: too many statements, and what parse_limits.h bounds. Returns
/// about how many bytes the parsed statements take, which no account of the engine's has. Throws InvalidArgument and
/// PermissionDenied.
int64_t CheckText(const std::string& sql, const SessionPolicy& policy);

/// Parses `sql`, which CheckText let through, and applies layers 1 and 2. Throws DuckDB's parser errors and
/// PermissionDenied.
ParsedRequest ParseAndCheck(const std::string& sql, const duckdb::ParserOptions& options, const SessionPolicy& policy);

/// Installs layer 3 for every connection that is not trusted. `config` is that of an open instance.
void RegisterPlanGate(duckdb::DBConfig& config, const SessionPolicy& policy);

/// Exempts one connection from layer 3: for statements that the engine itself wrote.
void TrustConnection(duckdb::ClientContext& context);

}  // namespace tarn::engine
