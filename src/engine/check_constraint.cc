#include "engine/check_constraint.h"

#include <arrow/type.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "delta/constraints.h"
#include "delta/expressions/expression.h"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "engine/exception_barrier.h"
#include "engine/query_service.h"
#include "engine/spark_expression.h"
#include "engine/sql_words.h"

namespace tarn::engine {
namespace {

/// Reads the words of a statement one behind the other.
class WordReader {
 public:
  explicit WordReader(std::vector<SqlWord> words) : words_(std::move(words)) {}

  bool AtEnd() const { return next_ == words_.size(); }
  const SqlWord& Take() { return words_[next_++]; }
  /// What was read last.
  const SqlWord& Last() const { return words_[next_ - 1]; }
  bool Eat(std::string_view keyword) {
    if (AtEnd() || !words_[next_].Is(keyword)) return false;
    ++next_;
    return true;
  }
  /// A name with what qualifies it; false when there is none.
  bool EatTable() {
    do {
      if (AtEnd()) return false;
      ++next_;
    } while (Eat("."));
    return true;
  }
  /// What begins with a parenthesis, up to the one that closes it; false when there is none.
  bool EatParentheses() {
    size_t depth = 0;
    do {
      if (AtEnd()) return false;
      const SqlWord& word = Take();
      depth += word.Is("(") ? 1 : 0;
      depth -= word.Is(")") && depth > 0 ? 1 : 0;
    } while (depth > 0);
    return Last().Is(")");
  }
  /// Where the next word begins, or the text ends.
  size_t Position() const { return AtEnd() ? words_.back().end : words_[next_].begin; }

 private:
  std::vector<SqlWord> words_;
  size_t next_ = 0;
};

/// What an ALTER TABLE does to a constraint, and where its text says so.
struct Clause {
  std::string name;
  bool adds = false;
  bool if_exists = false;
  size_t begin = 0;
  /// Where the parenthesis of the condition opens.
  size_t condition = 0;
  size_t end = 0;
};

/// ADD [CONSTRAINT name] CHECK (…) or DROP CONSTRAINT [IF EXISTS] name; nullopt for anything else.
std::optional<Clause> ReadClause(WordReader& words) {
  Clause clause{.begin = words.Position()};
  clause.adds = words.Eat("add");
  if (!clause.adds && !words.Eat("drop")) return std::nullopt;
  const bool says_constraint = words.Eat("constraint");
  clause.if_exists = !clause.adds && words.Eat("if") && words.Eat("exists");
  if (says_constraint) {
    if (words.AtEnd()) return std::nullopt;
    clause.name = words.Take().text;
  }
  if (clause.adds) {
    const size_t kind = words.Position();
    if (words.Eat("unique") || words.Eat("foreign")) ThrowStatus(WithSqlErrorPosition(OnlyChecks(), kind));
    if (!words.Eat("check")) return std::nullopt;
    clause.condition = words.Position();
    if (!words.EatParentheses()) return std::nullopt;
  } else if (!says_constraint) {
    return std::nullopt;
  }
  clause.end = words.Last().end;
  return clause;
}

/// That of the next ALTER TABLE with one.
std::optional<Clause> NextClause(WordReader& words) {
  while (!words.AtEnd()) {
    const bool begins = words.Take().Is("alter") && words.Eat("table");
    if (!begins || (words.Eat("if") && !words.Eat("exists")) || !words.EatTable() || words.AtEnd()) continue;
    if (auto clause = ReadClause(words)) return clause;
  }
  return std::nullopt;
}

/// The condition between parentheses, its positions those in the whole text.
duckdb::unique_ptr<duckdb::ParsedExpression> ParseCondition(const std::string& sql, const Clause& clause,
                                                            const duckdb::ParserOptions& options) {
  std::string query = "SELECT";
  query.resize(clause.condition, ' ');
  query += sql.substr(clause.condition, clause.end - clause.condition);
  duckdb::Parser parser(options);
  parser.ParseQuery(query);
  auto& select = parser.statements.at(0)->Cast<duckdb::SelectStatement>();
  return std::move(select.node->Cast<duckdb::SelectNode>().select_list.at(0));
}

/// Whether the type or one within it is of this kind.
bool Has(const arrow::DataType& type, arrow::Type::type kind) {
  return type.id() == kind ||
         std::any_of(type.fields().begin(), type.fields().end(), [&](const auto& f) { return Has(*f->type(), kind); });
}

}  // namespace

void NameChecks(const std::string& sql, duckdb::CreateTableInfo& table) {
  std::vector<std::string> names;
  const std::vector<SqlWord> words = WordsOf(sql);
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].Is("check")) continue;
    const bool is_named = i >= 2 && words[i - 2].Is("constraint");
    names.push_back(is_named ? words[i - 1].text : std::string());
  }
  size_t next = 0;
  for (auto& constraint : table.constraints) {
    if (constraint->type != duckdb::ConstraintType::CHECK) continue;
    if (next == names.size()) ThrowStatus(Status::Internal("a CHECK constraint that is not in the text"));
    auto& check = constraint->Cast<duckdb::CheckConstraint>();
    constraint = duckdb::make_uniq<NamedCheck>(std::move(check.expression), std::move(names[next++]));
  }
}

duckdb::unique_ptr<duckdb::AlterInfo> ConstraintChange::Copy() const {
  auto copy = duckdb::make_uniq<ConstraintChange>(GetAlterEntryData(), name);
  if (condition) copy->condition = condition->Copy();
  copy->if_exists = if_exists;
  return copy;
}

Status OnlyChecks() {
  return Status::Unsupported("ALTER TABLE: the constraints of a Delta table are CHECK and NOT NULL; it has no keys");
}

duckdb::vector<duckdb::unique_ptr<duckdb::SQLStatement>> ParseConstraintChange(const std::string& sql,
                                                                               const duckdb::ParserOptions& options) {
  WordReader words(WordsOf(sql));
  std::string text = sql;
  std::optional<Clause> clause;
  while (auto next = NextClause(words)) {
    // A form that DuckDB knows for the name of a table, and as long, so that errors are where they are.
    std::string form = "RESET (x)";
    form.resize(next->end - next->begin, ' ');
    text.replace(next->begin, form.size(), form);
    clause = std::move(next);
  }
  if (!clause) return {};
  duckdb::Parser parser(options);
  parser.ParseQuery(text);
  if (parser.statements.size() != 1) return std::move(parser.statements);
  duckdb::SQLStatement* statement = parser.statements[0].get();
  if (statement->type == duckdb::StatementType::EXPLAIN_STATEMENT) {
    statement = statement->Cast<duckdb::ExplainStatement>().stmt.get();
  }
  if (statement->type != duckdb::StatementType::ALTER_STATEMENT) return std::move(parser.statements);
  auto& info = statement->Cast<duckdb::AlterStatement>().info;
  auto change = duckdb::make_uniq<ConstraintChange>(info->GetAlterEntryData(), clause->name);
  change->if_exists = clause->if_exists;
  if (clause->adds) change->condition = ParseCondition(sql, *clause, options);
  info = std::move(change);
  return std::move(parser.statements);
}

std::string NextCheckName(const std::function<bool(const std::string& name)>& is_taken) {
  for (size_t number = 1;; ++number) {
    std::string name = "check_" + std::to_string(number);
    if (!is_taken(name)) return name;
  }
}

Result<delta::AddConstraint> StoredConstraint(const std::string& name, const duckdb::ParsedExpression& condition,
                                              const arrow::Schema& schema) {
  const auto in_constraint = [&](const Status& status) { return status.WithContext("the constraint " + name); };
  auto text = SparkExpression(condition);
  if (!text.ok()) return in_constraint(text.status());
  *text = delta::SpelledAs(schema, *text);
  const auto parsed = delta::Expression::Parse(*text, schema);
  if (!parsed.ok()) return in_constraint(parsed.status().WithContext(*text));
  for (const int index : (*parsed)->columns()) {
    const arrow::Field& column = *schema.field(index);
    // Beside a decimal, as 0.1 is one, it is a FLOAT for DuckDB and a DOUBLE for Spark.
    if (Has(*column.type(), arrow::Type::FLOAT)) {
      return in_constraint(
          Status::Unsupported("Spark compares the FLOATs of " + column.name() + " in another way; use DOUBLE"));
    }
    if (Has(*column.type(), arrow::Type::TIMESTAMP)) {
      return in_constraint(Status::Unsupported("Spark takes the times of " + column.name() +
                                               " beside texts and dates for those of its session's time zone"));
    }
  }
  return delta::AddConstraint{name, *std::move(text)};
}

}  // namespace tarn::engine
