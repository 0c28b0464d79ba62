#include "delta/expressions/tokens.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tarn::delta {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordCharacter(char c) { return IsDigit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::optional<uint32_t> ReadDigits(std::string_view digits, uint32_t base) {
  uint32_t value = 0;
  for (const char c : digits) {
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
    const uint32_t digit = IsDigit(lower)                 ? static_cast<uint32_t>(lower - '0')
                           : lower >= 'a' && lower <= 'f' ? static_cast<uint32_t>(lower - 'a' + 10)
                                                          : base;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

/// False for what is no character of its own.
bool AppendUtf8(std::string& out, uint32_t code_point) {
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) return false;
  const auto continuation = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((code_point >> shift) & 0x3F))); };
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code_point >> 6));
    continuation(0);
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code_point >> 12));
    continuation(6);
    continuation(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | code_point >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
  return true;
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    while (true) {
      while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
      begin_ = at_;
      if (at_ == text_.size()) break;
      TARN_RETURN_NOT_OK(Next());
    }
    Add(Token::Kind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  Status Refuse(const std::string& why) const { return NotUnderstood(begin_ + 1, why); }
  void Add(Token::Kind kind, std::string text) { tokens_.push_back({kind, begin_ + 1, std::move(text)}); }

  Status Next() {
    const char c = Peek();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)) && !FollowsName())) return Number();
    if (IsWordCharacter(c)) {
      while (IsWordCharacter(Peek())) ++at_;
      Add(Token::Kind::kWord, std::string(text_.substr(begin_, at_ - begin_)));
      return Status::Ok();
    }
    if (c == '\'' || c == '"') return Text(c);
    if (c == '`') return QuotedName();
    return Sign();
  }

  /// Behind one a point leads to a member.
  bool FollowsName() const {
    if (tokens_.empty()) return false;
    const Token::Kind kind = tokens_.back().kind;
    return kind == Token::Kind::kWord || kind == Token::Kind::kQuotedName;
  }

  /// Digits, a fraction, an exponent and letters that say its type.
  Status Number() {
    while (IsDigit(Peek())) ++at_;
    if (Peek() == '.') {
      ++at_;
      while (IsDigit(Peek())) ++at_;
    }
    if (Peek() == 'e' || Peek() == 'E') {
      const size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
      if (IsDigit(Peek(1 + sign))) {
        at_ += 1 + sign;
        while (IsDigit(Peek())) ++at_;
      }
    }
    while (IsWordCharacter(Peek())) ++at_;
    Add(Token::Kind::kNumber, std::string(text_.substr(begin_, at_ - begin_)));
    return Status::Ok();
  }

  Status QuotedName() {
    std::string name;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '`') {
        if (Peek(1) != '`') break;
        ++at_;
      }
      name.push_back(text_[at_]);
    }
    if (at_ == text_.size()) return Refuse("a name in backticks that does not end");
    ++at_;
    Add(Token::Kind::kQuotedName, std::move(name));
    return Status::Ok();
  }

  Status Text(char quote) {
    // Whether 'a' 'b' and 'a''b' hold a quote depends on Spark's version.
    if (!tokens_.empty() && tokens_.back().kind == Token::Kind::kText) return Refuse("two texts in a row");
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote;) {
      if (text_[at_] != '\\') {
        value.push_back(text_[at_++]);
      } else if (!Escape(value)) {
        return Refuse("an escape in this text");
      }
    }
    if (at_ == text_.size()) return Refuse("a text that does not end");
    ++at_;
    Add(Token::Kind::kText, std::move(value));
    return Status::Ok();
  }

  /// Reads what a backslash begins.
  bool Escape(std::string& value) {
    const char c = Peek(1);
    if (at_ + 1 == text_.size()) return false;
    if (c == 'u' || c == 'U') {
      const size_t digits = c == 'u' ? 4 : 8;
      if (at_ + 2 + digits > text_.size()) return false;
      const auto code_point = ReadDigits(text_.substr(at_ + 2, digits), 16);
      at_ += 2 + digits;
      return code_point.has_value() && AppendUtf8(value, *code_point);
    }
    if ((c == '0' || c == '1') && IsDigit(Peek(2)) && IsDigit(Peek(3))) {
      const auto character = ReadDigits(text_.substr(at_ + 1, 3), 8);
      at_ += 4;
      return character.has_value() && AppendUtf8(value, *character);
    }
    static constexpr std::string_view kLetters = "0bnrtZ";
    static constexpr std::array<char, 6> kMeanings = {'\0', '\b', '\n', '\r', '\t', '\x1A'};
    const size_t letter = kLetters.find(c);
    // These keep their backslash, for LIKE.
    if (c == '%' || c == '_') value.push_back('\\');
    value.push_back(letter == std::string_view::npos ? c : kMeanings[letter]);
    at_ += 2;
    return true;
  }

  Status Sign() {
    static constexpr std::array<std::string_view, 21> kSigns = {
        "--", "/*", "<=>", "<>", "!=", "<=", ">=", "==", "(", ")", ",",
        ".",  "+",  "-",   "*",  "/",  "%",  "=",  "<",  ">", "!"};
    const std::string_view rest = text_.substr(at_);
    const auto* const sign =
        std::find_if(kSigns.begin(), kSigns.end(), [&](std::string_view each) { return rest.starts_with(each); });
    if (sign == kSigns.end()) {
      const bool printable = rest.front() > ' ' && rest.front() < '\x7F';
      return Refuse(printable ? "'" + std::string(rest.substr(0, 1)) + "'" : "a character that needs quotes");
    }
    if (*sign == "--" || *sign == "/*") return Refuse("a comment");
    at_ += sign->size();
    Add(Token::Kind::kSign, std::string(*sign));
    return Status::Ok();
  }

  const std::string_view text_;
  size_t at_ = 0;
  /// Of the token being read.
  size_t begin_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view expression) { return Tokenizer(expression).Run(); }

Status NotUnderstood(size_t position, const std::string& why) {
  return Status::Unsupported("not understood at position " + std::to_string(position) + ": " + why);
}

}  // namespace tarn::delta
