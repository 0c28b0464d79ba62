#include "engine/sql_words.h"

#include <utility>

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/parser.hpp"

namespace tarn::engine {
namespace {

bool IsOfName(char c) {
  return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// What stands between quotes, each doubled one once; its end is that of the closing one.
SqlWord Quoted(const std::string& sql, size_t begin) {
  SqlWord word{.is_quoted = true, .begin = begin};
  const char quote = sql[begin];
  for (size_t at = begin + 1; at < sql.size(); ++at) {
    if (sql[at] == quote) {
      word.end = at + 1;
      if (word.end == sql.size() || sql[word.end] != quote) return word;
      ++at;
    }
    word.text += sql[at];
  }
  word.end = sql.size();
  return word;
}

}  // namespace

bool SqlWord::Is(std::string_view keyword) const { return !is_quoted && duckdb::StringUtil::Lower(text) == keyword; }

std::vector<SqlWord> WordsOf(const std::string& sql) {
  std::vector<SqlWord> words;
  for (const duckdb::SimplifiedToken& token : duckdb::Parser::Tokenize(sql)) {
    const size_t begin = token.start;
    if (token.type == duckdb::SimplifiedTokenType::SIMPLIFIED_TOKEN_COMMENT || begin >= sql.size()) continue;
    if (sql[begin] == '"' || sql[begin] == '\'') {
      words.push_back(Quoted(sql, begin));
      continue;
    }
    size_t end = begin + 1;
    while (IsOfName(sql[begin]) && end < sql.size() && IsOfName(sql[end])) ++end;
    words.push_back({.text = sql.substr(begin, end - begin), .begin = begin, .end = end});
  }
  return words;
}

}  // namespace tarn::engine
