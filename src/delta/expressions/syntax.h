#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "columnar/value.h"

namespace tarn::delta {

struct Syntax;
/// Shared, because x BETWEEN a AND b reads x twice.
using SyntaxPtr = std::shared_ptr<const Syntax>;

/// An expression as it is written, before its names are looked up in a table.
struct Syntax {
  enum class Kind : uint8_t { kLiteral, kColumn, kCast, kCall };
  Kind kind = Kind::kCall;
  /// Where it, or its operator, begins in the text, from 1.
  size_t position = 1;
  /// Levels, this one included.
  int height = 1;
  /// Of a literal.
  columnar::Value value;
  /// Of a literal, void for NULL; what a cast casts to.
  std::shared_ptr<arrow::DataType> type;
  /// A column, and the members that lead on from there.
  std::vector<std::string> path;
  /// Of a call: a function in lower case, or an operator: "and" and "or" (any number of arguments), "not", "=", "<=>",
  /// "<", "<=", ">", ">=", "in", "like" (a pattern, and perhaps an escape), "+", "-", "*", "/", "%", "negative",
  /// "isnull", "case" (condition, value, ..., perhaps the value of ELSE).
  std::string name;
  std::vector<SyntaxPtr> arguments;
};

/// Reads the part of Spark SQL's expressions that docs/sql.md describes. Unsupported names the position of what is not
/// understood, wrong or merely not built; also for texts beyond 64 KiB and more than a hundred levels.
Result<SyntaxPtr> ParseSyntax(std::string_view expression);

}  // namespace tarn::delta
