#include "delta/expressions/syntax.h"

#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "columnar/decimal_text.h"
#include "columnar/time_text.h"
#include "delta/expressions/tokens.h"
#include "delta/letter_case.h"

namespace tarn::delta {
namespace {

using columnar::Value;

constexpr size_t kMaxBytes = 64 << 10;
constexpr int kMaxHeight = 100;
constexpr int32_t kMaxPrecision = 38;

/// Words that are never the name of a column here, though Spark lets some be.
constexpr std::array<std::string_view, 16> kReserved = {"and",  "or",    "not",  "is",    "in",   "between",
                                                        "like", "rlike", "when", "then",  "else", "end",
                                                        "from", "ilike", "div",  "regexp"};

SyntaxPtr Literal(size_t position, Value value, std::shared_ptr<arrow::DataType> type) {
  Syntax literal{.kind = Syntax::Kind::kLiteral, .position = position};
  literal.value = std::move(value);
  literal.type = std::move(type);
  return std::make_shared<const Syntax>(std::move(literal));
}

SyntaxPtr Call(size_t position, std::string name, std::vector<SyntaxPtr> arguments) {
  Syntax call{.position = position};
  call.name = std::move(name);
  for (const SyntaxPtr& argument : arguments) call.height = std::max(call.height, argument->height + 1);
  call.arguments = std::move(arguments);
  return std::make_shared<const Syntax>(std::move(call));
}

template <typename Float>
std::optional<Value> FloatOf(const std::string& digits) {
  Float value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return Value(static_cast<double>(value));
}

SyntaxPtr IntegerLiteral(size_t position, const std::string& digits, std::string_view suffix) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return nullptr;
  const auto fits = [&](auto limit) {
    return value >= std::numeric_limits<decltype(limit)>::min() && value <= std::numeric_limits<decltype(limit)>::max();
  };
  if (suffix == "y") return fits(int8_t{}) ? Literal(position, value, arrow::int8()) : nullptr;
  if (suffix == "s") return fits(int16_t{}) ? Literal(position, value, arrow::int16()) : nullptr;
  return Literal(position, value, suffix.empty() && fits(int32_t{}) ? arrow::int32() : arrow::int64());
}

SyntaxPtr DecimalLiteral(size_t position, const std::string& digits) {
  const size_t point = digits.find('.');
  const auto scale = point == std::string::npos ? 0 : static_cast<int64_t>(digits.size() - point - 1);
  if (scale > kMaxPrecision) return nullptr;
  const auto value = columnar::ParseDecimal(digits, kMaxPrecision, static_cast<int32_t>(scale));
  if (!value.has_value()) return nullptr;
  std::string unscaled;
  columnar::AppendDecimal(unscaled, {value->unscaled, 0});
  const auto length = static_cast<int64_t>(unscaled.size()) - (unscaled.starts_with('-') ? 1 : 0);
  return Literal(position, *value,
                 arrow::decimal128(static_cast<int32_t>(std::max(length, scale)), static_cast<int32_t>(scale)));
}

/// A number with its sign, type letters and all; null when it is none that Spark would take.
SyntaxPtr NumberLiteral(size_t position, std::string_view text, bool negative) {
  size_t length = text.size();
  while (length > 0 && (text[length - 1] > '9' || text[length - 1] == '_')) --length;
  const std::string suffix = LowerCase(text.substr(length));
  const std::string digits = (negative ? "-" : "") + std::string(text.substr(0, length));
  const bool has_exponent = digits.find_first_of("eE") != std::string::npos;
  const bool has_point = digits.find('.') != std::string::npos;
  if (suffix == "d" || (suffix.empty() && has_exponent)) {
    const auto value = FloatOf<double>(digits);
    return value ? Literal(position, *value, arrow::float64()) : nullptr;
  }
  if (suffix == "f") {
    const auto value = FloatOf<float>(digits);
    return value ? Literal(position, *value, arrow::float32()) : nullptr;
  }
  if (has_exponent) return nullptr;
  if (suffix == "bd" || (suffix.empty() && has_point)) return DecimalLiteral(position, digits);
  if (has_point || !(suffix.empty() || suffix == "l" || suffix == "s" || suffix == "y")) return nullptr;
  if (SyntaxPtr integer = IntegerLiteral(position, digits, suffix)) return integer;
  return suffix.empty() ? DecimalLiteral(position, digits) : nullptr;
}

/// The plain type of that name, with its arguments in parentheses; null when it is none.
std::shared_ptr<arrow::DataType> PlainType(const std::string& name, const std::vector<int32_t>& arguments) {
  if (name == "decimal" || name == "dec" || name == "numeric") {
    const int32_t precision = arguments.empty() ? 10 : arguments[0];
    const int32_t scale = arguments.size() < 2 ? 0 : arguments[1];
    if (arguments.size() > 2 || precision < 1 || precision > kMaxPrecision || scale > precision) return nullptr;
    return arrow::decimal128(precision, scale);
  }
  if (!arguments.empty()) return nullptr;
  if (name == "boolean") return arrow::boolean();
  if (name == "tinyint" || name == "byte") return arrow::int8();
  if (name == "smallint" || name == "short") return arrow::int16();
  if (name == "int" || name == "integer") return arrow::int32();
  if (name == "bigint" || name == "long") return arrow::int64();
  if (name == "float" || name == "real") return arrow::float32();
  if (name == "double") return arrow::float64();
  if (name == "string") return arrow::utf8();
  if (name == "binary") return arrow::binary();
  if (name == "date") return arrow::date32();
  if (name == "timestamp" || name == "timestamp_ltz") return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  if (name == "timestamp_ntz") return arrow::timestamp(arrow::TimeUnit::MICRO);
  return nullptr;
}

/// One function for each level of Spark's grammar, loosest first.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<SyntaxPtr> Run() {
    TARN_ASSIGN_OR_RETURN(SyntaxPtr expression, Either());
    if (Here().kind != Token::Kind::kEnd) return Unexpected();
    return expression;
  }

 private:
  const Token& Here() const { return tokens_[at_]; }
  const Token& Ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  static bool IsWord(const Token& token, std::string_view word) {
    return token.kind == Token::Kind::kWord && LowerCase(token.text) == word;
  }
  static bool IsSign(const Token& token, std::string_view sign) {
    return token.kind == Token::Kind::kSign && token.text == sign;
  }
  bool EatWord(std::string_view word) {
    if (!IsWord(Here(), word)) return false;
    ++at_;
    return true;
  }
  bool EatSign(std::string_view sign) {
    if (!IsSign(Here(), sign)) return false;
    ++at_;
    return true;
  }
  Status Unexpected() const {
    if (Here().kind == Token::Kind::kEnd) return NotUnderstood(Here().position, "it ends too soon");
    return NotUnderstood(Here().position, "'" + Here().text + "'");
  }
  Status ExpectSign(std::string_view sign) { return EatSign(sign) ? Status::Ok() : Unexpected(); }
  Status ExpectWord(std::string_view word) { return EatWord(word) ? Status::Ok() : Unexpected(); }

  /// Keeps hostile texts from using up the stack, here and wherever the tree is walked.
  static Result<SyntaxPtr> Bounded(SyntaxPtr syntax) {
    if (syntax->height <= kMaxHeight) return syntax;
    return NotUnderstood(syntax->position, "more than " + std::to_string(kMaxHeight) + " levels");
  }
  Result<SyntaxPtr> BoundedCall(size_t position, std::string name, std::vector<SyntaxPtr> arguments) {
    return Bounded(Call(position, std::move(name), std::move(arguments)));
  }

  /// Operands between the same word.
  Result<SyntaxPtr> Chain(const char* word, Result<SyntaxPtr> (Parser::*operand)()) {
    const size_t position = Here().position;
    std::vector<SyntaxPtr> operands;
    do {
      TARN_ASSIGN_OR_RETURN(SyntaxPtr next, (this->*operand)());
      operands.push_back(std::move(next));
    } while (EatWord(word));
    if (operands.size() == 1) return operands[0];
    return BoundedCall(position, word, std::move(operands));
  }
  Result<SyntaxPtr> Either() {
    if (++open_ > kMaxHeight) {
      return NotUnderstood(Here().position, "more than " + std::to_string(kMaxHeight) + " levels");
    }
    auto either = Chain("or", &Parser::Both);
    --open_;
    return either;
  }
  Result<SyntaxPtr> Both() { return Chain("and", &Parser::Negation); }

  Result<SyntaxPtr> Negation() {
    const size_t position = Here().position;
    size_t count = 0;
    while (EatWord("not") || EatSign("!")) ++count;
    TARN_ASSIGN_OR_RETURN(SyntaxPtr operand, Judged());
    for (; count > 0; --count) {
      TARN_ASSIGN_OR_RETURN(operand, BoundedCall(position, "not", {operand}));
    }
    return operand;
  }

  /// A value, or one with IS, IN, BETWEEN or LIKE.
  Result<SyntaxPtr> Judged() {
    TARN_ASSIGN_OR_RETURN(SyntaxPtr value, Comparison());
    const size_t position = Here().position;
    if (EatWord("is")) return Is(position, std::move(value));
    const bool negated = EatWord("not");
    Result<SyntaxPtr> judged = value;
    if (EatWord("in")) {
      judged = In(position, std::move(value));
    } else if (EatWord("between")) {
      judged = Between(position, value);
    } else if (EatWord("like")) {
      judged = Like(position, std::move(value));
    } else if (negated) {
      return Unexpected();
    }
    if (!judged.ok() || !negated) return judged;
    return BoundedCall(position, "not", {*judged});
  }

  Result<SyntaxPtr> Is(size_t position, SyntaxPtr value) {
    const bool negated = EatWord("not");
    SyntaxPtr is;
    if (EatWord("null") || EatWord("unknown")) {
      is = Call(position, "isnull", {std::move(value)});
    } else if (EatWord("true") || EatWord("false")) {
      const bool truth = IsWord(tokens_[at_ - 1], "true");
      is = Call(position, "<=>", {std::move(value), Literal(position, truth, arrow::boolean())});
    } else if (EatWord("distinct")) {
      TARN_RETURN_NOT_OK(ExpectWord("from"));
      TARN_ASSIGN_OR_RETURN(SyntaxPtr other, Comparison());
      is = Call(position, "not", {Call(position, "<=>", {std::move(value), std::move(other)})});
    } else {
      return Unexpected();
    }
    return Bounded(negated ? Call(position, "not", {std::move(is)}) : std::move(is));
  }

  Result<SyntaxPtr> In(size_t position, SyntaxPtr value) {
    std::vector<SyntaxPtr> arguments{std::move(value)};
    TARN_RETURN_NOT_OK(ExpectSign("("));
    TARN_RETURN_NOT_OK(List(arguments));
    return BoundedCall(position, "in", std::move(arguments));
  }

  Result<SyntaxPtr> Between(size_t position, const SyntaxPtr& value) {
    TARN_ASSIGN_OR_RETURN(SyntaxPtr least, Comparison());
    TARN_RETURN_NOT_OK(ExpectWord("and"));
    TARN_ASSIGN_OR_RETURN(SyntaxPtr most, Comparison());
    return BoundedCall(
        position, "and",
        {Call(position, ">=", {value, std::move(least)}), Call(position, "<=", {value, std::move(most)})});
  }

  Result<SyntaxPtr> Like(size_t position, SyntaxPtr value) {
    TARN_ASSIGN_OR_RETURN(SyntaxPtr pattern, Comparison());
    std::vector<SyntaxPtr> arguments{std::move(value), std::move(pattern)};
    if (EatWord("escape")) {
      TARN_ASSIGN_OR_RETURN(SyntaxPtr escape, Primary());
      arguments.push_back(std::move(escape));
    }
    return BoundedCall(position, "like", std::move(arguments));
  }

  /// Operands of one level, from the left.
  template <size_t kCount>
  Result<SyntaxPtr> LeftToRight(const std::array<std::string_view, kCount>& signs,
                                Result<SyntaxPtr> (Parser::*operand)()) {
    TARN_ASSIGN_OR_RETURN(SyntaxPtr left, (this->*operand)());
    while (Here().kind == Token::Kind::kSign && std::find(signs.begin(), signs.end(), Here().text) != signs.end()) {
      const Token sign = Here();
      ++at_;
      TARN_ASSIGN_OR_RETURN(SyntaxPtr right, (this->*operand)());
      TARN_ASSIGN_OR_RETURN(left, Operation(sign, std::move(left), std::move(right)));
    }
    return left;
  }
  Result<SyntaxPtr> Operation(const Token& sign, SyntaxPtr left, SyntaxPtr right) {
    if (sign.text == "<>" || sign.text == "!=") {
      return BoundedCall(sign.position, "not", {Call(sign.position, "=", {std::move(left), std::move(right)})});
    }
    return BoundedCall(sign.position, sign.text == "==" ? "=" : sign.text, {std::move(left), std::move(right)});
  }
  Result<SyntaxPtr> Comparison() {
    static constexpr std::array<std::string_view, 9> kSigns = {"=", "==", "<>", "!=", "<=>", "<", "<=", ">", ">="};
    return LeftToRight(kSigns, &Parser::Sum);
  }
  Result<SyntaxPtr> Sum() { return LeftToRight(std::array<std::string_view, 2>{"+", "-"}, &Parser::Product); }
  Result<SyntaxPtr> Product() { return LeftToRight(std::array<std::string_view, 3>{"*", "/", "%"}, &Parser::Signed); }

  Result<SyntaxPtr> Signed() {
    const size_t begin = at_;
    while (IsSign(Here(), "-") || IsSign(Here(), "+")) ++at_;
    size_t signs = at_;
    SyntaxPtr operand;
    if (Here().kind == Token::Kind::kNumber && signs > begin && IsSign(tokens_[signs - 1], "-")) {
      // The least integer has no positive one.
      --signs;
      operand = NumberLiteral(tokens_[signs].position, Here().text, /*negative=*/true);
      if (operand == nullptr) return Unexpected();
      ++at_;
    } else {
      TARN_ASSIGN_OR_RETURN(operand, Primary());
    }
    for (; signs > begin; --signs) {
      const Token& sign = tokens_[signs - 1];
      TARN_ASSIGN_OR_RETURN(
          operand, BoundedCall(sign.position, IsSign(sign, "-") ? "negative" : "positive", {std::move(operand)}));
    }
    return operand;
  }

  Result<SyntaxPtr> Primary() {
    const Token& token = Here();
    switch (token.kind) {
      case Token::Kind::kText:
        ++at_;
        return Literal(token.position, token.text, arrow::utf8());
      case Token::Kind::kNumber: {
        SyntaxPtr number = NumberLiteral(token.position, token.text, /*negative=*/false);
        if (number == nullptr) return Unexpected();
        ++at_;
        return number;
      }
      case Token::Kind::kQuotedName:
        return Column();
      case Token::Kind::kWord:
        return Word();
      default:
        break;
    }
    if (!EatSign("(")) return Unexpected();
    TARN_ASSIGN_OR_RETURN(SyntaxPtr inner, Either());
    TARN_RETURN_NOT_OK(ExpectSign(")"));
    // A member of what stands in parentheses, or a tuple.
    if (IsSign(Here(), ".")) return Unexpected();
    return inner;
  }

  Result<SyntaxPtr> Word() {
    const size_t position = Here().position;
    const std::string word = LowerCase(Here().text);
    if (word == "case") return Case();
    if (std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end()) return Unexpected();
    if (Ahead().kind == Token::Kind::kText) return Moment(word);
    if (IsSign(Ahead(), "(")) return word == "cast" ? Cast() : Function(word);
    if (word == "true" || word == "false") {
      ++at_;
      return Literal(position, word == "true", arrow::boolean());
    }
    if (word == "null") {
      ++at_;
      return Literal(position, Value(), arrow::null());
    }
    return Column();
  }

  /// DATE '...' and TIMESTAMP '...'.
  Result<SyntaxPtr> Moment(const std::string& word) {
    const size_t position = Here().position;
    const std::string& text = Ahead().text;
    if (word == "date") {
      const auto days = columnar::ParseDate(text);
      if (!days.has_value()) return NotUnderstood(position, "the date '" + text + "'");
      at_ += 2;
      return Literal(position, *days, arrow::date32());
    }
    const auto type = PlainType(word, {});
    if (type == nullptr || type->id() != arrow::Type::TIMESTAMP) return Unexpected();
    const auto parsed = columnar::ParseTimestamp(text);
    const bool zoned = !static_cast<const arrow::TimestampType&>(*type).timezone().empty();
    if (!parsed.has_value() || (parsed->has_zone && !zoned)) {
      return NotUnderstood(position, "the timestamp '" + text + "'");
    }
    at_ += 2;
    return Literal(position, parsed->micros, type);
  }

  Result<SyntaxPtr> Column() {
    Syntax column{.kind = Syntax::Kind::kColumn, .position = Here().position};
    do {
      if (Here().kind != Token::Kind::kWord && Here().kind != Token::Kind::kQuotedName) return Unexpected();
      column.path.push_back(Here().text);
      ++at_;
    } while (EatSign("."));
    if (IsSign(Here(), "(")) return Unexpected();
    return std::make_shared<const Syntax>(std::move(column));
  }

  /// Expressions between commas, up to the closing parenthesis.
  Status List(std::vector<SyntaxPtr>& out) {
    do {
      TARN_ASSIGN_OR_RETURN(SyntaxPtr element, Either());
      out.push_back(std::move(element));
    } while (EatSign(","));
    return ExpectSign(")");
  }

  Result<SyntaxPtr> Function(const std::string& name) {
    const size_t position = Here().position;
    at_ += 2;
    std::vector<SyntaxPtr> arguments;
    if (!EatSign(")")) TARN_RETURN_NOT_OK(List(arguments));
    return BoundedCall(position, name, std::move(arguments));
  }

  Result<SyntaxPtr> Cast() {
    Syntax cast{.kind = Syntax::Kind::kCast, .position = Here().position};
    at_ += 2;
    TARN_ASSIGN_OR_RETURN(SyntaxPtr operand, Either());
    TARN_RETURN_NOT_OK(ExpectWord("as"));
    const Token type = Here();
    if (type.kind != Token::Kind::kWord) return Unexpected();
    ++at_;
    std::vector<int32_t> sizes;
    if (EatSign("(")) {
      do {
        int32_t size = 0;
        const std::string& digits = Here().text;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
        if (Here().kind != Token::Kind::kNumber || error != std::errc() || end != digits.data() + digits.size()) {
          return Unexpected();
        }
        sizes.push_back(size);
        ++at_;
      } while (EatSign(","));
      TARN_RETURN_NOT_OK(ExpectSign(")"));
    }
    cast.type = PlainType(LowerCase(type.text), sizes);
    if (cast.type == nullptr) return NotUnderstood(type.position, "the type " + type.text);
    TARN_RETURN_NOT_OK(ExpectSign(")"));
    cast.height = operand->height + 1;
    cast.arguments = {std::move(operand)};
    return Bounded(std::make_shared<const Syntax>(std::move(cast)));
  }

  Result<SyntaxPtr> Case() {
    const size_t position = Here().position;
    ++at_;
    SyntaxPtr subject;
    if (!IsWord(Here(), "when")) {
      TARN_ASSIGN_OR_RETURN(subject, Either());
    }
    std::vector<SyntaxPtr> arguments;
    while (EatWord("when")) {
      TARN_ASSIGN_OR_RETURN(SyntaxPtr condition, Either());
      if (subject != nullptr) condition = Call(condition->position, "=", {subject, condition});
      TARN_RETURN_NOT_OK(ExpectWord("then"));
      TARN_ASSIGN_OR_RETURN(SyntaxPtr value, Either());
      arguments.push_back(std::move(condition));
      arguments.push_back(std::move(value));
    }
    if (arguments.empty()) return Unexpected();
    if (EatWord("else")) {
      TARN_ASSIGN_OR_RETURN(SyntaxPtr otherwise, Either());
      arguments.push_back(std::move(otherwise));
    }
    TARN_RETURN_NOT_OK(ExpectWord("end"));
    return BoundedCall(position, "case", std::move(arguments));
  }

  const std::vector<Token> tokens_;
  size_t at_ = 0;
  /// Parentheses, arguments and the like that are not closed yet.
  int open_ = 0;
};

}  // namespace

Result<SyntaxPtr> ParseSyntax(std::string_view expression) {
  if (expression.size() > kMaxBytes) return Status::Unsupported("it is longer than 64 KiB");
  TARN_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(expression));
  return Parser(std::move(tokens)).Run();
}

}  // namespace tarn::delta
