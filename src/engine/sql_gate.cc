#include "engine/sql_gate.h"

#include <string_view>
#include <unordered_set>

#include "duckdb/common/string_util.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/optimizer/optimizer_extension.hpp"
#include "duckdb/parser/expression/conjunction_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/subquery_expression.hpp"
#include "duckdb/parser/parsed_expression_iterator.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/recursive_cte_node.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/query_node/set_operation_node.hpp"
#include "duckdb/parser/result_modifier.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/list.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

using Names = std::unordered_set<std::string_view>;

/// What a session may read from. The lake's own scans are added by name, since users cannot call them: layer 2 does
/// not list them.
const Names& AllowedTableFunctions() {
  static const Names names{"range",
                           "generate_series",
                           "unnest",
                           "repeat",
                           "repeat_row",
                           "json_each",
                           "json_tree",
                           "summary",
                           "duckdb_tables",
                           "duckdb_columns",
                           "duckdb_views",
                           "duckdb_schemas",
                           "duckdb_databases",
                           "duckdb_types",
                           "duckdb_constraints",
                           "duckdb_indexes",
                           "duckdb_sequences",
                           "duckdb_functions",
                           "duckdb_keywords",
                           "pg_timezone_names",
                           "icu_calendar_names"};
  return names;
}

/// Table macros, which layer 3 sees only as what they expand to.
const Names& AllowedTableMacros() {
  static const Names names{"histogram", "histogram_values"};
  return names;
}

const Names& LocalFileFunctions() {
  static const Names names{"read_parquet",
                           "parquet_scan",
                           "read_csv",
                           "read_csv_auto",
                           "read_json",
                           "read_json_auto",
                           "read_json_objects",
                           "read_json_objects_auto",
                           "read_ndjson",
                           "read_ndjson_auto",
                           "read_ndjson_objects",
                           "parquet_metadata",
                           "parquet_file_metadata",
                           "parquet_kv_metadata",
                           "parquet_schema",
                           "sniff_csv",
                           "glob"};
  return names;
}

/// Functions of the lake's catalog, reached through table names only.
const Names& CatalogScans() {
  static const Names names{"lake_scan", "system_scan"};
  return names;
}

/// Scalar functions that read the process's surroundings, keep state, wait, or carry SQL in a string.
const Names& DeniedFunctions() {
  static const Names names{"getenv",
                           "current_setting",
                           "getvariable",
                           "nextval",
                           "currval",
                           "setseed",
                           "write_log",
                           "sleep_ms",
                           "pg_sleep",
                           "txid_current",
                           "current_query",
                           "version",
                           "json_execute_serialized_sql",
                           "json_serialize_sql",
                           "json_serialize_plan",
                           "json_deserialize_sql",
                           "parse_duckdb_log_message"};
  return names;
}

constexpr size_t kMaxComments = 1000;

[[noreturn]] void Deny(const std::string& what) { ThrowStatus(Status::PermissionDenied(what)); }

/// The parser takes quadratic time in comments that begin within comments, and nothing interrupts it.
void CheckComments(const std::string& sql) {
  size_t openers = 0;
  for (size_t at = sql.find("/*"); at != std::string::npos; at = sql.find("/*", at + 2)) {
    if (++openers > kMaxComments) {
      ThrowStatus(Status::InvalidArgument("the statement has more than " + std::to_string(kMaxComments) + " comments"));
    }
  }
}

bool Contains(const Names& names, const std::string& name) { return names.count(name) > 0; }

/// What SHOW DATABASES and SHOW TABLES mean here, by the name that DuckDB's parser gives them: databases are schemas of
/// the attached lake, and tables are reached by their full name.
std::string_view ShowStatement(const std::string& name) {
  if (name == "\"databases\"") {
    return "SELECT schema_name AS database_name FROM duckdb_schemas() WHERE database_name = 'lake' AND schema_name <> "
           "'main' ORDER BY ALL";
  }
  if (name == "\"tables\"") {
    return "SELECT if(schema_name = 'main', '', schema_name || '.') || table_name AS name FROM (SELECT database_name, "
           "schema_name, table_name, internal FROM duckdb_tables() UNION ALL SELECT database_name, schema_name, "
           "view_name, internal FROM duckdb_views()) WHERE database_name IN ('lake', 'memory') AND NOT internal AND "
           "schema_name <> 'system' ORDER BY ALL";
  }
  return {};
}

/// Puts the statement above in the place of a SHOW, at the top or within a query.
void ReplaceShow(duckdb::unique_ptr<duckdb::TableRef>& ref, const duckdb::ParserOptions& options) {
  const std::string_view sql = ShowStatement(duckdb::StringUtil::Lower(ref->Cast<duckdb::ShowRef>().table_name));
  if (sql.empty()) return;
  duckdb::Parser parser(options);
  parser.ParseQuery(std::string(sql));
  auto statement =
      duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(std::move(parser.statements[0]));
  auto subquery = duckdb::make_uniq<duckdb::SubqueryRef>(std::move(statement), ref->alias);
  subquery->column_name_alias = ref->column_name_alias;
  ref = std::move(subquery);
}

/// Layer 2: walks every node of the parse tree, refuses what it does not know, and gives SHOW its meaning here.
class TreeGate {
 public:
  TreeGate(const SessionPolicy& policy, const duckdb::ParserOptions& options) : policy_(policy), options_(options) {}

  void CheckNode(duckdb::QueryNode& node) {
    // Planning takes more than linear time in these and cannot be interrupted.
    if (++query_nodes_ > kMaxQueryNodes) {
      ThrowStatus(
          Status::InvalidArgument("the statement has more than " + std::to_string(kMaxQueryNodes) + " subqueries"));
    }
    switch (node.type) {
      case duckdb::QueryNodeType::SELECT_NODE:
        CheckSelect(node.Cast<duckdb::SelectNode>());
        break;
      case duckdb::QueryNodeType::SET_OPERATION_NODE:
        for (auto& child : node.Cast<duckdb::SetOperationNode>().children) CheckNode(*child);
        break;
      case duckdb::QueryNodeType::RECURSIVE_CTE_NODE: {
        auto& recursive = node.Cast<duckdb::RecursiveCTENode>();
        CheckNode(*recursive.left);
        CheckNode(*recursive.right);
        for (auto& target : recursive.key_targets) CheckExpression(*target);
        break;
      }
      default:
        // Statements inside a CTE among them: they may write.
        Deny("this kind of query is not allowed on a read-only connection");
    }
    duckdb::ParsedExpressionIterator::EnumerateQueryNodeModifiers(
        node, [this](duckdb::unique_ptr<duckdb::ParsedExpression>& e) {
          if (e) CheckExpression(*e);
        });
    for (auto& [name, cte] : node.cte_map.map) {
      CheckNode(*cte->query->node);
      for (auto& target : cte->key_targets) CheckExpression(*target);
    }
  }

 private:
  void CheckOptional(const duckdb::unique_ptr<duckdb::ParsedExpression>& expression) {
    if (expression) CheckExpression(*expression);
  }

  void CheckSelect(duckdb::SelectNode& select) {
    for (auto& e : select.select_list) CheckExpression(*e);
    for (auto& e : select.groups.group_expressions) CheckExpression(*e);
    CheckOptional(select.where_clause);
    CheckOptional(select.having);
    CheckOptional(select.qualify);
    if (select.from_table) CheckRef(select.from_table);
  }

  void CheckExpression(const duckdb::ParsedExpression& expression) {
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::FUNCTION) {
      const auto& function = expression.Cast<duckdb::FunctionExpression>();
      const std::string name = duckdb::StringUtil::Lower(function.function_name);
      if (Contains(DeniedFunctions(), name)) Deny("function " + name + " is not allowed");
    }
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::CONJUNCTION) {
      terms_ += expression.Cast<duckdb::ConjunctionExpression>().children.size();
      if (terms_ > kMaxTerms) {
        ThrowStatus(Status::InvalidArgument("the statement joins more than " + std::to_string(kMaxTerms) +
                                            " conditions by AND and OR"));
      }
    }
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::SUBQUERY) {
      CheckNode(*expression.Cast<duckdb::SubqueryExpression>().subquery->node);
    }
    duckdb::ParsedExpressionIterator::EnumerateChildren(
        expression, [this](const duckdb::ParsedExpression& child) { CheckExpression(child); });
  }

  void CheckTableFunction(duckdb::TableFunctionRef& ref) {
    if (ref.function->GetExpressionClass() != duckdb::ExpressionClass::FUNCTION) {
      Deny("this kind of table function is not allowed");
    }
    const std::string name = duckdb::StringUtil::Lower(ref.function->Cast<duckdb::FunctionExpression>().function_name);
    const bool allowed = Contains(AllowedTableFunctions(), name) || Contains(AllowedTableMacros(), name) ||
                         (policy_.local_files && Contains(LocalFileFunctions(), name));
    if (!allowed) Deny("table function " + name + " is not allowed");
    CheckExpression(*ref.function);
    if (ref.subquery) CheckNode(*ref.subquery->node);
  }

  void CheckPivot(duckdb::PivotRef& ref) {
    CheckRef(ref.source);
    for (auto& e : ref.aggregates) CheckOptional(e);
    for (auto& pivot : ref.pivots) {
      for (auto& e : pivot.pivot_expressions) CheckOptional(e);
      for (auto& entry : pivot.entries) CheckOptional(entry.expr);
      if (pivot.subquery) CheckNode(*pivot.subquery);
    }
  }

  void CheckRef(duckdb::unique_ptr<duckdb::TableRef>& place) {
    using duckdb::TableReferenceType;
    duckdb::TableRef& ref = *place;
    switch (ref.type) {
      case TableReferenceType::TABLE_FUNCTION:
        return CheckTableFunction(ref.Cast<duckdb::TableFunctionRef>());
      case TableReferenceType::SUBQUERY:
        return CheckNode(*ref.Cast<duckdb::SubqueryRef>().subquery->node);
      case TableReferenceType::PIVOT:
        return CheckPivot(ref.Cast<duckdb::PivotRef>());
      case TableReferenceType::JOIN: {
        auto& join = ref.Cast<duckdb::JoinRef>();
        CheckRef(join.left);
        CheckRef(join.right);
        return CheckOptional(join.condition);
      }
      case TableReferenceType::EXPRESSION_LIST:
        for (auto& row : ref.Cast<duckdb::ExpressionListRef>().values) {
          for (auto& e : row) CheckOptional(e);
        }
        return;
      case TableReferenceType::SHOW_REF: {
        auto& show = ref.Cast<duckdb::ShowRef>();
        if (show.query) return CheckNode(*show.query);
        return ReplaceShow(place, options_);
      }
      case TableReferenceType::BASE_TABLE: {
        auto& table = ref.Cast<duckdb::BaseTableRef>();
        if (table.at_clause) CheckOptional(table.at_clause->ExpressionMutable());
        return;
      }
      case TableReferenceType::EMPTY_FROM:
        return;
      default:
        Deny("this kind of table reference is not allowed");
    }
  }

  static constexpr int kMaxQueryNodes = 1000;
  static constexpr size_t kMaxTerms = 10'000;

  const SessionPolicy policy_;
  const duckdb::ParserOptions& options_;
  int query_nodes_ = 0;
  size_t terms_ = 0;
};

bool AllowedOperator(duckdb::LogicalOperatorType type) {
  using enum duckdb::LogicalOperatorType;
  switch (type) {
    case LOGICAL_PROJECTION:
    case LOGICAL_FILTER:
    case LOGICAL_AGGREGATE_AND_GROUP_BY:
    case LOGICAL_WINDOW:
    case LOGICAL_UNNEST:
    case LOGICAL_LIMIT:
    case LOGICAL_ORDER_BY:
    case LOGICAL_TOP_N:
    case LOGICAL_DISTINCT:
    case LOGICAL_SAMPLE:
    case LOGICAL_PIVOT:
    case LOGICAL_GET:
    case LOGICAL_CHUNK_GET:
    case LOGICAL_DELIM_GET:
    case LOGICAL_EXPRESSION_GET:
    case LOGICAL_DUMMY_SCAN:
    case LOGICAL_EMPTY_RESULT:
    case LOGICAL_CTE_REF:
    case LOGICAL_JOIN:
    case LOGICAL_DELIM_JOIN:
    case LOGICAL_COMPARISON_JOIN:
    case LOGICAL_ANY_JOIN:
    case LOGICAL_CROSS_PRODUCT:
    case LOGICAL_POSITIONAL_JOIN:
    case LOGICAL_ASOF_JOIN:
    case LOGICAL_DEPENDENT_JOIN:
    case LOGICAL_UNION:
    case LOGICAL_EXCEPT:
    case LOGICAL_INTERSECT:
    case LOGICAL_RECURSIVE_CTE:
    case LOGICAL_MATERIALIZED_CTE:
    case LOGICAL_EXPLAIN:
      return true;
    default:
      return false;
  }
}

/// Layer 3.
class PlanGate : public duckdb::LogicalOperatorVisitor {
 public:
  explicit PlanGate(bool local_files) : local_files_(local_files) {}

  void VisitOperator(duckdb::LogicalOperator& op) override {
    if (!AllowedOperator(op.type)) {
      Deny("operator " + op.GetName() + " is not allowed on a read-only connection");
    }
    if (op.type == duckdb::LogicalOperatorType::LOGICAL_GET) {
      const std::string& name = op.Cast<duckdb::LogicalGet>().function.name;
      const bool allowed = Contains(AllowedTableFunctions(), name) || Contains(CatalogScans(), name) ||
                           (local_files_ && Contains(LocalFileFunctions(), name));
      if (!allowed) Deny("table function " + name + " is not allowed");
    }
    VisitOperatorExpressions(op);
    VisitOperatorChildren(op);
  }

 protected:
  duckdb::unique_ptr<duckdb::Expression> VisitReplace(duckdb::BoundFunctionExpression& function,
                                                      duckdb::unique_ptr<duckdb::Expression>*) override {
    if (Contains(DeniedFunctions(), function.function.name)) {
      Deny("function " + function.function.name + " is not allowed");
    }
    return nullptr;
  }

 private:
  const bool local_files_;
};

struct PlanGateInfo : public duckdb::OptimizerExtensionInfo {
  explicit PlanGateInfo(bool files) : local_files(files) {}
  const bool local_files;
};

constexpr char kTrustedKey[] = "tarn_trusted";
class Trusted : public duckdb::ClientContextState {};

void CheckPlan(duckdb::OptimizerExtensionInput& input, duckdb::unique_ptr<duckdb::LogicalOperator>& plan) {
  if (input.context.registered_state->Get<Trusted>(kTrustedKey)) return;
  PlanGate(static_cast<const PlanGateInfo&>(*input.info).local_files).VisitOperator(*plan);
}

}  // namespace

bool IsDeniedFunction(const std::string& name) { return Contains(DeniedFunctions(), name); }

duckdb::unique_ptr<duckdb::SQLStatement> ParseAndCheck(const std::string& sql, const duckdb::ParserOptions& options,
                                                       const SessionPolicy& policy) {
  CheckComments(sql);
  duckdb::Parser parser(options);
  parser.ParseQuery(sql);
  if (parser.statements.empty()) ThrowStatus(Status::InvalidArgument("the query is empty"));
  if (parser.statements.size() > 1) Deny("only one statement is allowed per request");
  auto statement = std::move(parser.statements[0]);
  duckdb::SQLStatement* inner = statement.get();
  if (inner->type == duckdb::StatementType::EXPLAIN_STATEMENT) {
    inner = inner->Cast<duckdb::ExplainStatement>().stmt.get();
  }
  if (inner->type == duckdb::StatementType::MULTI_STATEMENT) {
    Deny("a PIVOT without the list of its values is several statements; write PIVOT ... ON name IN ('a', 'b') ...");
  }
  if (inner->type != duckdb::StatementType::SELECT_STATEMENT) {
    Deny("a statement of kind " + duckdb::StatementTypeToString(inner->type) +
         " is not allowed on a read-only connection");
  }
  auto& select = inner->Cast<duckdb::SelectStatement>();
  TreeGate(policy, options).CheckNode(*select.node);
  return statement;
}

void RegisterPlanGate(duckdb::DBConfig& config, const SessionPolicy& policy) {
  duckdb::OptimizerExtension extension;
  extension.pre_optimize_function = CheckPlan;
  extension.optimizer_info = duckdb::make_shared_ptr<PlanGateInfo>(policy.local_files);
  duckdb::OptimizerExtension::Register(config, extension);
}

void TrustConnection(duckdb::ClientContext& context) {
  context.registered_state->Insert(kTrustedKey, duckdb::make_shared_ptr<Trusted>());
}

}  // namespace tarn::engine
