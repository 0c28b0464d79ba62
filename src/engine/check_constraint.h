#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "delta/operations/alter_table.h"
#include "duckdb/parser/constraints/check_constraint.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parser_options.hpp"
#include "duckdb/parser/sql_statement.hpp"

/// CHECK constraints in SQL, as far as DuckDB's parser does not know them.
namespace tarn::engine {

/// One of a CREATE TABLE with the name that CONSTRAINT gave it, which the parser drops; empty when it has none.
class NamedCheck final : public duckdb::CheckConstraint {
 public:
  NamedCheck(duckdb::unique_ptr<duckdb::ParsedExpression> condition, std::string given_name)
      : CheckConstraint(std::move(condition)), name(std::move(given_name)) {}
  duckdb::unique_ptr<duckdb::Constraint> Copy() const override {
    return duckdb::make_uniq<NamedCheck>(expression->Copy(), name);
  }

  const std::string name;
};

/// Puts NamedChecks in the place of the CHECK constraints of a table, by the text that it was parsed from.
void NameChecks(const std::string& sql, duckdb::CreateTableInfo& table);

/// ALTER TABLE … ADD [CONSTRAINT name] CHECK (…), or DROP CONSTRAINT [IF EXISTS] name; for DuckDB a change that takes a
/// table's name and nothing else.
class ConstraintChange final : public duckdb::ResetTableOptionsInfo {
 public:
  ConstraintChange(duckdb::AlterEntryData table, std::string given_name)
      : ResetTableOptionsInfo(std::move(table), {}), name(std::move(given_name)) {}
  duckdb::unique_ptr<duckdb::AlterInfo> Copy() const override;

  /// Empty for one that is to be added and was given none.
  const std::string name;
  /// Null where it is dropped.
  duckdb::unique_ptr<duckdb::ParsedExpression> condition;
  /// Dropped only where it is there.
  bool if_exists = false;
};

/// What says that there are no keys.
Status OnlyChecks();

/// The statements of a text that DuckDB's parser refused for a ConstraintChange in it; none where there is no such
/// change. One that stands alone, or in an EXPLAIN that does, is in its statement. Throws the parser's errors.
duckdb::vector<duckdb::unique_ptr<duckdb::SQLStatement>> ParseConstraintChange(const std::string& sql,
                                                                               const duckdb::ParserOptions& options);

/// A CHECK constraint as a table of this schema keeps it. Unsupported names what Spark does not know, or means another
/// thing by.
Result<delta::AddConstraint> StoredConstraint(const std::string& name, const duckdb::ParsedExpression& condition,
                                              const arrow::Schema& schema);

/// A name for a constraint that has none: the first of check_1, check_2, … that is not taken.
std::string NextCheckName(const std::function<bool(const std::string& name)>& is_taken);

}  // namespace tarn::engine
