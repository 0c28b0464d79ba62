#pragma once

namespace duckdb {
class DatabaseInstance;
}  // namespace duckdb

namespace tarn::engine {

/// Puts our matcher in the place of DuckDB's for LIKE, ILIKE and GLOB, whose time grows with a power of the text's
/// length for each wildcard and which nothing interrupts. Patterns that DuckDB turns into a search for a prefix, a
/// suffix or parts keep its own ways, which are fast, as long as they are short.
void ReplaceTextMatching(duckdb::DatabaseInstance& instance);

}  // namespace tarn::engine
