// Layer 3 of the gate: the bound plan.
#include <string>

#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/optimizer/optimizer_extension.hpp"
#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_create_table.hpp"
#include "duckdb/planner/operator/logical_delete.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_insert.hpp"
#include "duckdb/planner/operator/logical_merge_into.hpp"
#include "duckdb/planner/operator/logical_simple.hpp"
#include "duckdb/planner/operator/logical_update.hpp"
#include "engine/gate_names.h"
#include "engine/lake_catalog.h"
#include "engine/sql_gate.h"

namespace tarn::engine {
namespace {

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
  explicit PlanGate(const SessionPolicy& policy) : policy_(policy) {}

  void VisitOperator(duckdb::LogicalOperator& op) override {
    if (!AllowedOperator(op.type) && !(policy_.writes && ChangesLake(op))) {
      Deny("operator " + op.GetName() + " is not allowed on a read-only connection");
    }
    if (op.type == duckdb::LogicalOperatorType::LOGICAL_GET) {
      const std::string& name = op.Cast<duckdb::LogicalGet>().function.name;
      const bool allowed = AllowedTableFunctions().contains(name) || CatalogScans().contains(name) ||
                           (policy_.local_files && LocalFileFunctions().contains(name));
      if (!allowed) Deny("table function " + name + " is not allowed");
    }
    VisitOperatorExpressions(op);
    VisitOperatorChildren(op);
  }

 protected:
  duckdb::unique_ptr<duckdb::Expression> VisitReplace(duckdb::BoundFunctionExpression& function,
                                                      duckdb::unique_ptr<duckdb::Expression>*) override {
    if (DeniedFunctions().contains(function.function.name)) {
      Deny("function " + function.function.name + " is not allowed");
    }
    return nullptr;
  }

 private:
  /// A change of a table of the lake, and not of another catalog that is attached.
  static bool ChangesLake(duckdb::LogicalOperator& op) {
    using enum duckdb::LogicalOperatorType;
    const auto is_lake = [](const duckdb::Catalog& catalog) { return catalog.GetName() == kLakeCatalogName; };
    switch (op.type) {
      case LOGICAL_INSERT:
        return is_lake(op.Cast<duckdb::LogicalInsert>().table.catalog);
      case LOGICAL_DELETE:
        return is_lake(op.Cast<duckdb::LogicalDelete>().table.catalog);
      case LOGICAL_UPDATE:
        return is_lake(op.Cast<duckdb::LogicalUpdate>().table.catalog);
      case LOGICAL_MERGE_INTO:
        return is_lake(op.Cast<duckdb::LogicalMergeInto>().table.catalog);
      case LOGICAL_CREATE_TABLE:
        return is_lake(op.Cast<duckdb::LogicalCreateTable>().schema.catalog);
      case LOGICAL_ALTER: {
        const auto& info = op.Cast<duckdb::LogicalSimple>().info->Cast<duckdb::AlterInfo>();
        using enum duckdb::AlterType;
        const bool is_known = info.type == ALTER_TABLE || info.type == SET_COMMENT || info.type == SET_COLUMN_COMMENT;
        // Where IF EXISTS found nothing, nothing is changed.
        const bool is_missing = info.catalog.empty() && info.if_not_found == duckdb::OnEntryNotFound::RETURN_NULL;
        return is_known && (is_missing || info.catalog == kLakeCatalogName);
      }
      default:
        return false;
    }
  }

  const SessionPolicy policy_;
};

struct PlanGateInfo : public duckdb::OptimizerExtensionInfo {
  explicit PlanGateInfo(const SessionPolicy& of_session) : policy(of_session) {}
  const SessionPolicy policy;
};

constexpr char kTrustedKey[] = "tarn_trusted";
class Trusted : public duckdb::ClientContextState {};

void CheckPlan(duckdb::OptimizerExtensionInput& input, duckdb::unique_ptr<duckdb::LogicalOperator>& plan) {
  if (input.context.registered_state->Get<Trusted>(kTrustedKey)) return;
  PlanGate(static_cast<const PlanGateInfo&>(*input.info).policy).VisitOperator(*plan);
}

}  // namespace

void RegisterPlanGate(duckdb::DBConfig& config, const SessionPolicy& policy) {
  duckdb::OptimizerExtension extension;
  extension.pre_optimize_function = CheckPlan;
  extension.optimizer_info = duckdb::make_shared_ptr<PlanGateInfo>(policy);
  duckdb::OptimizerExtension::Register(config, extension);
}

void TrustConnection(duckdb::ClientContext& context) {
  context.registered_state->Insert(kTrustedKey, duckdb::make_shared_ptr<Trusted>());
}

}  // namespace tarn::engine
