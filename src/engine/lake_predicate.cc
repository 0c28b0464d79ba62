#include "engine/lake_predicate.h"

#include <utility>
#include <vector>

#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/planner/expression/bound_between_expression.hpp"
#include "duckdb/planner/expression/bound_comparison_expression.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_operator_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/filter/conjunction_filter.hpp"
#include "duckdb/planner/filter/constant_filter.hpp"
#include "duckdb/planner/filter/dynamic_filter.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"
#include "duckdb/planner/filter/in_filter.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

using delta::Predicate;
using duckdb::Expression;
using duckdb::ExpressionType;
using Op = Predicate::Op;

Predicate Unknown() { return {}; }

Predicate Not(Predicate operand) { return {Op::kNot, -1, {}, {std::move(operand)}}; }

std::optional<Op> ComparisonOp(ExpressionType type) {
  switch (type) {
    case ExpressionType::COMPARE_EQUAL:
      return Op::kEq;
    case ExpressionType::COMPARE_NOTEQUAL:
      return Op::kNe;
    case ExpressionType::COMPARE_LESSTHAN:
      return Op::kLt;
    case ExpressionType::COMPARE_LESSTHANOREQUALTO:
      return Op::kLe;
    case ExpressionType::COMPARE_GREATERTHAN:
      return Op::kGt;
    case ExpressionType::COMPARE_GREATERTHANOREQUALTO:
      return Op::kGe;
    default:
      return std::nullopt;
  }
}

/// Comparisons hold for the column's own type only; a float's bounds come from decimal text that need not be the
/// float's exact value, so nothing is concluded from them.
std::optional<columnar::Value> Literal(const duckdb::Value& value, const duckdb::LogicalType& column_type) {
  if (column_type.id() == duckdb::LogicalTypeId::FLOAT) return std::nullopt;
  if (value.IsNull()) return columnar::Value();
  if (value.type() != column_type) return std::nullopt;
  return FromSqlValue(value);
}

Predicate Compare(Op op, int column, const duckdb::Value& value, const duckdb::LogicalType& type) {
  auto literal = Literal(value, type);
  return literal ? Predicate::Compare(op, column, std::move(*literal)) : Unknown();
}

bool HasColumn(const Expression& expression) {
  if (expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_COLUMN_REF ||
      expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF ||
      expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_PARAMETER ||
      expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_SUBQUERY) {
    return true;
  }
  bool found = false;
  duckdb::ExpressionIterator::EnumerateChildren(expression,
                                                [&](const Expression& child) { found = found || HasColumn(child); });
  return found;
}

class Translator {
 public:
  Translator(duckdb::ClientContext& context, const ColumnOfReference& column_of)
      : context_(context), column_of_(column_of) {}

  Predicate Translate(const Expression& expression) const {
    switch (expression.GetExpressionClass()) {
      case duckdb::ExpressionClass::BOUND_COMPARISON:
        return Comparison(expression.Cast<duckdb::BoundComparisonExpression>());
      case duckdb::ExpressionClass::BOUND_CONJUNCTION: {
        const auto& conjunction = expression.Cast<duckdb::BoundConjunctionExpression>();
        Predicate predicate;
        predicate.op = expression.GetExpressionType() == ExpressionType::CONJUNCTION_AND ? Op::kAnd : Op::kOr;
        for (const auto& child : conjunction.children) predicate.children.push_back(Translate(*child));
        return predicate;
      }
      case duckdb::ExpressionClass::BOUND_BETWEEN:
        return Between(expression.Cast<duckdb::BoundBetweenExpression>());
      case duckdb::ExpressionClass::BOUND_OPERATOR:
        return Operator(expression.Cast<duckdb::BoundOperatorExpression>());
      case duckdb::ExpressionClass::BOUND_COLUMN_REF:
      case duckdb::ExpressionClass::BOUND_REF:
        if (expression.return_type.id() == duckdb::LogicalTypeId::BOOLEAN) {
          if (auto column = column_of_(expression)) return Predicate::Compare(Op::kEq, *column, columnar::Value(true));
        }
        return Unknown();
      default:
        return Unknown();
    }
  }

 private:
  std::optional<int> Column(const Expression& expression) const {
    auto kind = expression.GetExpressionClass();
    if (kind != duckdb::ExpressionClass::BOUND_COLUMN_REF && kind != duckdb::ExpressionClass::BOUND_REF) {
      return std::nullopt;
    }
    return column_of_(expression);
  }

  std::optional<duckdb::Value> Constant(const Expression& expression) const {
    if (expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_CONSTANT) {
      return expression.Cast<duckdb::BoundConstantExpression>().value;
    }
    if (expression.IsVolatile() || HasColumn(expression)) return std::nullopt;
    duckdb::Value value;
    if (!duckdb::ExpressionExecutor::TryEvaluateScalar(context_, expression, value)) return std::nullopt;
    return value;
  }

  Predicate CompareSides(ExpressionType type, const Expression& left, const Expression& right) const {
    auto op = ComparisonOp(type);
    auto column = Column(left);
    if (!op || !column) return Unknown();
    auto value = Constant(right);
    return value ? Compare(*op, *column, *value, left.return_type) : Unknown();
  }

  Predicate Comparison(const duckdb::BoundComparisonExpression& comparison) const {
    ExpressionType type = comparison.GetExpressionType();
    if (Column(*comparison.left)) return CompareSides(type, *comparison.left, *comparison.right);
    return CompareSides(duckdb::FlipComparisonExpression(type), *comparison.right, *comparison.left);
  }

  Predicate Between(const duckdb::BoundBetweenExpression& between) const {
    return Predicate::And({CompareSides(between.LowerComparisonType(), *between.input, *between.lower),
                           CompareSides(between.UpperComparisonType(), *between.input, *between.upper)});
  }

  Predicate In(const duckdb::BoundOperatorExpression& in) const {
    auto column = Column(*in.children[0]);
    if (!column) return Unknown();
    Predicate predicate{Op::kIn, *column, {}, {}};
    for (size_t i = 1; i < in.children.size(); i++) {
      auto value = Constant(*in.children[i]);
      auto literal = value ? Literal(*value, in.children[0]->return_type) : std::nullopt;
      if (!literal) return Unknown();
      predicate.values.push_back(std::move(*literal));
    }
    return predicate;
  }

  Predicate Operator(const duckdb::BoundOperatorExpression& expression) const {
    switch (expression.GetExpressionType()) {
      case ExpressionType::OPERATOR_NOT:
        return Not(Translate(*expression.children[0]));
      case ExpressionType::OPERATOR_IS_NULL:
      case ExpressionType::OPERATOR_IS_NOT_NULL: {
        auto column = Column(*expression.children[0]);
        if (!column) return Unknown();
        bool is_null = expression.GetExpressionType() == ExpressionType::OPERATOR_IS_NULL;
        return {is_null ? Op::kIsNull : Op::kIsNotNull, *column, {}, {}};
      }
      case ExpressionType::COMPARE_IN:
        return In(expression);
      case ExpressionType::COMPARE_NOT_IN:
        return Not(In(expression));
      default:
        return Unknown();
    }
  }

  duckdb::ClientContext& context_;
  const ColumnOfReference& column_of_;
};

Predicate FromConstantFilter(const duckdb::ConstantFilter& filter, int column, const duckdb::LogicalType& type) {
  auto op = ComparisonOp(filter.comparison_type);
  return op ? Compare(*op, column, filter.constant, type) : Unknown();
}

Predicate FromDynamicFilter(const duckdb::DynamicFilter& filter, int column, const duckdb::LogicalType& type) {
  if (!filter.filter_data || !filter.filter_data->initialized.load()) return Unknown();
  duckdb::lock_guard<duckdb::mutex> lock(filter.filter_data->lock);
  return filter.filter_data->filter ? FromConstantFilter(*filter.filter_data->filter, column, type) : Unknown();
}

}  // namespace

Predicate PredicateFromExpression(duckdb::ClientContext& context, const Expression& expression,
                                  const ColumnOfReference& column_of) {
  return Translator(context, column_of).Translate(expression);
}

Predicate PredicateFromFilter(duckdb::ClientContext& context, const duckdb::TableFilter& filter, int column,
                              const duckdb::LogicalType& type) {
  switch (filter.filter_type) {
    case duckdb::TableFilterType::CONSTANT_COMPARISON:
      return FromConstantFilter(filter.Cast<duckdb::ConstantFilter>(), column, type);
    case duckdb::TableFilterType::IS_NULL:
      return {Op::kIsNull, column, {}, {}};
    case duckdb::TableFilterType::IS_NOT_NULL:
      return {Op::kIsNotNull, column, {}, {}};
    case duckdb::TableFilterType::CONJUNCTION_AND:
    case duckdb::TableFilterType::CONJUNCTION_OR: {
      bool all = filter.filter_type == duckdb::TableFilterType::CONJUNCTION_AND;
      const auto& children = all ? filter.Cast<duckdb::ConjunctionAndFilter>().child_filters
                                 : filter.Cast<duckdb::ConjunctionOrFilter>().child_filters;
      Predicate predicate{all ? Op::kAnd : Op::kOr, -1, {}, {}};
      for (const auto& child : children) {
        predicate.children.push_back(PredicateFromFilter(context, *child, column, type));
      }
      return predicate;
    }
    case duckdb::TableFilterType::IN_FILTER: {
      Predicate predicate{Op::kIn, column, {}, {}};
      for (const auto& value : filter.Cast<duckdb::InFilter>().values) {
        auto literal = Literal(value, type);
        if (!literal) return Unknown();
        predicate.values.push_back(std::move(*literal));
      }
      return predicate;
    }
    case duckdb::TableFilterType::OPTIONAL_FILTER: {
      const auto& child = filter.Cast<duckdb::OptionalFilter>().child_filter;
      return child ? PredicateFromFilter(context, *child, column, type) : Unknown();
    }
    case duckdb::TableFilterType::DYNAMIC_FILTER:
      return FromDynamicFilter(filter.Cast<duckdb::DynamicFilter>(), column, type);
    case duckdb::TableFilterType::EXPRESSION_FILTER:
      return PredicateFromExpression(context, *filter.Cast<duckdb::ExpressionFilter>().expr,
                                     [column](const Expression&) { return std::optional<int>(column); });
    default:
      return Unknown();
  }
}

bool ExcludesNothing(const Predicate& predicate) {
  if (predicate.op == Op::kUnknown) return true;
  if (predicate.op == Op::kAnd) {
    for (const auto& child : predicate.children) {
      if (!ExcludesNothing(child)) return false;
    }
    return true;
  }
  if (predicate.op == Op::kOr || predicate.op == Op::kNot) {
    for (const auto& child : predicate.children) {
      if (ExcludesNothing(child)) return true;
    }
  }
  return false;
}

}  // namespace tarn::engine
