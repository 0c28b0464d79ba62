#pragma once

#include <string>

#include "base/status.h"

namespace duckdb {
class ParsedExpression;
}

namespace tarn::engine {

/// What Spark calls an SQL expression (docs/sql.md, "Constraints"). Unsupported names the part for which Spark has no
/// word, or one that means something else there.
Result<std::string> SparkExpression(const duckdb::ParsedExpression& expression);

}  // namespace tarn::engine
