#include "delta/expressions/binder.h"

#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "columnar/delta_schema.h"
#include "columnar/sql_order.h"
#include "columnar/time_text.h"
#include "delta/column_path.h"
#include "delta/expressions/casts.h"
#include "delta/expressions/numbers.h"
#include "delta/expressions/text_pattern.h"
#include "delta/expressions/tokens.h"
#include "delta/letter_case.h"

namespace tarn::delta {
namespace {

using columnar::Value;

/// x BETWEEN a AND b reads x twice, and x may have one in it: what a short text grows to must be bounded.
constexpr size_t kMaxNodes = 20'000;

std::string TypeName(const TypePtr& type) { return columnar::DeltaTypeName(*type); }

bool IsText(const Node& node) { return node.type()->id() == arrow::Type::STRING; }
bool IsMoment(const arrow::DataType& type) {
  return type.id() == arrow::Type::DATE32 || type.id() == arrow::Type::TIMESTAMP;
}

/// What an operator or function is applied to, and cannot be.
Status NotOf(const Syntax& call, const std::vector<const Node*>& operands) {
  std::string types;
  for (const Node* operand : operands) types += (types.empty() ? "" : " and ") + TypeName(operand->type());
  return NotUnderstood(call.position, call.name + " of " + types);
}

BinaryFunction ComparisonOf(const std::string& sign) {
  bool (*holds)(std::strong_ordering) = nullptr;
  if (sign == "=") holds = [](std::strong_ordering order) { return order == 0; };
  if (sign == "<") holds = [](std::strong_ordering order) { return order < 0; };
  if (sign == "<=") holds = [](std::strong_ordering order) { return order <= 0; };
  if (sign == ">") holds = [](std::strong_ordering order) { return order > 0; };
  if (sign == ">=") holds = [](std::strong_ordering order) { return order >= 0; };
  return [holds](const Value& left, const Value& right) -> Result<Value> {
    const auto order = columnar::CompareSql(left, right);
    if (!order.has_value()) return Status::Internal("values of one type that cannot be compared");
    return Value(holds(*order));
  };
}

}  // namespace

const Binder::Rule* Binder::RuleFor(const std::string& name) {
  constexpr size_t kMany = 20'000;
  static const std::map<std::string, Rule, std::less<>> kRules = {
      {"and", {2, kMany, &Binder::Logic}},
      {"or", {2, kMany, &Binder::Logic}},
      {"not", {1, 1, &Binder::Not}},
      {"=", {2, 2, &Binder::Compare}},
      {"<=>", {2, 2, &Binder::Compare}},
      {"<", {2, 2, &Binder::Compare}},
      {"<=", {2, 2, &Binder::Compare}},
      {">", {2, 2, &Binder::Compare}},
      {">=", {2, 2, &Binder::Compare}},
      {"in", {2, kMany, &Binder::In}},
      {"like", {2, 3, &Binder::Like}},
      {"+", {2, 2, &Binder::Compute}},
      {"-", {2, 2, &Binder::Compute}},
      {"*", {2, 2, &Binder::Compute}},
      {"/", {2, 2, &Binder::Compute}},
      {"%", {2, 2, &Binder::Compute}},
      {"negative", {1, 1, &Binder::SignOf}},
      {"positive", {1, 1, &Binder::SignOf}},
      {"abs", {1, 1, &Binder::SignOf}},
      {"isnull", {1, 1, &Binder::NullTest}},
      {"isnotnull", {1, 1, &Binder::NullTest}},
      {"isnan", {1, 1, &Binder::NaNTest}},
      {"case", {2, kMany, &Binder::Choose}},
      {"if", {3, 3, &Binder::Choose}},
      {"coalesce", {1, kMany, &Binder::Coalesce}},
      {"ifnull", {2, 2, &Binder::Coalesce}},
      {"nvl", {2, 2, &Binder::Coalesce}},
      {"length", {1, 1, &Binder::Length}},
      {"len", {1, 1, &Binder::Length}},
      {"char_length", {1, 1, &Binder::Length}},
      {"character_length", {1, 1, &Binder::Length}},
      {"lower", {1, 1, &Binder::Letters}},
      {"lcase", {1, 1, &Binder::Letters}},
      {"upper", {1, 1, &Binder::Letters}},
      {"ucase", {1, 1, &Binder::Letters}},
      {"trim", {1, 1, &Binder::Trim}},
      {"ltrim", {1, 1, &Binder::Trim}},
      {"rtrim", {1, 1, &Binder::Trim}},
      {"year", {1, 1, &Binder::DatePart}},
      {"month", {1, 1, &Binder::DatePart}},
      {"day", {1, 1, &Binder::DatePart}},
      {"dayofmonth", {1, 1, &Binder::DatePart}},
  };
  const auto found = kRules.find(name);
  return found == kRules.end() ? nullptr : &found->second;
}

Result<NodePtr> Binder::Bind(const Syntax& syntax) {
  if (++nodes_ > kMaxNodes) return NotUnderstood(syntax.position, "an expression of so many parts");
  switch (syntax.kind) {
    case Syntax::Kind::kLiteral:
      return MakeLiteral(syntax.value, syntax.type);
    case Syntax::Kind::kColumn:
      return Column(syntax);
    case Syntax::Kind::kCast:
      return Cast(syntax);
    case Syntax::Kind::kCall:
      break;
  }
  return Call(syntax);
}

Result<NodePtr> Binder::Column(const Syntax& syntax) {
  const arrow::FieldVector* fields = &schema_.fields();
  std::vector<int> path;
  TypePtr type;
  for (const std::string& name : syntax.path) {
    const int place = FindField(*fields, name);
    const auto named = std::count_if(fields->begin(), fields->end(),
                                     [&](const auto& field) { return SameButForCase(field->name(), name); });
    if (named != 1) {
      const std::string why = named == 0 ? "there is no column " : "several columns are called ";
      return NotUnderstood(syntax.position, why + ColumnPathText(syntax.path));
    }
    if (path.empty()) columns_.insert(place);
    path.push_back(place);
    type = (*fields)[static_cast<size_t>(place)]->type();
    if (path.size() == syntax.path.size()) break;
    if (type->id() != arrow::Type::STRUCT) {
      return NotUnderstood(syntax.position, ColumnPathText(syntax.path) + ": " + name + " is no struct");
    }
    fields = &type->fields();
  }
  return MakeColumn(std::move(path), std::move(type));
}

Result<NodePtr> Binder::Convert(const Syntax& call, NodePtr operand, const TypePtr& type) {
  if (operand->type()->Equals(*type)) return operand;
  UnaryFunction cast = CastBetween(operand->type(), type);
  if (cast == nullptr) {
    return NotUnderstood(call.position, "a cast from " + TypeName(operand->type()) + " to " + TypeName(type));
  }
  const Value* literal = operand->literal();
  if (literal == nullptr) return MakeUnary(std::move(cast), std::move(operand), type);
  if (columnar::IsNull(*literal)) return MakeLiteral(Value(), type);
  Result<Value> value = cast(*literal);
  if (!value.ok()) return NotUnderstood(call.position, value.status().message());
  return MakeLiteral(*std::move(value), type);
}

Result<NodePtr> Binder::Cast(const Syntax& syntax) {
  TARN_ASSIGN_OR_RETURN(NodePtr operand, Bind(*syntax.arguments[0]));
  return Convert(syntax, std::move(operand), syntax.type);
}

Result<NodePtr> Binder::Call(const Syntax& call) {
  if (call.name == "nullif" && call.arguments.size() == 2) {
    Syntax equal{.position = call.position, .name = "=", .arguments = call.arguments};
    Syntax choice{.position = call.position, .name = "if"};
    Syntax null{.kind = Syntax::Kind::kLiteral, .type = arrow::null()};
    choice.arguments = {std::make_shared<const Syntax>(std::move(equal)),
                        std::make_shared<const Syntax>(std::move(null)), call.arguments[0]};
    return Bind(choice);
  }
  const Rule* rule = RuleFor(call.name);
  if (rule == nullptr) return NotUnderstood(call.position, "the function " + call.name);
  if (call.arguments.size() < rule->least || call.arguments.size() > rule->most) {
    return NotUnderstood(call.position, call.name + " of " + std::to_string(call.arguments.size()) + " arguments");
  }
  std::vector<NodePtr> operands;
  for (const SyntaxPtr& argument : call.arguments) {
    TARN_ASSIGN_OR_RETURN(NodePtr operand, Bind(*argument));
    operands.push_back(std::move(operand));
  }
  return (this->*rule->bind)(call, std::move(operands));
}

Status Binder::CheckTruth(const Syntax& call, const Node& operand) const {
  const arrow::Type::type type = operand.type()->id();
  return type == arrow::Type::BOOL || type == arrow::Type::NA ? Status::Ok() : NotOf(call, {&operand});
}

Result<NodePtr> Binder::Logic(const Syntax& call, std::vector<NodePtr> operands) {
  for (const NodePtr& operand : operands) TARN_RETURN_NOT_OK(CheckTruth(call, *operand));
  return call.name == "and" ? MakeAnd(std::move(operands)) : MakeOr(std::move(operands));
}

Result<NodePtr> Binder::Not(const Syntax& call, std::vector<NodePtr> operands) {
  TARN_RETURN_NOT_OK(CheckTruth(call, *operands[0]));
  return MakeUnary([](const Value& value) -> Result<Value> { return Value(!std::get<bool>(value)); },
                   std::move(operands[0]), arrow::boolean());
}

Result<TypePtr> Binder::Align(const Syntax& call, std::vector<NodePtr>& operands, size_t first, size_t step,
                              bool compared) {
  // A text that stands beside a date is one.
  TypePtr moment;
  for (size_t i = first; i < operands.size(); i += step) {
    if (IsMoment(*operands[i]->type()) && moment == nullptr) moment = operands[i]->type();
  }
  TypePtr common = arrow::null();
  for (size_t i = first; i < operands.size(); i += step) {
    if (moment != nullptr && IsText(*operands[i]) && operands[i]->literal() != nullptr) {
      TARN_ASSIGN_OR_RETURN(operands[i], Convert(call, std::move(operands[i]), moment));
    }
    TypePtr wider = CommonType(common, operands[i]->type());
    if (wider == nullptr) {
      return NotUnderstood(call.position,
                           call.name + " of " + TypeName(common) + " and " + TypeName(operands[i]->type()));
    }
    common = std::move(wider);
  }
  if (common->num_fields() > 0) return NotUnderstood(call.position, call.name + " of " + TypeName(common));
  for (size_t i = first; i < operands.size(); i += step) {
    const bool exact = IsNumber(*common) && !IsFloating(*common);
    if (operands[i]->type()->Equals(*common) || (compared && exact)) continue;
    TARN_ASSIGN_OR_RETURN(operands[i], Convert(call, std::move(operands[i]), common));
  }
  return common;
}

Result<NodePtr> Binder::Compare(const Syntax& call, std::vector<NodePtr> operands) {
  TARN_RETURN_NOT_OK(Align(call, operands, 0, 1, /*compared=*/true).status());
  if (call.name == "<=>") return MakeSame(std::move(operands[0]), std::move(operands[1]));
  return MakeBinary(ComparisonOf(call.name), std::move(operands[0]), std::move(operands[1]), arrow::boolean());
}

Result<NodePtr> Binder::In(const Syntax& call, std::vector<NodePtr> operands) {
  TARN_RETURN_NOT_OK(Align(call, operands, 0, 1, /*compared=*/true).status());
  return MakeIn(std::move(operands));
}

Result<NodePtr> Binder::Like(const Syntax& call, std::vector<NodePtr> operands) {
  if (!IsText(*operands[0])) return NotOf(call, {operands[0].get()});
  for (size_t i = 1; i < operands.size(); ++i) {
    if (!IsText(*operands[i]) || operands[i]->literal() == nullptr) {
      return NotUnderstood(call.position, "like with a pattern that is no literal");
    }
  }
  const std::string escape = operands.size() < 3 ? "\\" : std::get<std::string>(*operands[2]->literal());
  std::optional<TextPattern> pattern;
  if (escape.size() == 1 && static_cast<unsigned char>(escape[0]) < 0x80) {
    pattern = TextPattern::Parse(std::get<std::string>(*operands[1]->literal()), escape[0]);
  }
  if (!pattern.has_value()) return NotUnderstood(call.position, "the pattern of like");
  return MakeUnary(
      [pattern = *std::move(pattern)](const Value& value) -> Result<Value> {
        return Value(pattern.Matches(std::get<std::string>(value)));
      },
      std::move(operands[0]), arrow::boolean());
}

Result<NodePtr> Binder::Compute(const Syntax& call, std::vector<NodePtr> operands) {
  const Arithmetic operation = call.name == "+"   ? Arithmetic::kAdd
                               : call.name == "-" ? Arithmetic::kSubtract
                               : call.name == "*" ? Arithmetic::kMultiply
                               : call.name == "/" ? Arithmetic::kDivide
                                                  : Arithmetic::kRemainder;
  // Beside a decimal a literal integer is one of as many digits as it has.
  for (size_t i = 0; i < 2; ++i) {
    const auto* integer = operands[i]->literal() ? std::get_if<int64_t>(operands[i]->literal()) : nullptr;
    if (integer == nullptr || operands[1 - i]->type()->id() != arrow::Type::DECIMAL128) continue;
    const auto digits = static_cast<int32_t>(std::to_string(*integer).size()) - (*integer < 0 ? 1 : 0);
    TARN_ASSIGN_OR_RETURN(operands[i], Convert(call, std::move(operands[i]), arrow::decimal128(digits, 0)));
  }
  const auto types = TypesOf(operation, operands[0]->type(), operands[1]->type());
  if (!types.has_value()) return NotOf(call, {operands[0].get(), operands[1].get()});
  if (types->operands != nullptr) {
    for (NodePtr& operand : operands) {
      TARN_ASSIGN_OR_RETURN(operand, Convert(call, std::move(operand), types->operands));
    }
  }
  return MakeBinary(FunctionOf(operation, types->result), std::move(operands[0]), std::move(operands[1]),
                    types->result);
}

Result<NodePtr> Binder::SignOf(const Syntax& call, std::vector<NodePtr> operands) {
  const TypePtr type = operands[0]->type();
  if (!IsNumber(*type)) return NotOf(call, {operands[0].get()});
  if (call.name == "positive") return std::move(operands[0]);
  return MakeUnary(call.name == "abs" ? AbsoluteOf(type) : NegativeOf(type), std::move(operands[0]), type);
}

Result<NodePtr> Binder::NullTest(const Syntax& call, std::vector<NodePtr> operands) {
  NodePtr is_null = MakeIsNull(std::move(operands[0]));
  if (call.name == "isnull") return is_null;
  std::vector<NodePtr> negated;
  negated.push_back(std::move(is_null));
  return Not(call, std::move(negated));
}

Result<NodePtr> Binder::NaNTest(const Syntax& call, std::vector<NodePtr> operands) {
  if (!IsFloating(*operands[0]->type())) return NotOf(call, {operands[0].get()});
  // Of null it is false.
  std::vector<NodePtr> choices;
  choices.push_back(
      MakeUnary([](const Value& value) -> Result<Value> { return Value(std::isnan(std::get<double>(value))); },
                std::move(operands[0]), arrow::boolean()));
  choices.push_back(MakeLiteral(false, arrow::boolean()));
  return MakeCoalesce(std::move(choices), arrow::boolean());
}

Result<NodePtr> Binder::Choose(const Syntax& call, std::vector<NodePtr> operands) {
  // ELSE is one more WHEN, which always holds.
  if (operands.size() % 2 == 1) operands.insert(operands.end() - 1, MakeLiteral(true, arrow::boolean()));
  for (size_t i = 0; i < operands.size(); i += 2) TARN_RETURN_NOT_OK(CheckTruth(call, *operands[i]));
  TARN_ASSIGN_OR_RETURN(TypePtr type, Align(call, operands, 1, 2, /*compared=*/false));
  return MakeCase(std::move(operands), std::move(type));
}

Result<NodePtr> Binder::Coalesce(const Syntax& call, std::vector<NodePtr> operands) {
  TARN_ASSIGN_OR_RETURN(TypePtr type, Align(call, operands, 0, 1, /*compared=*/false));
  return MakeCoalesce(std::move(operands), std::move(type));
}

Result<NodePtr> Binder::Length(const Syntax& call, std::vector<NodePtr> operands) {
  const bool counts_bytes = operands[0]->type()->id() == arrow::Type::BINARY;
  if (!counts_bytes && !IsText(*operands[0])) return NotOf(call, {operands[0].get()});
  return MakeUnary(
      [counts_bytes](const Value& value) -> Result<Value> {
        const auto& text = std::get<std::string>(value);
        if (counts_bytes) return Value(static_cast<int64_t>(text.size()));
        return Value(static_cast<int64_t>(std::count_if(
            text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; })));
      },
      std::move(operands[0]), arrow::int32());
}

Result<NodePtr> Binder::Letters(const Syntax& call, std::vector<NodePtr> operands) {
  if (!IsText(*operands[0])) return NotOf(call, {operands[0].get()});
  const bool lower = call.name == "lower" || call.name == "lcase";
  return MakeUnary(
      [lower](const Value& value) -> Result<Value> {
        std::string text = std::get<std::string>(value);
        for (char& c : text) {
          // Other letters change as the tables of Spark's Unicode version say.
          if (static_cast<unsigned char>(c) >= 0x80) {
            return Status::InvalidArgument("letters beyond ASCII, whose upper and lower case are not known here");
          }
          if (lower && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
          if (!lower && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
        }
        return Value(std::move(text));
      },
      std::move(operands[0]), arrow::utf8());
}

Result<NodePtr> Binder::Trim(const Syntax& call, std::vector<NodePtr> operands) {
  if (!IsText(*operands[0])) return NotOf(call, {operands[0].get()});
  const bool left = call.name != "rtrim";
  const bool right = call.name != "ltrim";
  return MakeUnary(
      [left, right](const Value& value) -> Result<Value> {
        std::string_view text = std::get<std::string>(value);
        while (left && text.starts_with(' ')) text.remove_prefix(1);
        while (right && text.ends_with(' ')) text.remove_suffix(1);
        return Value(std::string(text));
      },
      std::move(operands[0]), arrow::utf8());
}

Result<NodePtr> Binder::DatePart(const Syntax& call, std::vector<NodePtr> operands) {
  if (!IsMoment(*operands[0]->type())) return NotOf(call, {operands[0].get()});
  TARN_ASSIGN_OR_RETURN(NodePtr date, Convert(call, std::move(operands[0]), arrow::date32()));
  const char part = call.name[0];
  return MakeUnary(
      [part](const Value& value) -> Result<Value> {
        const columnar::CivilDate date = columnar::CivilOfDay(std::get<int64_t>(value));
        return Value(part == 'y' ? date.year : int64_t{part == 'm' ? date.month : date.day});
      },
      std::move(date), arrow::int32());
}

}  // namespace tarn::delta
