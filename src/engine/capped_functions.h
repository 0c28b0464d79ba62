#pragma once

#include <cstdint>

namespace duckdb {
class DatabaseInstance;
}  // namespace duckdb

namespace tarn::engine {

/// The largest value that a function may make out of a small argument, and the most for one vector of rows.
inline constexpr int64_t kMaxValueBytes = int64_t{64} << 20;
inline constexpr int64_t kMaxVectorBytes = int64_t{256} << 20;

/// The most that a function may work through for one value where its result is much smaller than that: a second or two,
/// in which nothing interrupts it.
inline constexpr int64_t kMaxWorkBytes = int64_t{256} << 20;

/// The most while a statement is planned. The optimizer copies a constant many times, and what it may not fold is
/// computed when the query runs.
inline constexpr int64_t kMaxConstantBytes = int64_t{64} << 10;

/// A text or pattern to look for that is no longer takes about as long to find as to read what it is looked for in.
inline constexpr int64_t kMaxShortNeedleBytes = 64;

/// Makes the functions whose result's size is an argument (repeat, lpad, range, list_resize, format …), and those that
/// join, replace, split, match, aggregate a list or compare in a matrix (||, concat, replace, string_split,
/// regexp_matches, list_aggregate, levenshtein …), refuse with ResourceExhausted what exceeds the caps, before anything
/// is allocated. DuckDB checks neither memory nor interrupts while it makes one value. Those that work much longer than
/// their result is large are called for a few rows at a time, and all end when the query was interrupted.
void CapFunctions(duckdb::DatabaseInstance& instance);

}  // namespace tarn::engine
