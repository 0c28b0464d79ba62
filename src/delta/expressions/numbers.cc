#include "delta/expressions/numbers.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "columnar/delta_schema.h"

namespace tarn::delta {
namespace {

using arrow::Decimal256;
using columnar::DecimalValue;
using columnar::Value;

constexpr int32_t kMaxPrecision = 38;
/// What arithmetic on decimals has room for.
constexpr int32_t kMaxDigits = 76;
/// Fractional digits that stay where whole ones need the room.
constexpr int32_t kMinScale = 6;

Status TooLarge(const arrow::DataType& type) {
  return Status::InvalidArgument("a number that is too large for " + columnar::DeltaTypeName(type));
}

int32_t ScaleOf(const arrow::DataType& type) { return PrecisionAndScale(type).value_or(std::pair(0, 0)).second; }

Decimal256 Wide(const DecimalValue& value) {
  return Decimal256(
      arrow::Decimal128(static_cast<int64_t>(value.unscaled >> 64), static_cast<uint64_t>(value.unscaled)));
}

DecimalValue DecimalOf(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return {*integer, 0};
  return std::get<DecimalValue>(value);
}

/// With `to` fractional digits instead of `from`.
Decimal256 Rescaled(const Decimal256& value, int32_t from, int32_t to) {
  if (to > from) return Decimal256(value.IncreaseScaleBy(to - from));
  return to < from ? Decimal256(value.ReduceScaleBy(from - to, /*round=*/true)) : value;
}

Result<Value> Narrow(const Decimal256& value, const arrow::DataType& type) {
  const auto [precision, scale] = *PrecisionAndScale(type);
  if (!value.FitsInPrecision(precision)) return TooLarge(type);
  const std::array<uint64_t, 4>& words = value.little_endian_array();
  return Value(DecimalValue{static_cast<__int128>(static_cast<unsigned __int128>(words[1]) << 64 | words[0]), scale});
}

/// Rounded half up.
Result<Value> Quotient(const DecimalValue& left, const DecimalValue& right, const arrow::DataType& type) {
  const int32_t shift = ScaleOf(type) - left.scale + right.scale;
  const Decimal256 dividend = shift > 0 ? Decimal256(Wide(left).IncreaseScaleBy(shift)) : Wide(left);
  const Decimal256 divisor = shift < 0 ? Decimal256(Wide(right).IncreaseScaleBy(-shift)) : Wide(right);
  auto divided = dividend.Divide(divisor);
  if (!divided.ok()) return TooLarge(type);
  auto& [quotient, remainder] = *divided;
  const Decimal256 rest(Decimal256::Abs(remainder));
  const Decimal256 whole(Decimal256::Abs(divisor));
  if (rest + rest >= whole) {
    const bool negative = (left.unscaled < 0) != (right.unscaled < 0);
    quotient += Decimal256(negative ? -1 : 1);
  }
  return Narrow(quotient, type);
}

Result<Value> ComputeDecimals(Arithmetic operation, const DecimalValue& left, const DecimalValue& right,
                              const arrow::DataType& type) {
  const int32_t scale = std::max(left.scale, right.scale);
  const Decimal256 a = Rescaled(Wide(left), left.scale, scale);
  const Decimal256 b = Rescaled(Wide(right), right.scale, scale);
  switch (operation) {
    case Arithmetic::kAdd:
      return Narrow(Rescaled(Decimal256(a + b), scale, ScaleOf(type)), type);
    case Arithmetic::kSubtract:
      return Narrow(Rescaled(Decimal256(a + Decimal256(-b)), scale, ScaleOf(type)), type);
    case Arithmetic::kMultiply:
      return Narrow(Rescaled(Decimal256(Wide(left) * Wide(right)), left.scale + right.scale, ScaleOf(type)), type);
    case Arithmetic::kDivide:
      if (right.unscaled == 0) return Value();
      return Quotient(left, right, type);
    case Arithmetic::kRemainder: {
      if (right.unscaled == 0) return Value();
      auto divided = a.Divide(b);
      if (!divided.ok()) return TooLarge(type);
      return Narrow(Rescaled(Decimal256(divided->second), scale, ScaleOf(type)), type);
    }
  }
  return Value();
}

Result<Value> ComputeIntegers(Arithmetic operation, __int128 left, __int128 right, const arrow::DataType& type) {
  switch (operation) {
    case Arithmetic::kAdd:
      return IntegerWithin(left + right, type);
    case Arithmetic::kSubtract:
      return IntegerWithin(left - right, type);
    case Arithmetic::kMultiply:
      return IntegerWithin(left * right, type);
    default:
      return right == 0 ? Result<Value>(Value()) : IntegerWithin(left % right, type);
  }
}

template <typename Float>
Value ComputeFloats(Arithmetic operation, Float left, Float right) {
  switch (operation) {
    case Arithmetic::kAdd:
      return static_cast<double>(left + right);
    case Arithmetic::kSubtract:
      return static_cast<double>(left - right);
    case Arithmetic::kMultiply:
      return static_cast<double>(left * right);
    case Arithmetic::kDivide:
      return right == 0 ? Value() : Value(static_cast<double>(left / right));
    default:
      return right == 0 ? Value() : Value(static_cast<double>(std::fmod(left, right)));
  }
}

TypePtr WiderInteger(const TypePtr& left, const TypePtr& right) {
  return arrow::bit_width(left->id()) >= arrow::bit_width(right->id()) ? left : right;
}

std::optional<ArithmeticTypes> DecimalTypes(Arithmetic operation, const arrow::DataType& left,
                                            const arrow::DataType& right) {
  const auto [p1, s1] = *PrecisionAndScale(left);
  const auto [p2, s2] = *PrecisionAndScale(right);
  const int32_t scale = std::max(s1, s2);
  switch (operation) {
    case Arithmetic::kAdd:
    case Arithmetic::kSubtract:
      return ArithmeticTypes{nullptr, BoundedDecimal(std::max(p1 - s1, p2 - s2) + scale + 1, scale)};
    case Arithmetic::kMultiply:
      return ArithmeticTypes{nullptr, BoundedDecimal(p1 + p2 + 1, s1 + s2)};
    case Arithmetic::kRemainder:
      return ArithmeticTypes{nullptr, BoundedDecimal(std::min(p1 - s1, p2 - s2) + scale, scale)};
    case Arithmetic::kDivide:
      break;
  }
  const int32_t quotient_scale = std::max(kMinScale, s1 + p2 + 1);
  TypePtr quotient = BoundedDecimal(p1 - s1 + s2 + quotient_scale, quotient_scale);
  const int32_t shift = ScaleOf(*quotient) - s1 + s2;
  if (p1 + std::max(shift, 0) > kMaxDigits || p2 + std::max(-shift, 0) > kMaxDigits) return std::nullopt;
  return ArithmeticTypes{nullptr, std::move(quotient)};
}

}  // namespace

bool IsFloating(const arrow::DataType& type) { return arrow::is_floating(type.id()); }

bool IsNumber(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || IsFloating(type) || type.id() == arrow::Type::DECIMAL128;
}

std::optional<std::pair<int32_t, int32_t>> PrecisionAndScale(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT8:
      return std::pair(3, 0);
    case arrow::Type::INT16:
      return std::pair(5, 0);
    case arrow::Type::INT32:
      return std::pair(10, 0);
    case arrow::Type::INT64:
      return std::pair(20, 0);
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      return std::pair(decimal.precision(), decimal.scale());
    }
    default:
      return std::nullopt;
  }
}

TypePtr BoundedDecimal(int32_t precision, int32_t scale) {
  if (precision <= kMaxPrecision) return arrow::decimal128(precision, scale);
  const int32_t whole = precision - scale;
  return arrow::decimal128(kMaxPrecision, std::max(kMaxPrecision - whole, std::min(scale, kMinScale)));
}

std::optional<ArithmeticTypes> TypesOf(Arithmetic operation, const TypePtr& left, const TypePtr& right) {
  if (!IsNumber(*left) || !IsNumber(*right)) return std::nullopt;
  const bool divides = operation == Arithmetic::kDivide;
  if (IsFloating(*left) || IsFloating(*right)) {
    const bool single = left->id() == arrow::Type::FLOAT && right->id() == arrow::Type::FLOAT && !divides;
    const TypePtr type = single ? arrow::float32() : arrow::float64();
    return ArithmeticTypes{type, type};
  }
  if (left->id() == arrow::Type::DECIMAL128 || right->id() == arrow::Type::DECIMAL128) {
    return DecimalTypes(operation, *left, *right);
  }
  if (divides) return ArithmeticTypes{arrow::float64(), arrow::float64()};
  return ArithmeticTypes{nullptr, WiderInteger(left, right)};
}

BinaryFunction FunctionOf(Arithmetic operation, const TypePtr& result) {
  if (result->id() == arrow::Type::FLOAT) {
    return [operation](const Value& left, const Value& right) -> Result<Value> {
      return ComputeFloats(operation, static_cast<float>(std::get<double>(left)),
                           static_cast<float>(std::get<double>(right)));
    };
  }
  if (result->id() == arrow::Type::DOUBLE) {
    return [operation](const Value& left, const Value& right) -> Result<Value> {
      return ComputeFloats(operation, std::get<double>(left), std::get<double>(right));
    };
  }
  if (result->id() == arrow::Type::DECIMAL128) {
    return [operation, result](const Value& left, const Value& right) {
      return ComputeDecimals(operation, DecimalOf(left), DecimalOf(right), *result);
    };
  }
  return [operation, result](const Value& left, const Value& right) {
    return ComputeIntegers(operation, std::get<int64_t>(left), std::get<int64_t>(right), *result);
  };
}

UnaryFunction NegativeOf(const TypePtr& type) {
  return [type](const Value& value) -> Result<Value> {
    if (const auto* integer = std::get_if<int64_t>(&value))
      return IntegerWithin(-static_cast<__int128>(*integer), *type);
    if (const auto* real = std::get_if<double>(&value)) return Value(-*real);
    const auto& decimal = std::get<DecimalValue>(value);
    return Value(DecimalValue{-decimal.unscaled, decimal.scale});
  };
}

UnaryFunction AbsoluteOf(const TypePtr& type) {
  return [negative = NegativeOf(type)](const Value& value) -> Result<Value> {
    if (const auto* real = std::get_if<double>(&value)) return Value(std::fabs(*real));
    const auto* integer = std::get_if<int64_t>(&value);
    const bool below_zero = integer != nullptr ? *integer < 0 : std::get<DecimalValue>(value).unscaled < 0;
    return below_zero ? negative(value) : Result<Value>(value);
  };
}

Result<Value> IntegerWithin(__int128 value, const arrow::DataType& type) {
  const __int128 limit = static_cast<__int128>(1) << (arrow::bit_width(type.id()) - 1);
  if (value < -limit || value >= limit) return TooLarge(type);
  return Value(static_cast<int64_t>(value));
}

Result<Value> DecimalWithin(const DecimalValue& value, const arrow::DataType& type) {
  return Narrow(Rescaled(Wide(value), value.scale, ScaleOf(type)), type);
}

}  // namespace tarn::delta
