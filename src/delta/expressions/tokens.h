#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::delta {

/// A word, number, text or sign of an expression.
struct Token {
  enum class Kind : uint8_t { kEnd, kWord, kQuotedName, kNumber, kText, kSign };
  Kind kind = Kind::kEnd;
  /// Of its first byte in the expression, from 1.
  size_t position = 1;
  /// As written, but without the quotes and escapes of names and texts.
  std::string text;
};

/// Cuts an expression of Spark SQL into tokens, with an end behind the last. Unsupported names the position of what is
/// not understood, comments among it.
Result<std::vector<Token>> Tokenize(std::string_view expression);

/// How every refusal of an expression reads.
Status NotUnderstood(size_t position, const std::string& why);

}  // namespace tarn::delta
