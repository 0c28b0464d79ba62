#pragma once

#include <optional>

#include "delta/expressions/node.h"

namespace tarn::delta {

/// The four operators and the remainder.
enum class Arithmetic : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kRemainder };

bool IsNumber(const arrow::DataType& type);
bool IsFloating(const arrow::DataType& type);
/// Of integers the decimal that holds all of the type.
std::optional<std::pair<int32_t, int32_t>> PrecisionAndScale(const arrow::DataType& type);

/// decimal(precision, scale) as Spark bounds it where 38 digits are not enough: whole digits before fractional ones,
/// of which up to six stay.
TypePtr BoundedDecimal(int32_t precision, int32_t scale);

/// The type of the result of two numbers as Spark has it, and what the operands are cast to where they are not
/// computed as they are. Null for numbers that are not computed here.
struct ArithmeticTypes {
  TypePtr operands;
  TypePtr result;
};
std::optional<ArithmeticTypes> TypesOf(Arithmetic operation, const TypePtr& left, const TypePtr& right);

/// On values of the operands' types: null for a division by zero; InvalidArgument for a result that its type does not
/// hold, where Spark fails or goes wrong, as its settings say.
BinaryFunction FunctionOf(Arithmetic operation, const TypePtr& result);
/// The same for one operand.
UnaryFunction NegativeOf(const TypePtr& type);
UnaryFunction AbsoluteOf(const TypePtr& type);

/// Of a value that must fit an integer type.
Result<columnar::Value> IntegerWithin(__int128 value, const arrow::DataType& type);
/// Of a decimal rounded to the scale of its type, half up; InvalidArgument when it has too many digits then.
Result<columnar::Value> DecimalWithin(const columnar::DecimalValue& value, const arrow::DataType& type);

}  // namespace tarn::delta
