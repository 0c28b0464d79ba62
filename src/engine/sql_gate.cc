// Layer 1 of the gate: what a request asks for.
#include "engine/sql_gate.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/transaction_info.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/delete_statement.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/statement/insert_statement.hpp"
#include "duckdb/parser/statement/merge_into_statement.hpp"
#include "duckdb/parser/statement/transaction_statement.hpp"
#include "duckdb/parser/statement/update_statement.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"
#include "engine/check_constraint.h"
#include "engine/exception_barrier.h"
#include "engine/gate_names.h"
#include "engine/parse_limits.h"
#include "engine/property_names.h"
#include "engine/tree_gate.h"

namespace tarn::engine {
namespace {

/// Each of them is planned and writes files of its own.
constexpr size_t kMaxBlockStatements = 1000;

/// Whether the first word is one that a query begins with.
bool BeginsQuery(const std::string& sql) {
  static const GateNames words{"select", "with",      "from", "values", "table",   "describe",
                               "desc",   "summarize", "show", "pivot",  "unpivot", "explain"};
  for (const duckdb::SimplifiedToken& token : duckdb::Parser::Tokenize(sql)) {
    if (token.type != duckdb::SimplifiedTokenType::SIMPLIFIED_TOKEN_KEYWORD) continue;
    const std::string rest = duckdb::StringUtil::Lower(sql.substr(token.start, 16));
    return words.count(std::string_view(rest).substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz"))) > 0;
  }
  return false;
}

bool ChangesRows(duckdb::StatementType type) {
  using enum duckdb::StatementType;
  return type == DELETE_STATEMENT || type == UPDATE_STATEMENT || type == MERGE_INTO_STATEMENT;
}

bool ChangesTable(duckdb::StatementType type) {
  using enum duckdb::StatementType;
  return ChangesRows(type) || type == INSERT_STATEMENT || type == CREATE_STATEMENT || type == ALTER_STATEMENT;
}

void CheckKind(duckdb::StatementType type, const SessionPolicy& policy) {
  if (type == duckdb::StatementType::SELECT_STATEMENT || (policy.writes && ChangesTable(type))) return;
  Deny("a statement of kind " + duckdb::StatementTypeToString(type) + " is not allowed on a " +
       (policy.writes ? "connection to a lake" : "read-only connection"));
}

std::string NameInLowerCase(const std::string& database, const std::string& table) {
  return duckdb::StringUtil::Lower(database + "." + table);
}

std::string NameOfTable(const duckdb::TableRef& ref) {
  if (ref.type != duckdb::TableReferenceType::BASE_TABLE) return {};
  const auto& table = ref.Cast<duckdb::BaseTableRef>();
  return NameInLowerCase(table.schema_name, table.table_name);
}

std::string ChangedTable(duckdb::SQLStatement& statement) {
  switch (statement.type) {
    case duckdb::StatementType::DELETE_STATEMENT:
      return NameOfTable(*statement.Cast<duckdb::DeleteStatement>().table);
    case duckdb::StatementType::UPDATE_STATEMENT:
      return NameOfTable(*statement.Cast<duckdb::UpdateStatement>().table);
    case duckdb::StatementType::MERGE_INTO_STATEMENT:
      return NameOfTable(*statement.Cast<duckdb::MergeIntoStatement>().target);
    case duckdb::StatementType::INSERT_STATEMENT: {
      const auto& insert = statement.Cast<duckdb::InsertStatement>();
      return NameInLowerCase(insert.schema, insert.table);
    }
    case duckdb::StatementType::ALTER_STATEMENT: {
      const auto& info = *statement.Cast<duckdb::AlterStatement>().info;
      return NameInLowerCase(info.schema, info.name);
    }
    default:
      return {};
  }
}

bool ReturnsRows(duckdb::SQLStatement& statement) {
  switch (statement.type) {
    case duckdb::StatementType::INSERT_STATEMENT:
      return !statement.Cast<duckdb::InsertStatement>().returning_list.empty();
    case duckdb::StatementType::DELETE_STATEMENT:
      return !statement.Cast<duckdb::DeleteStatement>().returning_list.empty();
    case duckdb::StatementType::UPDATE_STATEMENT:
      return !statement.Cast<duckdb::UpdateStatement>().returning_list.empty();
    case duckdb::StatementType::MERGE_INTO_STATEMENT:
      return !statement.Cast<duckdb::MergeIntoStatement>().returning_list.empty();
    default:
      return false;
  }
}

/// What a commit keeps of a condition: a list of a million ids would be read with the log from then on.
constexpr size_t kMaxConditionBytes = 4 << 10;

std::optional<std::string> ConditionOf(const duckdb::SQLStatement& statement) {
  const duckdb::ParsedExpression* condition = nullptr;
  switch (statement.type) {
    case duckdb::StatementType::DELETE_STATEMENT:
      condition = statement.Cast<duckdb::DeleteStatement>().condition.get();
      break;
    case duckdb::StatementType::UPDATE_STATEMENT:
      condition = statement.Cast<duckdb::UpdateStatement>().set_info->condition.get();
      break;
    case duckdb::StatementType::MERGE_INTO_STATEMENT:
      condition = statement.Cast<duckdb::MergeIntoStatement>().join_condition.get();
      // USING (columns) has none.
      if (condition == nullptr) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  std::string text = condition == nullptr ? "" : condition->ToString();
  return text.size() <= kMaxConditionBytes ? std::optional(std::move(text)) : std::nullopt;
}

ParsedStatement CheckOne(duckdb::unique_ptr<duckdb::SQLStatement> statement, const std::string& sql,
                         const duckdb::ParserOptions& options, const SessionPolicy& policy) {
  ParsedStatement parsed{.statement = std::move(statement)};
  // DuckDB says MERGE_INTO.
  parsed.kind = duckdb::StatementTypeToString(parsed.statement->type);
  parsed.kind = parsed.kind.substr(0, parsed.kind.find('_'));
  duckdb::SQLStatement* inner = parsed.statement.get();
  if (inner->type == duckdb::StatementType::EXPLAIN_STATEMENT) {
    inner = inner->Cast<duckdb::ExplainStatement>().stmt.get();
  }
  if (inner->type == duckdb::StatementType::MULTI_STATEMENT) {
    Deny("a PIVOT without the list of its values is several statements; write PIVOT ... ON name IN ('a', 'b') ...");
  }
  parsed.writes = inner->type != duckdb::StatementType::SELECT_STATEMENT;
  CheckKind(inner->type, policy);
  CheckTree(*inner, policy, options);
  if (inner->type == duckdb::StatementType::CREATE_STATEMENT) {
    auto& table = inner->Cast<duckdb::CreateStatement>().info->Cast<duckdb::CreateTableInfo>();
    NameChecks(sql, table);
    RestorePropertyNames(sql, table);
  }
  if (inner->type == duckdb::StatementType::ALTER_STATEMENT) {
    RestorePropertyNames(sql, *inner->Cast<duckdb::AlterStatement>().info);
  }
  parsed.table = ChangedTable(*inner);
  parsed.changes_rows = ChangesRows(inner->type);
  parsed.returns_rows = ReturnsRows(*inner);
  parsed.condition = ConditionOf(*inner);
  return parsed;
}

/// What a statement does to the transaction that it stands in, if that is what it is about.
std::optional<duckdb::TransactionType> TransactionKind(const duckdb::SQLStatement& statement) {
  if (statement.type != duckdb::StatementType::TRANSACTION_STATEMENT) return std::nullopt;
  return statement.Cast<duckdb::TransactionStatement>().info->type;
}

[[noreturn]] void RefuseLongBlock() {
  ThrowStatus(Status::InvalidArgument("there are more than " + std::to_string(kMaxBlockStatements) +
                                      " statements between BEGIN and COMMIT"));
}

bool BeginsBlock(const TextSize& size) { return size.first_word == "begin" || size.first_word == "start"; }

[[noreturn]] void RefuseSeveral(const SessionPolicy& policy) {
  Deny(policy.writes ? "only one statement is allowed per request, or several changes of one table between BEGIN and "
                       "COMMIT"
                     : "only one statement is allowed per request");
}

/// The statements of a block: `all` is what stands in the text, BEGIN the first of it.
ParsedRequest CheckBlock(duckdb::vector<duckdb::unique_ptr<duckdb::SQLStatement>> all, const std::string& sql,
                         const duckdb::ParserOptions& options, const SessionPolicy& policy) {
  using duckdb::TransactionType;
  const auto refuse = [](const std::string& why) { ThrowStatus(Status::InvalidArgument(why)); };
  const auto last = TransactionKind(*all.back());
  if (all.size() < 2 || (last != TransactionType::COMMIT && last != TransactionType::ROLLBACK)) {
    refuse("BEGIN stands in one request with its statements and with COMMIT or ROLLBACK, which ends it");
  }
  if (all.size() - 2 > kMaxBlockStatements) RefuseLongBlock();
  if (all.front()->Cast<duckdb::TransactionStatement>().info->modifier ==
      duckdb::TransactionModifierType::TRANSACTION_READ_ONLY) {
    refuse("BEGIN READ ONLY: a block is for statements that change a table");
  }
  ParsedRequest request{.is_block = true, .rolls_back = last == TransactionType::ROLLBACK};
  for (size_t i = 1; i + 1 < all.size(); i++) {
    ParsedStatement parsed = CheckOne(std::move(all[i]), sql, options, policy);
    const duckdb::StatementType type = parsed.statement->type;
    if (!ChangesRows(type) && type != duckdb::StatementType::INSERT_STATEMENT) {
      refuse("between BEGIN and COMMIT stand INSERT, UPDATE, DELETE and MERGE, not " + parsed.kind);
    }
    if (parsed.returns_rows) {
      refuse("RETURNING: a statement between BEGIN and COMMIT gives the number of its rows only");
    }
    request.statements.push_back(std::move(parsed));
  }
  return request;
}

}  // namespace

bool ParsedRequest::writes() const {
  return is_block || std::any_of(statements.begin(), statements.end(), [](const auto& each) { return each.writes; });
}

int64_t CheckText(const std::string& sql, const SessionPolicy& policy) {
  const TextSize size = MeasureText(sql);
  if (size.statements > 1 && BeginsBlock(size)) {
    if (!policy.writes)
      Deny("BEGIN ... COMMIT, which is for changes of a table, is not allowed on a read-only connection");
    if (size.statements > kMaxBlockStatements + 2) RefuseLongBlock();
  } else if (size.statements > 1) {
    RefuseSeveral(policy);
  }
  CheckSize(size);
  return TreeBytes(size);
}

ParsedRequest ParseAndCheck(const std::string& sql, const duckdb::ParserOptions& options, const SessionPolicy& policy) {
  duckdb::Parser parser(options);
  try {
    parser.ParseQuery(sql);
  } catch (const duckdb::Exception& exception) {
    auto statements = ParseConstraintChange(sql, options);
    // The grammar knows it; of settings and the like the parser makes no statement, as of RESET ALL.
    const duckdb::ErrorData error(exception);
    if (statements.empty() && error.Type() == duckdb::ExceptionType::NOT_IMPLEMENTED && !BeginsQuery(sql))
      Deny(error.RawMessage());
    if (statements.empty()) throw;
    parser.statements = std::move(statements);
  }
  if (parser.statements.empty()) ThrowStatus(Status::InvalidArgument("the query is empty"));
  if (policy.writes && TransactionKind(*parser.statements[0]) == duckdb::TransactionType::BEGIN_TRANSACTION) {
    return CheckBlock(std::move(parser.statements), sql, options, policy);
  }
  if (parser.statements.size() > 1) RefuseSeveral(policy);
  ParsedRequest request;
  request.statements.push_back(CheckOne(std::move(parser.statements[0]), sql, options, policy));
  return request;
}

bool ChangesTables(const std::string& sql) {
  bool writes = false;
  const Status parsed = Guarded([&] {
    const SessionPolicy policy{.local_files = true, .writes = true};
    CheckText(sql, policy);
    writes = ParseAndCheck(sql, duckdb::ParserOptions(), policy).writes();
  });
  return parsed.ok() && writes;
}

}  // namespace tarn::engine
