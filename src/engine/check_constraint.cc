#include "engine/check_constraint.h"

#include <arrow/type.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "delta/expressions/expression.h"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "engine/exception_barrier.h"
#include "engine/spark_expression.h"
#include "engine/sql_words.h"

namespace tarn::engine {
namespace {

/// Reads the words of a statement one behind the other.
class WordReader {
 public:
  explicit WordReader(std::vector<SqlWord> words) : words_(std::move(words)) {
    if (!words_.empty() && words_.back().Is(";")) words_.pop_back();
  }

  bool AtEnd() const { return next_ == words_.size(); }
  const SqlWord& Take() { return words_[next_++]; }
  const SqlWord& Last() const { return words_.back(); }
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
  /// Where the next word begins, or the text ends.
  size_t Position() const { return AtEnd() ? words_.back().end : words_[next_].begin; }

 private:
  std::vector<SqlWord> words_;
  size_t next_ = 0;
};

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

duckdb::unique_ptr<duckdb::SQLStatement> ParseConstraintChange(const std::string& sql,
                                                               const duckdb::ParserOptions& options) {
  WordReader words(WordsOf(sql));
  if (!words.Eat("alter") || !words.Eat("table")) return nullptr;
  if (words.Eat("if") && !words.Eat("exists")) return nullptr;
  if (!words.EatTable()) return nullptr;
  const std::string table = sql.substr(0, words.Position());
  const bool adds = words.Eat("add");
  if (!adds && !words.Eat("drop")) return nullptr;
  const bool says_constraint = words.Eat("constraint");
  const bool if_exists = !adds && words.Eat("if") && words.Eat("exists");
  std::string name;
  if (says_constraint && !words.AtEnd()) name = words.Take().text;
  const size_t begin = words.Position();
  if (adds ? !words.Eat("check") || !words.Eat("(") : !says_constraint || !words.AtEnd() || name.empty())
    return nullptr;

  duckdb::Parser parser(options);
  // A form that DuckDB knows, for the name.
  parser.ParseQuery(table + " RESET (x)");
  auto statement = std::move(parser.statements.at(0));
  auto& info = statement->Cast<duckdb::AlterStatement>().info;
  auto change = duckdb::make_uniq<ConstraintChange>(info->GetAlterEntryData(), std::move(name));
  change->if_exists = if_exists;
  if (adds) {
    // Behind CHECK, with its parentheses.
    const std::string text = sql.substr(begin, words.Last().end - begin).substr(std::string_view("check").size());
    auto conditions = duckdb::Parser::ParseExpressionList(text, options);
    if (conditions.size() != 1) ThrowStatus(Status::InvalidArgument("CHECK takes one condition"));
    change->condition = std::move(conditions[0]);
  }
  info = std::move(change);
  return statement;
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
