#pragma once

#include <string>
#include <vector>

#include "columnar/value.h"

namespace tarn::delta {

/// A condition on rows, for skipping files that cannot hold a matching one. Built by the caller from its own
/// expressions; what it cannot express becomes kUnknown, which never excludes anything.
struct Predicate {
  enum class Op : uint8_t { kAnd, kOr, kNot, kEq, kNe, kLt, kLe, kGt, kGe, kIn, kIsNull, kIsNotNull, kUnknown };

  Op op = Op::kUnknown;
  /// Index of the top-level column in the snapshot's schema (comparisons, kIn, kIsNull, kIsNotNull).
  int column = -1;
  /// One literal for comparisons, any number for kIn. A null literal makes the comparison never true, as in SQL.
  std::vector<columnar::Value> values;
  /// Operands of kAnd, kOr (any number) and kNot (one).
  std::vector<Predicate> children;

  static Predicate Compare(Op op, int column, columnar::Value value) { return {op, column, {std::move(value)}, {}}; }
  static Predicate And(std::vector<Predicate> children) { return {Op::kAnd, -1, {}, std::move(children)}; }
};

/// What is known of one column within one file. Bounds are inclusive; a null bound is unknown.
struct ColumnBounds {
  columnar::Value min;
  columnar::Value max;
  /// -1 when unknown.
  int64_t null_count = -1;
  /// False when NaN may hide beyond `max` (a floating column of a foreign writer).
  bool max_covers_nan = true;
};

/// Kleene truth of a predicate over all rows of a file: kNever lets the file be skipped.
enum class Truth : uint8_t { kNever, kMaybe };

/// Sound: kNever only if no row of a file with these facts can match. `bounds(column)` gives the column's facts,
/// `num_records` is -1 when unknown.
template <typename BoundsOf>
Truth MayMatch(const Predicate& predicate, int64_t num_records, BoundsOf&& bounds);

}  // namespace tarn::delta
