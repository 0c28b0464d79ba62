#pragma once

#include <string>

namespace duckdb {
class ErrorData;
}  // namespace duckdb

namespace tarn::engine {

/// What an error of DuckDB's says to our users: without advice that nobody can follow here, without what is inside this
/// process, with the place of a fault in a local file first, and bounded, since DuckDB quotes values whole.
std::string ErrorText(const duckdb::ErrorData& error);

}  // namespace tarn::engine
