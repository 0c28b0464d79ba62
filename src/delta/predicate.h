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
  columnar::Value min = {};
  columnar::Value max = {};
  /// -1 when unknown.
  int64_t null_count = -1;
  /// Every value is null (a null partition value), whatever the counts say.
  bool all_null = false;
  /// False when NaN may hide beyond `max` (a floating column of a foreign writer).
  bool max_covers_nan = true;

  /// Of a column that has one value, perhaps null, in every row.
  static ColumnBounds OfConstant(const columnar::Value& value) {
    if (columnar::IsNull(value)) return {.all_null = true};
    return {.min = value, .max = value, .null_count = 0};
  }
  static ColumnBounds Unknown() { return {.max_covers_nan = false}; }
};

/// What can be said of a predicate over all rows of a file: kNever lets the file be skipped.
enum class Truth : uint8_t { kNever, kMaybe };

/// One comparison, kIn, kIsNull or kIsNotNull, or its negation, against one column's facts.
Truth LeafMayMatch(const Predicate& leaf, bool negated, int64_t num_records, const ColumnBounds& bounds);

namespace internal {

template <typename BoundsOf>
Truth MayMatch(const Predicate& predicate, bool negated, int64_t num_records, BoundsOf&& bounds) {
  using Op = Predicate::Op;
  switch (predicate.op) {
    case Op::kUnknown:
      return Truth::kMaybe;
    case Op::kNot:
      if (predicate.children.size() != 1) return Truth::kMaybe;
      return MayMatch(predicate.children[0], !negated, num_records, bounds);
    case Op::kAnd:
    case Op::kOr: {
      // De Morgan: a negated conjunction is a disjunction of negated operands.
      const bool conjunction = (predicate.op == Op::kAnd) != negated;
      for (const Predicate& child : predicate.children) {
        const Truth truth = MayMatch(child, negated, num_records, bounds);
        if (conjunction && truth == Truth::kNever) return Truth::kNever;
        if (!conjunction && truth == Truth::kMaybe) return Truth::kMaybe;
      }
      return conjunction ? Truth::kMaybe : Truth::kNever;
    }
    default:
      return LeafMayMatch(predicate, negated, num_records, bounds(predicate.column));
  }
}

}  // namespace internal

/// Sound: kNever only if no row of a file with these facts can make the predicate true (rows for which it is null do
/// not match, as in SQL; NaN is the greatest value and equals itself, as in the engine). `bounds(column)` gives the
/// column's facts, `num_records` is -1 when unknown.
template <typename BoundsOf>
Truth MayMatch(const Predicate& predicate, int64_t num_records, BoundsOf&& bounds) {
  return internal::MayMatch(predicate, /*negated=*/false, num_records, bounds);
}

}  // namespace tarn::delta
