// Layer 2 of the gate: names in the parse tree.
#include "engine/tree_gate.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/constraints/check_constraint.hpp"
#include "duckdb/parser/expression/conjunction_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/star_expression.hpp"
#include "duckdb/parser/expression/subquery_expression.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_expression_iterator.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/recursive_cte_node.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/query_node/set_operation_node.hpp"
#include "duckdb/parser/result_modifier.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/delete_statement.hpp"
#include "duckdb/parser/statement/insert_statement.hpp"
#include "duckdb/parser/statement/merge_into_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/statement/update_statement.hpp"
#include "duckdb/parser/tableref/list.hpp"
#include "engine/check_constraint.h"
#include "engine/exception_barrier.h"
#include "engine/gate_names.h"
#include "engine/lake_table_alter.h"
#include "engine/parse_limits.h"

namespace tarn::engine {
namespace {

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

/// What planning takes more than linear time in, or what a short text makes a lot of, and nothing interrupts.
struct PlanningWork {
  size_t subqueries = 0;
  size_t columns = 0;
  size_t terms = 0;
  size_t expressions = 0;
};

void CheckWork(const PlanningWork& work) {
  static constexpr size_t kMaxSubqueries = 1000;
  static constexpr size_t kMaxColumns = 100'000;
  static constexpr size_t kMaxTerms = 10'000;
  static constexpr size_t kMaxExpressions = 200'000;
  CheckAtMost(work.subqueries, kMaxSubqueries, "has more than ", " subqueries");
  CheckAtMost(work.columns, kMaxColumns, "selects more than ", " columns in all its subqueries");
  CheckAtMost(work.terms, kMaxTerms, "joins more than ", " conditions by AND and OR");
  CheckAtMost(work.expressions, kMaxExpressions, "has more than ", " values and expressions");
}

/// Walks every node.
class TreeGate {
 public:
  TreeGate(const SessionPolicy& policy, const duckdb::ParserOptions& options) : policy_(policy), options_(options) {}

  /// A statement of a kind that the session may run.
  void CheckStatement(duckdb::SQLStatement& statement) {
    using duckdb::StatementType;
    switch (statement.type) {
      case StatementType::SELECT_STATEMENT:
        CheckNode(*statement.Cast<duckdb::SelectStatement>().node);
        return;
      case StatementType::INSERT_STATEMENT:
        return CheckInsert(statement.Cast<duckdb::InsertStatement>());
      case StatementType::DELETE_STATEMENT:
        return CheckDelete(statement.Cast<duckdb::DeleteStatement>());
      case StatementType::UPDATE_STATEMENT:
        return CheckUpdate(statement.Cast<duckdb::UpdateStatement>());
      case StatementType::MERGE_INTO_STATEMENT:
        return CheckMerge(statement.Cast<duckdb::MergeIntoStatement>());
      case StatementType::CREATE_STATEMENT:
        return CheckCreate(*statement.Cast<duckdb::CreateStatement>().info);
      default:
        return CheckAlter(*statement.Cast<duckdb::AlterStatement>().info);
    }
  }

  /// Gives the number of columns, estimated where they are a table's.
  size_t CheckNode(duckdb::QueryNode& node) {
    ++work_.subqueries;
    CheckWork(work_);
    const size_t outer_ctes = ctes_.size();
    for (auto& [name, cte] : node.cte_map.map) CheckCte(name, *cte);
    const size_t columns = CheckBody(node);
    duckdb::ParsedExpressionIterator::EnumerateQueryNodeModifiers(
        node, [this](duckdb::unique_ptr<duckdb::ParsedExpression>& e) {
          if (e) CheckExpression(*e);
        });
    ctes_.resize(outer_ctes);
    work_.columns += columns;
    CheckWork(work_);
    return columns;
  }

 private:
  using Expressions = duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>>;

  void CheckAll(const Expressions& expressions) {
    for (const auto& e : expressions) CheckOptional(e);
  }

  void CheckCtes(duckdb::CommonTableExpressionMap& ctes) {
    for (auto& [name, cte] : ctes.map) CheckCte(name, *cte);
  }

  void CheckTableRef(duckdb::unique_ptr<duckdb::TableRef>& ref) {
    From from;
    if (ref) CheckRef(ref, from);
  }

  void CheckSet(const duckdb::unique_ptr<duckdb::UpdateSetInfo>& set) {
    if (!set) return;
    CheckOptional(set->condition);
    CheckAll(set->expressions);
  }

  void CheckInsert(duckdb::InsertStatement& insert) {
    CheckCtes(insert.cte_map);
    if (insert.select_statement) CheckNode(*insert.select_statement->node);
    CheckAll(insert.returning_list);
    CheckTableRef(insert.table_ref);
    if (!insert.on_conflict_info) return;
    CheckOptional(insert.on_conflict_info->condition);
    CheckSet(insert.on_conflict_info->set_info);
  }

  void CheckDelete(duckdb::DeleteStatement& statement) {
    CheckCtes(statement.cte_map);
    CheckTableRef(statement.table);
    for (auto& ref : statement.using_clauses) CheckTableRef(ref);
    CheckOptional(statement.condition);
    CheckAll(statement.returning_list);
  }

  void CheckUpdate(duckdb::UpdateStatement& update) {
    CheckCtes(update.cte_map);
    CheckTableRef(update.table);
    CheckTableRef(update.from_table);
    CheckSet(update.set_info);
    CheckAll(update.returning_list);
  }

  void CheckMerge(duckdb::MergeIntoStatement& merge) {
    CheckCtes(merge.cte_map);
    CheckTableRef(merge.target);
    CheckTableRef(merge.source);
    CheckOptional(merge.join_condition);
    for (auto& [kind, actions] : merge.actions) {
      for (auto& action : actions) {
        CheckOptional(action->condition);
        CheckSet(action->update_info);
        CheckAll(action->expressions);
      }
    }
    CheckAll(merge.returning_list);
  }

  void CheckColumn(const duckdb::ColumnDefinition& column) {
    if (column.Generated()) return CheckExpression(column.GeneratedExpression());
    if (column.HasDefaultValue()) CheckExpression(column.DefaultValue());
  }

  void CheckCreate(duckdb::CreateInfo& info) {
    if (info.type != duckdb::CatalogType::TABLE_ENTRY || info.temporary) {
      Deny("CREATE makes nothing but tables of the lake");
    }
    auto& table = info.Cast<duckdb::CreateTableInfo>();
    if (table.query) CheckNode(*table.query->node);
    for (const auto& column : table.columns.Logical()) CheckColumn(column);
    for (const auto& constraint : table.constraints) {
      if (constraint->type != duckdb::ConstraintType::CHECK) continue;
      CheckExpression(*constraint->Cast<duckdb::CheckConstraint>().expression);
    }
    CheckAll(table.partition_keys);
    CheckAll(table.sort_keys);
    for (const auto& [name, value] : table.options) CheckOptional(value);
  }

  void CheckAlter(duckdb::AlterInfo& info) {
    ThrowIfError(CheckAlterKind(info));
    if (info.type != duckdb::AlterType::ALTER_TABLE) return;
    switch (info.Cast<duckdb::AlterTableInfo>().alter_table_type) {
      case duckdb::AlterTableType::ADD_COLUMN:
        return CheckColumn(info.Cast<duckdb::AddColumnInfo>().new_column);
      case duckdb::AlterTableType::ADD_FIELD:
        return CheckColumn(info.Cast<duckdb::AddFieldInfo>().new_field);
      case duckdb::AlterTableType::SET_TABLE_OPTIONS:
        for (const auto& [name, value] : info.Cast<duckdb::SetTableOptionsInfo>().table_options) CheckOptional(value);
        return;
      case duckdb::AlterTableType::RESET_TABLE_OPTIONS:
        if (const auto* change = dynamic_cast<const ConstraintChange*>(&info)) CheckOptional(change->condition);
        return;
      default:
        return;
    }
  }

  /// A name that stands for the columns of a query, and what each use of it adds to the work.
  struct Cte {
    std::string name;
    size_t columns = 0;
    PlanningWork work_per_use;
  };

  /// The tables of a FROM, as far as `*` may ask for their columns.
  struct Columns {
    std::string table;
    size_t count = 0;
  };
  using From = std::vector<Columns>;

  static size_t Sum(const From& from) {
    size_t sum = 0;
    for (const Columns& columns : from) sum += columns.count;
    return sum;
  }

  void CheckCte(const std::string& name, duckdb::CommonTableExpressionInfo& info) {
    const PlanningWork before = work_;
    Cte cte{.name = duckdb::StringUtil::Lower(name)};
    cte.columns = CheckNode(*info.query->node);
    for (auto& target : info.key_targets) CheckExpression(*target);
    // Others are planned once.
    if (info.materialized == duckdb::CTEMaterialize::CTE_MATERIALIZE_NEVER) {
      cte.work_per_use = {.subqueries = work_.subqueries - before.subqueries,
                          .columns = work_.columns - before.columns,
                          .terms = work_.terms - before.terms,
                          .expressions = work_.expressions - before.expressions};
    }
    ctes_.push_back(std::move(cte));
  }

  size_t CheckBody(duckdb::QueryNode& node) {
    switch (node.type) {
      case duckdb::QueryNodeType::SELECT_NODE:
        return CheckSelect(node.Cast<duckdb::SelectNode>());
      case duckdb::QueryNodeType::SET_OPERATION_NODE: {
        // UNION BY NAME has the columns of all.
        size_t columns = 0;
        const auto& set = node.Cast<duckdb::SetOperationNode>();
        for (auto& child : set.children) {
          const size_t of_child = CheckNode(*child);
          columns = set.setop_type == duckdb::SetOperationType::UNION_BY_NAME ? columns + of_child
                                                                              : std::max(columns, of_child);
        }
        return columns;
      }
      case duckdb::QueryNodeType::RECURSIVE_CTE_NODE: {
        auto& recursive = node.Cast<duckdb::RecursiveCTENode>();
        const size_t columns = CheckNode(*recursive.left);
        ctes_.push_back({.name = duckdb::StringUtil::Lower(recursive.ctename), .columns = columns});
        CheckNode(*recursive.right);
        for (auto& target : recursive.key_targets) CheckExpression(*target);
        return columns;
      }
      default:
        // Statements inside a CTE among them: they may write.
        Deny("this kind of query is not allowed on a read-only connection");
    }
  }

  void CheckOptional(const duckdb::unique_ptr<duckdb::ParsedExpression>& expression) {
    if (expression) CheckExpression(*expression);
  }

  size_t CheckSelect(duckdb::SelectNode& select) {
    From from;
    if (select.from_table) CheckRef(select.from_table, from);
    size_t columns = 0;
    static constexpr size_t kMaxNamesakes = 500;
    std::unordered_map<std::string, size_t> namesakes;
    for (auto& e : select.select_list) {
      columns += ColumnsOf(*e, from);
      CheckExpression(*e);
      // The binder tries name_1, name_2, … for each of them.
      CheckAtMost(++namesakes[duckdb::StringUtil::Lower(e->GetName())], kMaxNamesakes, "selects more than ",
                  " columns of one name");
    }
    for (auto& e : select.groups.group_expressions) CheckExpression(*e);
    CheckOptional(select.where_clause);
    CheckOptional(select.having);
    CheckOptional(select.qualify);
    return columns;
  }

  /// How many columns an item of a select list makes: `*`, `t.*`, COLUMNS(…) and what they stand in make several.
  static size_t ColumnsOf(const duckdb::ParsedExpression& item, const From& from) {
    size_t columns = 1;
    if (item.GetExpressionClass() == duckdb::ExpressionClass::STAR) {
      const std::string table = duckdb::StringUtil::Lower(item.Cast<duckdb::StarExpression>().relation_name);
      for (const Columns& of_table : from) {
        if (!table.empty() && of_table.table == table) return of_table.count;
      }
      return Sum(from);
    }
    if (item.GetExpressionClass() == duckdb::ExpressionClass::SUBQUERY) return columns;
    duckdb::ParsedExpressionIterator::EnumerateChildren(
        item, [&](const duckdb::ParsedExpression& child) { columns = std::max(columns, ColumnsOf(child, from)); });
    return columns;
  }

  void CheckExpression(const duckdb::ParsedExpression& expression) {
    ++work_.expressions;
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::FUNCTION) {
      const auto& function = expression.Cast<duckdb::FunctionExpression>();
      const std::string name = duckdb::StringUtil::Lower(function.function_name);
      if (DeniedFunctions().contains(name)) Deny("function " + name + " is not allowed");
    }
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::CONJUNCTION) {
      work_.terms += expression.Cast<duckdb::ConjunctionExpression>().children.size();
    }
    CheckWork(work_);
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
    const bool allowed = AllowedTableFunctions().contains(name) || AllowedTableMacros().contains(name) ||
                         (policy_.local_files && LocalFileFunctions().contains(name));
    if (!allowed) Deny("table function " + name + " is not allowed");
    CheckExpression(*ref.function);
    if (ref.subquery) CheckNode(*ref.subquery->node);
  }

  /// The name of a CTE, or a table.
  size_t CheckTable(duckdb::BaseTableRef& ref) {
    if (ref.at_clause) CheckOptional(ref.at_clause->ExpressionMutable());
    if (!ref.schema_name.empty() || !ref.catalog_name.empty()) return kColumnsOfTable;
    const std::string name = duckdb::StringUtil::Lower(ref.table_name);
    const auto cte = std::find_if(ctes_.rbegin(), ctes_.rend(), [&](const Cte& each) { return each.name == name; });
    if (cte == ctes_.rend()) return kColumnsOfTable;
    work_.subqueries += cte->work_per_use.subqueries;
    work_.columns += cte->work_per_use.columns;
    work_.terms += cte->work_per_use.terms;
    work_.expressions += cte->work_per_use.expressions;
    CheckWork(work_);
    return cte->columns;
  }

  /// Gives the number of columns that it adds.
  size_t CheckPivot(duckdb::PivotRef& ref, From& from) {
    CheckRef(ref.source, from);
    size_t columns = 1;
    for (auto& e : ref.aggregates) CheckOptional(e);
    for (auto& pivot : ref.pivots) {
      for (auto& e : pivot.pivot_expressions) CheckOptional(e);
      for (auto& entry : pivot.entries) CheckOptional(entry.expr);
      if (pivot.subquery) CheckNode(*pivot.subquery);
      columns *= std::max<size_t>(1, pivot.entries.size());
      work_.columns += columns;
      CheckWork(work_);
    }
    return columns * std::max<size_t>(1, ref.aggregates.size());
  }

  void CheckRef(duckdb::unique_ptr<duckdb::TableRef>& place, From& from) {
    const std::string alias = duckdb::StringUtil::Lower(place->alias);
    using duckdb::TableReferenceType;
    duckdb::TableRef& ref = *place;
    switch (ref.type) {
      case TableReferenceType::TABLE_FUNCTION:
        CheckTableFunction(ref.Cast<duckdb::TableFunctionRef>());
        return from.push_back({alias, kColumnsOfTable});
      case TableReferenceType::SUBQUERY:
        return from.push_back({alias, CheckNode(*ref.Cast<duckdb::SubqueryRef>().subquery->node)});
      case TableReferenceType::PIVOT: {
        From source;
        const size_t added = CheckPivot(ref.Cast<duckdb::PivotRef>(), source);
        return from.push_back({alias, Sum(source) + added});
      }
      case TableReferenceType::JOIN: {
        auto& join = ref.Cast<duckdb::JoinRef>();
        const bool left_only = join.type == duckdb::JoinType::SEMI || join.type == duckdb::JoinType::ANTI;
        From hidden;
        CheckRef(join.left, from);
        CheckRef(join.right, left_only ? hidden : from);
        return CheckOptional(join.condition);
      }
      case TableReferenceType::EXPRESSION_LIST: {
        auto& values = ref.Cast<duckdb::ExpressionListRef>().values;
        for (auto& row : values) {
          for (auto& e : row) CheckOptional(e);
        }
        return from.push_back({alias, values.empty() ? 0 : values.front().size()});
      }
      case TableReferenceType::SHOW_REF: {
        auto& show = ref.Cast<duckdb::ShowRef>();
        from.push_back({alias, kColumnsOfTable});
        if (show.query) {
          CheckNode(*show.query);
        } else {
          ReplaceShow(place, options_);
        }
        return;
      }
      case TableReferenceType::BASE_TABLE: {
        auto& table = ref.Cast<duckdb::BaseTableRef>();
        return from.push_back({alias.empty() ? duckdb::StringUtil::Lower(table.table_name) : alias, CheckTable(table)});
      }
      case TableReferenceType::EMPTY_FROM:
        return;
      default:
        Deny("this kind of table reference is not allowed");
    }
  }

  /// What a table is taken to have before anything is looked up.
  static constexpr size_t kColumnsOfTable = 50;

  const SessionPolicy policy_;
  const duckdb::ParserOptions& options_;
  /// Innermost last.
  std::vector<Cte> ctes_;
  PlanningWork work_;
};

}  // namespace

void CheckTree(duckdb::SQLStatement& statement, const SessionPolicy& policy, const duckdb::ParserOptions& options) {
  TreeGate(policy, options).CheckStatement(statement);
}

bool IsDeniedFunction(const std::string& name) { return DeniedFunctions().contains(name); }

}  // namespace tarn::engine
