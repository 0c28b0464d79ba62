#include "engine/lake_types.h"

#include <arrow/type.h>

#include <string>
#include <utility>

#include "duckdb/common/types/decimal.hpp"
#include "duckdb/common/types/hugeint.hpp"

namespace tarn::engine {
namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

Result<LogicalType> TimestampType(const arrow::TimestampType& type) {
  if (!type.timezone().empty()) {
    if (type.unit() == arrow::TimeUnit::MICRO) return LogicalType(LogicalTypeId::TIMESTAMP_TZ);
    return Status::Unsupported("timestamps with time zone are read in microseconds only, not " + type.ToString());
  }
  switch (type.unit()) {
    case arrow::TimeUnit::SECOND:
      return LogicalType(LogicalTypeId::TIMESTAMP_SEC);
    case arrow::TimeUnit::MILLI:
      return LogicalType(LogicalTypeId::TIMESTAMP_MS);
    case arrow::TimeUnit::MICRO:
      return LogicalType(LogicalTypeId::TIMESTAMP);
    case arrow::TimeUnit::NANO:
      return LogicalType(LogicalTypeId::TIMESTAMP_NS);
  }
  return Status::Unsupported("type " + type.ToString());
}

Result<LogicalType> NestedType(const arrow::DataType& type) {
  if (type.id() == arrow::Type::STRUCT) {
    duckdb::child_list_t<LogicalType> children;
    for (const auto& field : type.fields()) {
      TARN_ASSIGN_OR_RETURN(LogicalType child, SqlType(*field->type()));
      children.emplace_back(field->name(), std::move(child));
    }
    return LogicalType::STRUCT(std::move(children));
  }
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    TARN_ASSIGN_OR_RETURN(LogicalType key, SqlType(*map.key_type()));
    TARN_ASSIGN_OR_RETURN(LogicalType item, SqlType(*map.item_type()));
    return LogicalType::MAP(std::move(key), std::move(item));
  }
  TARN_ASSIGN_OR_RETURN(LogicalType element, SqlType(*type.field(0)->type()));
  return LogicalType::LIST(std::move(element));
}

__int128 ToInt128(duckdb::hugeint_t value) {
  return (static_cast<__int128>(value.upper) << 64) | static_cast<__int128>(value.lower);
}

duckdb::hugeint_t ToHugeint(__int128 value) {
  return {static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)};
}

columnar::DecimalValue FromSqlDecimal(const duckdb::Value& value) {
  columnar::DecimalValue decimal;
  decimal.scale = duckdb::DecimalType::GetScale(value.type());
  switch (value.type().InternalType()) {
    case duckdb::PhysicalType::INT16:
      decimal.unscaled = value.GetValueUnsafe<int16_t>();
      break;
    case duckdb::PhysicalType::INT32:
      decimal.unscaled = value.GetValueUnsafe<int32_t>();
      break;
    case duckdb::PhysicalType::INT64:
      decimal.unscaled = value.GetValueUnsafe<int64_t>();
      break;
    default:
      decimal.unscaled = ToInt128(value.GetValueUnsafe<duckdb::hugeint_t>());
  }
  return decimal;
}

Result<duckdb::Value> FromInteger(int64_t value, const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::TINYINT:
      return duckdb::Value::TINYINT(static_cast<int8_t>(value));
    case LogicalTypeId::SMALLINT:
      return duckdb::Value::SMALLINT(static_cast<int16_t>(value));
    case LogicalTypeId::INTEGER:
      return duckdb::Value::INTEGER(static_cast<int32_t>(value));
    case LogicalTypeId::BIGINT:
      return duckdb::Value::BIGINT(value);
    case LogicalTypeId::DATE:
      return duckdb::Value::DATE(duckdb::date_t(static_cast<int32_t>(value)));
    case LogicalTypeId::TIMESTAMP:
      return duckdb::Value::TIMESTAMP(duckdb::timestamp_t(value));
    case LogicalTypeId::TIMESTAMP_TZ:
      return duckdb::Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(value));
    default:
      return Status::InvalidArgument("an integer cannot be a value of a column of type " + type.ToString());
  }
}

Result<duckdb::Value> FromDecimal(const columnar::DecimalValue& value, const LogicalType& type) {
  if (type.id() != LogicalTypeId::DECIMAL || duckdb::DecimalType::GetScale(type) != value.scale) {
    return Status::InvalidArgument("a decimal of scale " + std::to_string(value.scale) +
                                   " cannot be a value of a column of type " + type.ToString());
  }
  uint8_t width = duckdb::DecimalType::GetWidth(type);
  uint8_t scale = duckdb::DecimalType::GetScale(type);
  if (type.InternalType() == duckdb::PhysicalType::INT128) {
    return duckdb::Value::DECIMAL(ToHugeint(value.unscaled), width, scale);
  }
  auto narrow = duckdb::Value::DECIMAL(static_cast<int64_t>(value.unscaled), width, scale);
  return narrow;
}

}  // namespace

Result<LogicalType> SqlType(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::NA:
      return LogicalType(LogicalTypeId::INTEGER);
    case arrow::Type::BOOL:
      return LogicalType(LogicalTypeId::BOOLEAN);
    case arrow::Type::INT8:
      return LogicalType(LogicalTypeId::TINYINT);
    case arrow::Type::INT16:
      return LogicalType(LogicalTypeId::SMALLINT);
    case arrow::Type::INT32:
      return LogicalType(LogicalTypeId::INTEGER);
    case arrow::Type::INT64:
      return LogicalType(LogicalTypeId::BIGINT);
    case arrow::Type::UINT8:
      return LogicalType(LogicalTypeId::UTINYINT);
    case arrow::Type::UINT16:
      return LogicalType(LogicalTypeId::USMALLINT);
    case arrow::Type::UINT32:
      return LogicalType(LogicalTypeId::UINTEGER);
    case arrow::Type::UINT64:
      return LogicalType(LogicalTypeId::UBIGINT);
    case arrow::Type::FLOAT:
      return LogicalType(LogicalTypeId::FLOAT);
    case arrow::Type::DOUBLE:
      return LogicalType(LogicalTypeId::DOUBLE);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      return LogicalType(LogicalTypeId::VARCHAR);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
      return LogicalType(LogicalTypeId::BLOB);
    case arrow::Type::DATE32:
      return LogicalType(LogicalTypeId::DATE);
    case arrow::Type::TIMESTAMP:
      return TimestampType(static_cast<const arrow::TimestampType&>(type));
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      return LogicalType::DECIMAL(static_cast<uint8_t>(decimal.precision()), static_cast<uint8_t>(decimal.scale()));
    }
    case arrow::Type::DICTIONARY:
      return SqlType(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::STRUCT:
    case arrow::Type::MAP:
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
      return NestedType(type);
    default:
      return Status::Unsupported("columns of type " + type.ToString() + " cannot be queried");
  }
}

std::optional<columnar::Value> FromSqlValue(const duckdb::Value& value) {
  if (value.IsNull()) return columnar::Value();
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      return value.GetValueUnsafe<bool>();
    case LogicalTypeId::TINYINT:
      return int64_t{value.GetValueUnsafe<int8_t>()};
    case LogicalTypeId::SMALLINT:
      return int64_t{value.GetValueUnsafe<int16_t>()};
    case LogicalTypeId::INTEGER:
      return int64_t{value.GetValueUnsafe<int32_t>()};
    case LogicalTypeId::BIGINT:
      return value.GetValueUnsafe<int64_t>();
    case LogicalTypeId::DOUBLE:
      return value.GetValueUnsafe<double>();
    case LogicalTypeId::FLOAT:
      return double{value.GetValueUnsafe<float>()};
    case LogicalTypeId::DATE:
      return int64_t{value.GetValueUnsafe<duckdb::date_t>().days};
    case LogicalTypeId::TIMESTAMP:
      return value.GetValueUnsafe<duckdb::timestamp_t>().value;
    case LogicalTypeId::TIMESTAMP_TZ:
      return value.GetValueUnsafe<duckdb::timestamp_tz_t>().value;
    case LogicalTypeId::VARCHAR:
    case LogicalTypeId::BLOB:
      return duckdb::StringValue::Get(value);
    case LogicalTypeId::DECIMAL:
      return FromSqlDecimal(value);
    default:
      return std::nullopt;
  }
}

Result<duckdb::Value> ToSqlValue(const columnar::Value& value, const LogicalType& type) {
  if (columnar::IsNull(value)) return duckdb::Value(type);
  if (const auto* flag = std::get_if<bool>(&value); flag && type.id() == LogicalTypeId::BOOLEAN) {
    return duckdb::Value::BOOLEAN(*flag);
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) return FromInteger(*integer, type);
  if (const auto* real = std::get_if<double>(&value)) {
    if (type.id() == LogicalTypeId::DOUBLE) return duckdb::Value::DOUBLE(*real);
    if (type.id() == LogicalTypeId::FLOAT) return duckdb::Value::FLOAT(static_cast<float>(*real));
  }
  if (const auto* decimal = std::get_if<columnar::DecimalValue>(&value)) return FromDecimal(*decimal, type);
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (type.id() == LogicalTypeId::VARCHAR) return duckdb::Value(*text);
    if (type.id() == LogicalTypeId::BLOB) return duckdb::Value::BLOB_RAW(*text);
  }
  return Status::InvalidArgument("a partition value does not fit its column of type " + type.ToString());
}

}  // namespace tarn::engine
