#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::engine {

/// A token of a statement.
struct SqlWord {
  /// A name or text without its quotes.
  std::string text;
  bool is_quoted = false;
  /// Where it begins in the statement, and where it ends.
  size_t begin = 0;
  size_t end = 0;

  /// Whether it is this keyword or sign, given in lower case.
  bool Is(std::string_view keyword) const;
};

/// The tokens of a statement that DuckDB's parser knows, comments left out.
std::vector<SqlWord> WordsOf(const std::string& sql);

}  // namespace tarn::engine
