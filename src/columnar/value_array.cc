#include "columnar/value_array.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <string>

#include "columnar/arrow_status.h"

namespace tarn::columnar {
namespace {

template <typename ArrayType>
Value IntegerAt(const arrow::Array& array, int64_t row) {
  return static_cast<int64_t>(static_cast<const ArrayType&>(array).Value(row));
}

Result<std::shared_ptr<arrow::Scalar>> DecimalScalar(const DecimalValue& value,
                                                     const std::shared_ptr<arrow::DataType>& type) {
  const auto low = static_cast<uint64_t>(value.unscaled);
  const auto high = static_cast<int64_t>(value.unscaled >> 64);
  const int32_t scale = static_cast<const arrow::DecimalType&>(*type).scale();
  TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Decimal128 decimal,
                              arrow::Decimal128(high, low).Rescale(value.scale, scale));
  return std::shared_ptr<arrow::Scalar>(std::make_shared<arrow::Decimal128Scalar>(decimal, type));
}

Result<std::shared_ptr<arrow::Scalar>> ScalarOf(const Value& value, const std::shared_ptr<arrow::DataType>& type) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (type->id() == arrow::Type::BINARY) {
      return std::shared_ptr<arrow::Scalar>(std::make_shared<arrow::BinaryScalar>(*text));
    }
    if (type->id() == arrow::Type::STRING) {
      return std::shared_ptr<arrow::Scalar>(std::make_shared<arrow::StringScalar>(*text));
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    if (type->id() == arrow::Type::BOOL) {
      return std::shared_ptr<arrow::Scalar>(std::make_shared<arrow::BooleanScalar>(*flag));
    }
  } else if (const auto* real = std::get_if<double>(&value)) {
    if (arrow::is_floating(type->id())) return FromArrow(arrow::MakeScalar(type, *real));
  } else if (const auto* decimal = std::get_if<DecimalValue>(&value)) {
    if (type->id() == arrow::Type::DECIMAL128) return DecimalScalar(*decimal, type);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    if (arrow::is_integer(type->id()) || arrow::is_temporal(type->id())) {
      return FromArrow(arrow::MakeScalar(type, *integer));
    }
  }
  return Status::InvalidArgument("a value that does not fit the type " + type->ToString());
}

}  // namespace

Value ValueAt(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return {};
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row);
    case arrow::Type::INT8:
      return IntegerAt<arrow::Int8Array>(array, row);
    case arrow::Type::INT16:
      return IntegerAt<arrow::Int16Array>(array, row);
    case arrow::Type::INT32:
      return IntegerAt<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return IntegerAt<arrow::Int64Array>(array, row);
    case arrow::Type::DATE32:
      return IntegerAt<arrow::Date32Array>(array, row);
    case arrow::Type::TIMESTAMP:
      return IntegerAt<arrow::TimestampArray>(array, row);
    case arrow::Type::FLOAT:
      return static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row));
    case arrow::Type::DOUBLE:
      return static_cast<const arrow::DoubleArray&>(array).Value(row);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return std::string(static_cast<const arrow::BinaryArray&>(array).GetView(row));
    case arrow::Type::DECIMAL128: {
      const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
      const arrow::Decimal128 value(decimals.GetValue(row));
      const auto unscaled = static_cast<__int128>(value.high_bits()) << 64 | value.low_bits();
      return DecimalValue{unscaled, static_cast<const arrow::DecimalType&>(*array.type()).scale()};
    }
    default:
      return {};
  }
}

Result<std::shared_ptr<arrow::Array>> ConstantArray(const Value& value, const std::shared_ptr<arrow::DataType>& type,
                                                    int64_t length) {
  if (IsNull(value)) return FromArrow(arrow::MakeArrayOfNull(type, length));
  TARN_ASSIGN_OR_RETURN(const std::shared_ptr<arrow::Scalar> scalar, ScalarOf(value, type));
  return FromArrow(arrow::MakeArrayFromScalar(*scalar, length));
}

}  // namespace tarn::columnar
