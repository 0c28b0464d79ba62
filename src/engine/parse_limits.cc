#include "engine/parse_limits.h"

#include <algorithm>
#include <string_view>

#include "duckdb/common/string_util.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

constexpr size_t kMaxOperatorSigns = 64;
constexpr size_t kMaxComments = 1000;
/// Twice what tree_gate.h lets through, for BETWEEN has an AND, too.
constexpr size_t kMaxConditions = 20'000;
constexpr size_t kMaxWords = 1'000'000;
/// As measured: 80 to 360 for the parser's own nodes and the statement's together.
constexpr int64_t kBytesPerWord = 256;
/// Fewer are not worth an account.
constexpr size_t kFewWords = 1'000;

bool IsLetter(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsOfName(char c) { return IsLetter(c) || IsDigit(c) || c == '$'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool IsOfOperator(char c) { return std::string_view("~!@#^&|`?+-*/%<>=").find(c) != std::string_view::npos; }

/// Goes over a text from word to word.
class TextScan {
 public:
  /// Without `with_quotes` a quote and the sign of a comment are as any other.
  TextScan(const std::string& sql, bool with_quotes) : sql_(sql), with_quotes_(with_quotes) {}

  TextSize Run() {
    while (at_ < sql_.size()) Step();
    return size_;
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0'; }
  bool StartsComment() const { return (Peek() == '/' && Peek(1) == '*') || (Peek() == '-' && Peek(1) == '-'); }

  void Step() {
    const char c = Peek();
    if (c == '/' && Peek(1) == '*') ++size_.comments;
    if (with_quotes_ && StartsComment()) return c == '-' ? PassLine() : PassComment();
    if (IsOfOperator(c)) return PassOperator();
    if (IsSpace(c)) {
      ++at_;
    } else if (c == ';') {
      EndStatement();
      ++at_;
    } else if (with_quotes_ && (c == '\'' || c == '"')) {
      BeginWord();
      PassQuoted(c);
    } else if (IsLetter(c)) {
      BeginWord();
      PassName();
    } else if (IsDigit(c)) {
      BeginWord();
      PassNumber();
    } else if (with_quotes_ && c == '$') {
      BeginWord();
      PassDollar();
    } else {
      BeginWord();
      ++at_;
    }
  }

  void BeginWord() {
    ++size_.words;
    if (!in_statement_) ++size_.statements;
    in_statement_ = true;
  }

  void EndStatement() {
    in_statement_ = false;
    conditions_ = 0;
  }

  void PassLine() { at_ = std::min(sql_.find_first_of("\r\n", at_), sql_.size()); }

  /// Comments stand within comments.
  void PassComment() {
    at_ += 2;
    for (size_t depth = 1; depth > 0 && at_ < sql_.size();) {
      if (Peek() == '/' && Peek(1) == '*') {
        ++size_.comments;
        ++depth;
        at_ += 2;
      } else if (Peek() == '*' && Peek(1) == '/') {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    }
  }

  void PassOperator() {
    BeginWord();
    const size_t begin = at_;
    for (; IsOfOperator(Peek()) && !(with_quotes_ && StartsComment()); ++at_) {
      if (at_ > begin && Peek() == '/' && Peek(1) == '*') ++size_.comments;
    }
    size_.operator_signs = std::max(size_.operator_signs, at_ - begin);
  }

  /// A doubled quote is two texts without a gap, which come to the same end.
  void PassQuoted(char quote) { at_ = std::min(sql_.find(quote, at_ + 1), sql_.size() - 1) + 1; }

  /// A text in which a backslash takes the next character's meaning.
  void PassEscaped() {
    for (++at_; at_ < sql_.size(); ++at_) {
      if (Peek() == '\\') {
        ++at_;
      } else if (Peek() == '\'' && Peek(1) == '\'') {
        ++at_;
      } else if (Peek() == '\'') {
        break;
      }
    }
    at_ = std::min(at_ + 1, sql_.size());
    // One on the next line goes on with it.
    const size_t next = sql_.find_first_not_of(" \t\n\r\f\v", at_);
    if (next != std::string::npos && (sql_[next] == '\'' || sql_[next] == '-')) size_.is_sure = false;
  }

  void PassName() {
    const size_t begin = at_;
    bool is_plain = true;
    bool has_dollar = false;
    for (; IsOfName(Peek()); ++at_) {
      is_plain = is_plain && static_cast<unsigned char>(Peek()) < 0x80;
      has_dollar = has_dollar || Peek() == '$';
    }
    const std::string_view name = std::string_view(sql_).substr(begin, at_ - begin);
    // Some of what is not ASCII is a space to the parser, behind which another word begins.
    if (with_quotes_ && !is_plain && (has_dollar || Peek() == '\'')) size_.is_sure = false;
    if (with_quotes_ && Peek() == '\'' && (name == "e" || name == "E")) return PassEscaped();
    if (name.size() > 5) return;
    const std::string word = duckdb::StringUtil::Lower(std::string(name));
    if (size_.words == 1) size_.first_word = word;
    if (word == "and" || word == "or") size_.conditions = std::max(size_.conditions, ++conditions_);
  }

  void PassNumber() {
    const size_t begin = at_;
    while (IsOfName(Peek()) || Peek() == '.') ++at_;
    // Where the number ends in this, and what the rest is, takes the parser's own rules.
    const std::string_view number = std::string_view(sql_).substr(begin, at_ - begin);
    const bool is_glued = Peek() == '\'' || number.find('$') != std::string_view::npos;
    if (with_quotes_ && is_glued) size_.is_sure = false;
  }

  /// A text between two tags, as $$ or $tag$, or a parameter.
  void PassDollar() {
    size_t end = at_ + 1;
    if (end < sql_.size() && IsLetter(sql_[end])) {
      while (end < sql_.size() && (IsLetter(sql_[end]) || IsDigit(sql_[end]))) ++end;
    }
    if (end == sql_.size() || sql_[end] != '$') {
      at_ = end;
      if (Peek() == '\'') size_.is_sure = false;
      return;
    }
    const std::string tag = sql_.substr(at_, end + 1 - at_);
    const size_t close = sql_.find(tag, end + 1);
    at_ = close == std::string::npos ? sql_.size() : close + tag.size();
  }

  const std::string& sql_;
  const bool with_quotes_;
  size_t at_ = 0;
  bool in_statement_ = false;
  size_t conditions_ = 0;
  TextSize size_;
};

}  // namespace

TextSize MeasureText(const std::string& sql) {
  TextSize size = TextScan(sql, true).Run();
  if (size.is_sure) return size;
  const std::string first_word = size.first_word;
  size = TextScan(sql, false).Run();
  size.first_word = first_word;
  size.statements = 0;
  size.is_sure = false;
  return size;
}

void CheckAtMost(size_t count, size_t most, const char* before, const char* after) {
  if (count > most) ThrowStatus(Status::InvalidArgument("the statement " + (before + std::to_string(most)) + after));
}

void CheckSize(const TextSize& size) {
  CheckAtMost(size.operator_signs, kMaxOperatorSigns, "has an operator of more than ", " signs");
  CheckAtMost(size.comments, kMaxComments, "has more than ", " comments");
  CheckAtMost(size.conditions, kMaxConditions, "has more than ", " times AND or OR");
  CheckAtMost(size.words, kMaxWords, "has more than ", " words and signs");
}

int64_t TreeBytes(const TextSize& size) {
  return size.words < kFewWords ? 0 : kBytesPerWord * static_cast<int64_t>(size.words);
}

}  // namespace tarn::engine
