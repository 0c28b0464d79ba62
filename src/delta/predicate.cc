#include "delta/predicate.h"

#include <cmath>

namespace tarn::delta {

namespace {

using Op = Predicate::Op;
using columnar::Compare;
using columnar::IsNull;
using columnar::Value;

Op Negated(Op op) {
  switch (op) {
    case Op::kEq:
      return Op::kNe;
    case Op::kNe:
      return Op::kEq;
    case Op::kLt:
      return Op::kGe;
    case Op::kLe:
      return Op::kGt;
    case Op::kGt:
      return Op::kLe;
    case Op::kGe:
      return Op::kLt;
    case Op::kIsNull:
      return Op::kIsNotNull;
    case Op::kIsNotNull:
      return Op::kIsNull;
    default:
      return Op::kUnknown;
  }
}

bool IsNaN(const Value& value) {
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && std::isnan(*number);
}

bool Less(const Value& left, const Value& right) {
  const auto order = Compare(left, right);
  return order.has_value() && *order == std::strong_ordering::less;
}

bool LessOrEqual(const Value& left, const Value& right) {
  const auto order = Compare(left, right);
  return order.has_value() && *order != std::strong_ordering::greater;
}

/// True when no value within the bounds can satisfy `column op literal`. The literal is neither null nor NaN.
bool Excludes(Op op, const Value& literal, const ColumnBounds& bounds) {
  switch (op) {
    case Op::kEq:
      return Less(literal, bounds.min) || Less(bounds.max, literal);
    case Op::kNe:
      return bounds.max_covers_nan && LessOrEqual(literal, bounds.min) && LessOrEqual(bounds.max, literal);
    case Op::kLt:
      return LessOrEqual(literal, bounds.min);
    case Op::kLe:
      return Less(literal, bounds.min);
    case Op::kGt:
      return bounds.max_covers_nan && LessOrEqual(bounds.max, literal);
    case Op::kGe:
      return bounds.max_covers_nan && Less(bounds.max, literal);
    default:
      return false;
  }
}

bool NeverTrue(Op op, const Value& literal, const ColumnBounds& bounds) {
  if (IsNull(literal)) return true;
  // Whether a file holds NaN is never known, so a comparison with it tells nothing.
  return !IsNaN(literal) && Excludes(op, literal, bounds);
}

Truth InMayMatch(const std::vector<Value>& values, bool negated, const ColumnBounds& bounds) {
  for (const Value& value : values) {
    if (negated) {
      // NOT IN is true only where every one differs; a null among them makes it never true.
      if (NeverTrue(Op::kNe, value, bounds)) return Truth::kNever;
    } else if (!NeverTrue(Op::kEq, value, bounds)) {
      return Truth::kMaybe;
    }
  }
  return negated ? Truth::kMaybe : Truth::kNever;
}

}  // namespace

Truth LeafMayMatch(const Predicate& leaf, bool negated, int64_t num_records, const ColumnBounds& bounds) {
  const bool all_null = bounds.all_null || (num_records >= 0 && bounds.null_count == num_records);
  const Op op = negated && leaf.op != Op::kIn ? Negated(leaf.op) : leaf.op;
  switch (op) {
    case Op::kIsNull:
      return bounds.null_count == 0 && !bounds.all_null ? Truth::kNever : Truth::kMaybe;
    case Op::kIsNotNull:
      return all_null ? Truth::kNever : Truth::kMaybe;
    case Op::kIn:
      // x NOT IN () is true even for a null x.
      if (leaf.values.empty()) return negated ? Truth::kMaybe : Truth::kNever;
      return all_null ? Truth::kNever : InMayMatch(leaf.values, negated, bounds);
    case Op::kEq:
    case Op::kNe:
    case Op::kLt:
    case Op::kLe:
    case Op::kGt:
    case Op::kGe:
      if (leaf.values.size() != 1) return Truth::kMaybe;
      return all_null || NeverTrue(op, leaf.values[0], bounds) ? Truth::kNever : Truth::kMaybe;
    default:
      return Truth::kMaybe;
  }
}

}  // namespace tarn::delta
