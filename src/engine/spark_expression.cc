#include "engine/spark_expression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/expression/between_expression.hpp"
#include "duckdb/parser/expression/case_expression.hpp"
#include "duckdb/parser/expression/cast_expression.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/comparison_expression.hpp"
#include "duckdb/parser/expression/conjunction_expression.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/operator_expression.hpp"
#include "duckdb/parser/keyword_helper.hpp"

namespace tarn::engine {
namespace {

using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::LogicalTypeId;
using duckdb::ParsedExpression;

Status NoWord(const std::string& what) {
  return Status::Unsupported(what +
                             " in a constraint: Spark, by whose rules tables are written, has no such thing or "
                             "means another by it");
}

std::string Name(const std::string& name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  const auto category = duckdb::KeywordHelper::KeywordCategoryType(name);
  const bool is_word =
      category == duckdb::KeywordCategory::KEYWORD_NONE || category == duckdb::KeywordCategory::KEYWORD_UNRESERVED;
  if (is_plain && is_word && !name.empty() && (name[0] < '0' || name[0] > '9')) return name;
  return '`' + duckdb::StringUtil::Replace(name, "`", "``") + '`';
}

/// Writers of tables spell these two in different ways within a text.
Result<std::string> Text(const std::string& text) {
  if (text.find_first_of("'\\") == std::string::npos) return "'" + text + "'";
  return NoWord("a text with a quote or a backslash");
}

Result<std::string> Literal(const duckdb::Value& value) {
  if (value.IsNull()) return std::string("NULL");
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      return std::string(value.GetValue<bool>() ? "TRUE" : "FALSE");
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::DECIMAL:
      return value.ToString();
    case LogicalTypeId::DOUBLE: {
      const double number = value.GetValue<double>();
      std::array<char, 32> digits;
      const auto end = std::to_chars(digits.begin(), digits.end(), number, std::chars_format::scientific);
      if (!std::isfinite(number) || end.ec != std::errc()) return NoWord("the number " + value.ToString());
      return std::string(digits.begin(), end.ptr);
    }
    case LogicalTypeId::VARCHAR:
      return Text(value.GetValue<std::string>());
    default:
      return NoWord("a constant of type " + value.type().ToString());
  }
}

bool IsText(const ParsedExpression& expression) {
  if (expression.GetExpressionClass() != ExpressionClass::CONSTANT) return false;
  const auto& value = expression.Cast<duckdb::ConstantExpression>().value;
  return !value.IsNull() && value.type().id() == LogicalTypeId::VARCHAR;
}

/// With parentheses where it has parts.
Result<std::string> Operand(const ParsedExpression& expression) {
  TARN_ASSIGN_OR_RETURN(std::string text, SparkExpression(expression));
  const ExpressionClass kind = expression.GetExpressionClass();
  const auto type = expression.GetExpressionType();
  const bool is_whole =
      kind == ExpressionClass::CONSTANT || kind == ExpressionClass::COLUMN_REF || kind == ExpressionClass::CAST ||
      kind == ExpressionClass::CASE || type == ExpressionType::OPERATOR_COALESCE ||
      type == ExpressionType::STRUCT_EXTRACT ||
      (type == ExpressionType::FUNCTION && !expression.Cast<duckdb::FunctionExpression>().is_operator);
  return is_whole ? text : "(" + text + ")";
}

Result<std::string> Infix(const ParsedExpression& left, const std::string& sign, const ParsedExpression& right) {
  TARN_ASSIGN_OR_RETURN(const std::string before, Operand(left));
  TARN_ASSIGN_OR_RETURN(const std::string behind, Operand(right));
  return before + " " + sign + " " + behind;
}

using Operands = duckdb::vector<duckdb::unique_ptr<ParsedExpression>>;

/// From the operand `first` on.
Result<std::string> Joined(const Operands& operands, size_t first, const std::string& between, bool are_arguments) {
  std::string text;
  for (size_t i = first; i < operands.size(); ++i) {
    TARN_ASSIGN_OR_RETURN(const std::string operand,
                          are_arguments ? SparkExpression(*operands[i]) : Operand(*operands[i]));
    text += (i == first ? "" : between) + operand;
  }
  return text;
}

/// What is judged by IS TRUE and its like, which DuckDB has as a comparison with a cast to BOOLEAN; else null.
const ParsedExpression* JudgedTruth(const duckdb::ComparisonExpression& comparison) {
  const ExpressionType type = comparison.GetExpressionType();
  const bool is_judged =
      type == ExpressionType::COMPARE_NOT_DISTINCT_FROM || type == ExpressionType::COMPARE_DISTINCT_FROM;
  if (!is_judged || comparison.left->GetExpressionClass() != ExpressionClass::CAST) return nullptr;
  if (comparison.right->GetExpressionClass() != ExpressionClass::CONSTANT) return nullptr;
  const auto& cast = comparison.left->Cast<duckdb::CastExpression>();
  const auto& truth = comparison.right->Cast<duckdb::ConstantExpression>().value;
  const bool to_boolean = duckdb::UnboundType::TryDefaultBind(cast.cast_type).id() == LogicalTypeId::BOOLEAN;
  if (cast.try_cast || !to_boolean || truth.IsNull() || truth.type().id() != LogicalTypeId::BOOLEAN) return nullptr;
  return cast.child.get();
}

Result<std::string> Comparison(const duckdb::ComparisonExpression& comparison) {
  if (const ParsedExpression* judged = JudgedTruth(comparison)) {
    // Of what is no boolean, which DuckDB makes one, Spark does not take it.
    TARN_ASSIGN_OR_RETURN(const std::string operand, Operand(*judged));
    const bool negated = comparison.GetExpressionType() == ExpressionType::COMPARE_DISTINCT_FROM;
    TARN_ASSIGN_OR_RETURN(const std::string truth, SparkExpression(*comparison.right));
    return operand + (negated ? " IS NOT " : " IS ") + truth;
  }
  static const std::map<ExpressionType, std::string> kSigns = {
      {ExpressionType::COMPARE_EQUAL, "="},
      {ExpressionType::COMPARE_NOTEQUAL, "<>"},
      {ExpressionType::COMPARE_LESSTHAN, "<"},
      {ExpressionType::COMPARE_LESSTHANOREQUALTO, "<="},
      {ExpressionType::COMPARE_GREATERTHAN, ">"},
      {ExpressionType::COMPARE_GREATERTHANOREQUALTO, ">="},
      {ExpressionType::COMPARE_NOT_DISTINCT_FROM, "<=>"},
  };
  const auto sign = kSigns.find(comparison.GetExpressionType());
  if (sign != kSigns.end()) return Infix(*comparison.left, sign->second, *comparison.right);
  if (comparison.GetExpressionType() != ExpressionType::COMPARE_DISTINCT_FROM) return NoWord(comparison.ToString());
  TARN_ASSIGN_OR_RETURN(const std::string same, Infix(*comparison.left, "<=>", *comparison.right));
  return "NOT (" + same + ")";
}

Result<std::string> Operator(const duckdb::OperatorExpression& call) {
  TARN_ASSIGN_OR_RETURN(const std::string operand, Operand(*call.children[0]));
  switch (call.GetExpressionType()) {
    case ExpressionType::OPERATOR_NOT:
      return "NOT " + operand;
    case ExpressionType::OPERATOR_IS_NULL:
      return operand + " IS NULL";
    case ExpressionType::OPERATOR_IS_NOT_NULL:
      return operand + " IS NOT NULL";
    case ExpressionType::COMPARE_IN:
    case ExpressionType::COMPARE_NOT_IN: {
      const bool negated = call.GetExpressionType() == ExpressionType::COMPARE_NOT_IN;
      TARN_ASSIGN_OR_RETURN(const std::string list, Joined(call.children, 1, ", ", /*are_arguments=*/true));
      return operand + (negated ? " NOT IN (" : " IN (") + list + ")";
    }
    case ExpressionType::OPERATOR_COALESCE: {
      TARN_ASSIGN_OR_RETURN(const std::string list, Joined(call.children, 0, ", ", /*are_arguments=*/true));
      return "coalesce(" + list + ")";
    }
    case ExpressionType::STRUCT_EXTRACT: {
      const auto of = call.children[0]->GetExpressionType();
      const bool is_path = of == ExpressionType::COLUMN_REF || of == ExpressionType::STRUCT_EXTRACT;
      if (!is_path || !IsText(*call.children[1])) return NoWord(call.ToString());
      return operand + "." + Name(call.children[1]->Cast<duckdb::ConstantExpression>().value.GetValue<std::string>());
    }
    default:
      return NoWord(call.ToString());
  }
}

Result<std::string> Function(const duckdb::FunctionExpression& call) {
  const std::string name = duckdb::StringUtil::Lower(call.function_name);
  const bool is_plain = call.schema.empty() && !call.distinct && !call.filter && call.order_bys->orders.empty();
  if (!is_plain) return NoWord(call.ToString());
  // Division and the remainder are left out: by zero they differ.
  if ((name == "+" || name == "-" || name == "*") && call.children.size() == 2) {
    return Infix(*call.children[0], name, *call.children[1]);
  }
  if (name == "-" && call.children.size() == 1) {
    TARN_ASSIGN_OR_RETURN(const std::string operand, Operand(*call.children[0]));
    return "- " + operand;
  }
  if ((name == "~~" || name == "!~~") && call.children.size() == 2 && IsText(*call.children[1])) {
    const auto& pattern = call.children[1]->Cast<duckdb::ConstantExpression>().value;
    // A backslash escapes what follows it for Spark, and means itself here.
    if (pattern.GetValue<std::string>().find('\\') == std::string::npos) {
      return Infix(*call.children[0], name == "~~" ? "LIKE" : "NOT LIKE", *call.children[1]);
    }
  }
  static constexpr std::array<std::string_view, 11> kAlike = {
      "abs", "length", "char_length", "character_length", "lower", "lcase", "upper", "ucase", "year", "month", "day"};
  if (std::find(kAlike.begin(), kAlike.end(), name) == kAlike.end()) return NoWord(call.ToString());
  TARN_ASSIGN_OR_RETURN(const std::string arguments, Joined(call.children, 0, ", ", /*are_arguments=*/true));
  return name + "(" + arguments + ")";
}

/// Only a date that is written as one: casts round and trim in their own ways.
Result<std::string> Cast(const duckdb::CastExpression& cast) {
  const bool is_literal = !cast.try_cast && IsText(*cast.child);
  if (!is_literal) return NoWord(cast.ToString());
  const auto& text = cast.child->Cast<duckdb::ConstantExpression>().value;
  const auto type = duckdb::UnboundType::TryDefaultBind(cast.cast_type);
  duckdb::Value value;
  std::string error;
  if (type.id() == LogicalTypeId::BOOLEAN && text.DefaultTryCastAs(type, value, &error)) return Literal(value);
  if (type.id() != LogicalTypeId::DATE || !text.DefaultTryCastAs(type, value, &error)) return NoWord(cast.ToString());
  return "DATE '" + value.ToString() + "'";
}

Result<std::string> Case(const duckdb::CaseExpression& choice) {
  std::string text = "CASE";
  for (const auto& check : choice.case_checks) {
    TARN_ASSIGN_OR_RETURN(const std::string when, SparkExpression(*check.when_expr));
    TARN_ASSIGN_OR_RETURN(const std::string then, SparkExpression(*check.then_expr));
    text += " WHEN " + when + " THEN " + then;
  }
  TARN_ASSIGN_OR_RETURN(const std::string otherwise, SparkExpression(*choice.else_expr));
  return text + " ELSE " + otherwise + " END";
}

}  // namespace

Result<std::string> SparkExpression(const ParsedExpression& expression) {
  switch (expression.GetExpressionClass()) {
    case ExpressionClass::CONSTANT:
      return Literal(expression.Cast<duckdb::ConstantExpression>().value);
    case ExpressionClass::COLUMN_REF: {
      std::string path;
      for (const std::string& name : expression.Cast<duckdb::ColumnRefExpression>().column_names) {
        path += (path.empty() ? "" : ".") + Name(name);
      }
      return path;
    }
    case ExpressionClass::COMPARISON:
      return Comparison(expression.Cast<duckdb::ComparisonExpression>());
    case ExpressionClass::CONJUNCTION: {
      const bool all = expression.GetExpressionType() == ExpressionType::CONJUNCTION_AND;
      return Joined(expression.Cast<duckdb::ConjunctionExpression>().children, 0, all ? " AND " : " OR ",
                    /*are_arguments=*/false);
    }
    case ExpressionClass::OPERATOR:
      return Operator(expression.Cast<duckdb::OperatorExpression>());
    case ExpressionClass::BETWEEN: {
      const auto& between = expression.Cast<duckdb::BetweenExpression>();
      TARN_ASSIGN_OR_RETURN(const std::string from, Infix(*between.input, "BETWEEN", *between.lower));
      TARN_ASSIGN_OR_RETURN(const std::string to, Operand(*between.upper));
      return from + " AND " + to;
    }
    case ExpressionClass::FUNCTION:
      return Function(expression.Cast<duckdb::FunctionExpression>());
    case ExpressionClass::CAST:
      return Cast(expression.Cast<duckdb::CastExpression>());
    case ExpressionClass::CASE:
      return Case(expression.Cast<duckdb::CaseExpression>());
    default:
      return NoWord(expression.ToString());
  }
}

}  // namespace tarn::engine
