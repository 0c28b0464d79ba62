#include "delta/constraints.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <simdjson.h>

#include <utility>

#include "delta/expressions/expression.h"
#include "delta/expressions/text_pattern.h"
#include "delta/expressions/tokens.h"
#include "delta/letter_case.h"

namespace tarn::delta {
namespace {

/// Of all expressions of a table: what is made of them takes some sixty times as much.
constexpr size_t kMaxConstraintBytes = 512 << 10;

constexpr const char* kInvariantsKey = "delta.invariants";
/// Of an expression or value in a message.
constexpr size_t kMaxShownBytes = 200;

/// Cut between characters.
std::string Shown(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return std::string(text);
  size_t bytes = 0;
  while (bytes < kMaxShownBytes) bytes += CharacterBytes(text.substr(bytes));
  return std::string(text.substr(0, bytes)) + "...";
}

/// The expression in {"expression":{"expression":"..."}}.
Result<std::string> InvariantText(const std::string& path, const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view text;
  if (parser.parse(json).get(document) != simdjson::SUCCESS ||
      document["expression"]["expression"].get(text) != simdjson::SUCCESS) {
    return Status::Unsupported("the invariant of column '" + path + "' has a form that is not known: " + Shown(json));
  }
  return std::string(text);
}

/// Adds the invariants of a field and what it holds; those inside of lists and maps are about no one value.
Status AddInvariants(const arrow::Field& field, const std::string& path, bool is_repeated,
                     std::vector<Constraint>& out) {
  const auto& metadata = field.metadata();
  const std::string json_key = std::string("json:") + kInvariantsKey;
  if (metadata != nullptr && (metadata->Contains(kInvariantsKey) || metadata->Contains(json_key))) {
    if (is_repeated) return Status::Unsupported("the invariant of '" + path + "', which is in a list or map");
    const auto json = metadata->Get(metadata->Contains(kInvariantsKey) ? kInvariantsKey : json_key);
    TARN_ASSIGN_OR_RETURN(std::string text, InvariantText(path, json.ValueOr("")));
    out.push_back({path, std::move(text), /*is_invariant=*/true});
  }
  const bool repeats = is_repeated || (field.type()->id() != arrow::Type::STRUCT);
  for (const auto& member : field.type()->fields()) {
    TARN_RETURN_NOT_OK(AddInvariants(*member, path + "." + member->name(), repeats, out));
  }
  return Status::Ok();
}

std::string ValueText(const arrow::Array& column, int64_t row) {
  const auto scalar = column.GetScalar(row);
  return scalar.ok() ? Shown((*scalar)->ToString()) : "?";
}

}  // namespace

std::string Constraint::ToString() const {
  const std::string what = is_invariant ? "the invariant of column " : "the CHECK constraint ";
  return what + name + " (" + Shown(expression) + ")";
}

Result<std::vector<Constraint>> ConstraintsOf(const Metadata& metadata, const arrow::Schema& schema) {
  std::vector<Constraint> constraints;
  for (const auto& [key, text] : metadata.configuration) {
    if (!LowerCase(key).starts_with(kConstraintPrefix)) continue;
    constraints.push_back({key.substr(kConstraintPrefix.size()), text, /*is_invariant=*/false});
  }
  for (const auto& field : schema.fields()) {
    TARN_RETURN_NOT_OK(AddInvariants(*field, field->name(), /*is_repeated=*/false, constraints));
  }
  return constraints;
}

Result<std::shared_ptr<const RowConstraints>> RowConstraints::Of(const Metadata& metadata,
                                                                 std::shared_ptr<arrow::Schema> schema) {
  TARN_ASSIGN_OR_RETURN(std::vector<Constraint> constraints, ConstraintsOf(metadata, *schema));
  size_t bytes = 0;
  for (const Constraint& constraint : constraints) bytes += constraint.expression.size();
  if (bytes > kMaxConstraintBytes) {
    return Status::Unsupported("the constraints of the table have " + std::to_string(bytes) +
                               " bytes together, more than " + std::to_string(kMaxConstraintBytes));
  }
  auto made = std::shared_ptr<RowConstraints>(new RowConstraints(std::move(schema)));
  for (Constraint& constraint : constraints) {
    auto expression = Expression::Parse(constraint.expression, *made->schema_);
    if (!expression.ok()) return expression.status().WithContext(constraint.ToString());
    const arrow::Type::type type = (*expression)->type()->id();
    if (type != arrow::Type::BOOL && type != arrow::Type::NA) {
      return Status::Unsupported(constraint.ToString() + ": it is neither true nor false");
    }
    made->checks_.push_back({std::move(constraint), *std::move(expression)});
  }
  return std::shared_ptr<const RowConstraints>(std::move(made));
}

std::vector<RowConstraints::Violation> RowConstraints::Find(const arrow::RecordBatch& rows, size_t limit) const {
  std::vector<Violation> violations;
  if (empty()) return violations;
  for (int64_t row = 0; row < rows.num_rows() && violations.size() < limit; ++row) {
    for (size_t i = 0; i < checks_.size(); ++i) {
      const Result<columnar::Value> value = checks_[i].expression->At(rows, row);
      const bool* truth = value.ok() ? std::get_if<bool>(&*value) : nullptr;
      if (truth != nullptr && *truth) continue;
      violations.push_back({row, i, value.status()});
      break;
    }
  }
  return violations;
}

std::string RowConstraints::Reason(const Violation& violation) const {
  std::string reason = checks_[violation.constraint].constraint.ToString();
  return violation.evaluated.ok() ? reason + " is violated" : reason + ": " + violation.evaluated.message();
}

Status RowConstraints::Check(const arrow::RecordBatch& rows) const {
  const std::vector<Violation> violations = Find(rows, /*limit=*/1);
  if (violations.empty()) return Status::Ok();
  std::string message = Reason(violations[0]);
  const char* between = " by a row with ";
  for (const int column : checks_[violations[0].constraint].expression->columns()) {
    message +=
        between + rows.schema()->field(column)->name() + " = " + ValueText(*rows.column(column), violations[0].row);
    between = ", ";
  }
  return Status::InvalidArgument(std::move(message));
}

std::string SpelledAs(const arrow::Schema& schema, const std::string& expression) {
  const auto tokens = Tokenize(expression);
  if (!tokens.ok()) return expression;
  const auto is_sign = [&](size_t at, std::string_view sign) {
    return at < tokens->size() && (*tokens)[at].kind == Token::Kind::kSign && (*tokens)[at].text == sign;
  };
  std::string spelled = expression;
  // Of the struct that the name before leads to.
  arrow::FieldVector members;
  for (size_t i = 0; i < tokens->size(); ++i) {
    const Token& token = (*tokens)[i];
    const bool is_quoted = token.kind == Token::Kind::kQuotedName;
    if (!is_quoted && (token.kind != Token::Kind::kWord || is_sign(i + 1, "("))) continue;
    const arrow::FieldVector among = i > 0 && is_sign(i - 1, ".") ? members : schema.fields();
    members.clear();
    const arrow::Field* found = nullptr;
    for (const auto& field : among) {
      if (field->name() == token.text || (found == nullptr && SameButForCase(field->name(), token.text))) {
        found = field.get();
        if (field->name() == token.text) break;
      }
    }
    if (found == nullptr) continue;
    members = found->type()->fields();
    // As long, since only the case of letters differs, so that other positions stay.
    const size_t begin = token.position - 1 + (is_quoted ? 1 : 0);
    if (spelled.compare(begin, token.text.size(), token.text) == 0) {
      spelled.replace(begin, token.text.size(), found->name());
    }
  }
  return spelled;
}

}  // namespace tarn::delta
