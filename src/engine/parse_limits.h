#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tarn::engine {

/// What DuckDB's parser would be given, counted without it. The parser can be neither interrupted nor bounded in
/// memory, and it takes cubic time in the length of an operator, quadratic time in conditions and in comments between
/// slashes.
struct TextSize {
  /// Those that are not empty, and the first word of the first one in lower case.
  size_t statements = 0;
  std::string first_word;
  /// Names, keywords, values and signs.
  size_t words = 0;
  /// AND and OR in the statement that has most of them, those of BETWEEN included.
  size_t conditions = 0;
  /// Comments that begin with a slash.
  size_t comments = 0;
  /// The longest row of signs that make up operators.
  size_t operator_signs = 0;
  /// False where it is not clear by which quote a text ends. Then texts and comments are counted as if they were part
  /// of the statement, and `statements` is 0.
  bool is_sure = true;
};

/// Follows the parser's own rules of where texts, names and comments end. Linear time, no memory.
TextSize MeasureText(const std::string& sql);

/// Throws InvalidArgument, "the statement <before><most><after>", for more than `most`.
void CheckAtMost(size_t count, size_t most, const char* before, const char* after);

/// InvalidArgument, thrown, for what a parser would take too long for. To be called before one is given the text.
void CheckSize(const TextSize& size);

/// About what the parsed trees and their plan take, beside the memory that plans account for.
int64_t TreeBytes(const TextSize& size);

}  // namespace tarn::engine
