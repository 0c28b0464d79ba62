// Which Arrow type stands for which Delta type, and what Delta calls it.
#include <arrow/type.h>

#include "columnar/delta_schema.h"

namespace tarn::columnar {
namespace {

Result<std::shared_ptr<arrow::Field>> CanonicalField(const arrow::Field& field, std::string name,
                                                     const std::string& path, int depth);

Status NoDeltaType(const arrow::DataType& type, const std::string& path) {
  return Status::Unsupported("column '" + path + "' has the Arrow type '" + type.ToString() +
                             "', for which Delta has none");
}

constexpr int kMaxDepth = 64;

Result<std::shared_ptr<arrow::DataType>> CanonicalDecimal(const arrow::DataType& type, const std::string& path) {
  const auto& decimal = static_cast<const arrow::DecimalType&>(type);
  if (decimal.precision() > arrow::Decimal128Type::kMaxPrecision || decimal.scale() < 0 ||
      decimal.scale() > decimal.precision()) {
    return NoDeltaType(type, path);
  }
  return arrow::decimal128(decimal.precision(), decimal.scale());
}

Result<std::shared_ptr<arrow::DataType>> CanonicalNested(const arrow::DataType& type, const std::string& path,
                                                         int depth) {
  if (type.id() == arrow::Type::STRUCT) {
    arrow::FieldVector fields;
    for (const auto& field : type.fields()) {
      TARN_ASSIGN_OR_RETURN(auto canonical, CanonicalField(*field, field->name(), path, depth));
      fields.push_back(std::move(canonical));
    }
    return arrow::struct_(fields);
  }
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    TARN_ASSIGN_OR_RETURN(auto key, CanonicalField(*map.key_field(), "key", path, depth));
    TARN_ASSIGN_OR_RETURN(auto value, CanonicalField(*map.item_field(), "value", path, depth));
    return std::make_shared<arrow::MapType>(key->WithNullable(false), std::move(value));
  }
  TARN_ASSIGN_OR_RETURN(auto element, CanonicalField(*type.field(0), "element", path, depth));
  return arrow::list(std::move(element));
}

Result<std::shared_ptr<arrow::DataType>> CanonicalAt(const std::shared_ptr<arrow::DataType>& type,
                                                     const std::string& path, int depth) {
  if (depth > kMaxDepth) return Status::Unsupported("a column nests more than 64 types");
  switch (type->id()) {
    case arrow::Type::NA:
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::DATE32:
      return type;
    case arrow::Type::UINT8:
      return arrow::int16();
    case arrow::Type::UINT16:
      return arrow::int32();
    case arrow::Type::UINT32:
      return arrow::int64();
    case arrow::Type::HALF_FLOAT:
      return arrow::float32();
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return arrow::utf8();
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return arrow::binary();
    case arrow::Type::DATE64:
      return arrow::date32();
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(*type);
      if (timestamp.unit() == arrow::TimeUnit::NANO) return NoDeltaType(*type, path);
      return arrow::timestamp(arrow::TimeUnit::MICRO, timestamp.timezone().empty() ? "" : "UTC");
    }
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return CanonicalDecimal(*type, path);
    case arrow::Type::DICTIONARY:
      return CanonicalAt(static_cast<const arrow::DictionaryType&>(*type).value_type(), path, depth + 1);
    case arrow::Type::RUN_END_ENCODED:
      return CanonicalAt(static_cast<const arrow::RunEndEncodedType&>(*type).value_type(), path, depth + 1);
    case arrow::Type::STRUCT:
    case arrow::Type::MAP:
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::LIST_VIEW:
    case arrow::Type::LARGE_LIST_VIEW:
      return CanonicalNested(*type, path, depth + 1);
    default:
      return NoDeltaType(*type, path);
  }
}

Result<std::shared_ptr<arrow::Field>> CanonicalField(const arrow::Field& field, std::string name,
                                                     const std::string& path, int depth) {
  const std::string field_path = path.empty() ? name : path + "." + name;
  TARN_ASSIGN_OR_RETURN(auto type, CanonicalAt(field.type(), field_path, depth));
  return arrow::field(std::move(name), std::move(type), field.nullable(), field.metadata());
}

std::string StructName(const arrow::DataType& type) {
  std::string name = "struct<";
  for (int i = 0; i < type.num_fields(); ++i) {
    if (i > 0) name.push_back(',');
    name.append(type.field(i)->name()).append(":").append(DeltaTypeName(*type.field(i)->type()));
  }
  return name + ">";
}

}  // namespace

Result<std::shared_ptr<arrow::Schema>> CanonicalSchema(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) {
    TARN_ASSIGN_OR_RETURN(auto canonical, CanonicalField(*field, field->name(), "", 0));
    fields.push_back(std::move(canonical));
  }
  return arrow::schema(std::move(fields), schema.metadata());
}

std::string DeltaTypeName(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::NA:
      return "void";
    case arrow::Type::BOOL:
      return "boolean";
    case arrow::Type::INT8:
      return "byte";
    case arrow::Type::INT16:
      return "short";
    case arrow::Type::INT32:
      return "integer";
    case arrow::Type::INT64:
      return "long";
    case arrow::Type::FLOAT:
      return "float";
    case arrow::Type::DOUBLE:
      return "double";
    case arrow::Type::STRING:
      return "string";
    case arrow::Type::BINARY:
      return "binary";
    case arrow::Type::DATE32:
      return "date";
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
      if (timestamp.unit() != arrow::TimeUnit::MICRO) break;
      return timestamp.timezone().empty() ? "timestamp_ntz" : "timestamp";
    }
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      return "decimal(" + std::to_string(decimal.precision()) + "," + std::to_string(decimal.scale()) + ")";
    }
    case arrow::Type::LIST:
      return "array<" + DeltaTypeName(*type.field(0)->type()) + ">";
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return "map<" + DeltaTypeName(*map.key_type()) + "," + DeltaTypeName(*map.item_type()) + ">";
    }
    case arrow::Type::STRUCT:
      return StructName(type);
    default:
      break;
  }
  return type.ToString();
}

}  // namespace tarn::columnar
