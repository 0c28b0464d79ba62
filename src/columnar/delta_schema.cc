#include "columnar/delta_schema.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "columnar/json_text.h"

namespace tarn::columnar {
namespace {

namespace dom = simdjson::dom;

/// Far beyond any real table, and small enough that recursion over foreign bytes cannot exhaust the stack.
constexpr int kMaxTypeDepth = 64;
/// Each nested type takes a few levels of JSON: the type, its `fields` array and the field.
constexpr size_t kMaxJsonDepth = 4 * kMaxTypeDepth;
constexpr size_t kMaxSchemaBytes = 64 << 20;

constexpr std::string_view kJsonPrefix = "json:";

struct PrimitiveName {
  std::string_view name;
  std::shared_ptr<arrow::DataType> (*make)();
};

std::shared_ptr<arrow::DataType> MakeTimestamp() { return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"); }
std::shared_ptr<arrow::DataType> MakeTimestampNtz() { return arrow::timestamp(arrow::TimeUnit::MICRO); }
template <const std::shared_ptr<arrow::DataType>& (*Factory)()>
std::shared_ptr<arrow::DataType> Make() {
  return Factory();
}

constexpr PrimitiveName kPrimitives[] = {
    {"byte", Make<arrow::int8>},       {"short", Make<arrow::int16>},   {"integer", Make<arrow::int32>},
    {"long", Make<arrow::int64>},      {"float", Make<arrow::float32>}, {"double", Make<arrow::float64>},
    {"boolean", Make<arrow::boolean>}, {"string", Make<arrow::utf8>},   {"binary", Make<arrow::binary>},
    {"date", Make<arrow::date32>},     {"timestamp", MakeTimestamp},    {"timestamp_ntz", MakeTimestampNtz},
    {"void", Make<arrow::null>},       {"null", Make<arrow::null>},
};

Status Malformed(const std::string& path, const std::string& what) {
  return Status::Corruption("schema, column '" + path + "': " + what);
}

Status UnsupportedType(const std::string& path, std::string_view type) {
  return Status::Unsupported("column '" + path + "' has the Delta type '" + std::string(type) +
                             "', which is not supported");
}

/// Keys that Arrow's own readers leave on a field; they say nothing about a table.
bool IsArrowKey(std::string_view key) { return key.starts_with("PARQUET:") || key.starts_with("ARROW:"); }

/// A part of a path as messages show it: "a.b", "a.element".
std::string Join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

Result<std::shared_ptr<arrow::DataType>> ParseDecimalType(std::string_view name, const std::string& path) {
  int precision = 10;
  int scale = 0;
  if (name != "decimal") {
    const char* end = name.data() + name.size();
    const auto [comma, first] = std::from_chars(name.data() + std::string_view("decimal(").size(), end, precision);
    const char* next = comma;
    while (next != end && (*next == ',' || *next == ' ')) ++next;
    const auto [close, second] = std::from_chars(next, end, scale);
    if (first != std::errc() || second != std::errc() || next == comma || close + 1 != end || *close != ')') {
      return Malformed(path, "malformed type '" + std::string(name) + "'");
    }
  }
  if (precision < 1 || precision > arrow::Decimal128Type::kMaxPrecision || scale < 0 || scale > precision) {
    return Malformed(path, "impossible type '" + std::string(name) + "'");
  }
  return arrow::decimal128(precision, scale);
}

Result<std::shared_ptr<arrow::DataType>> ParsePrimitive(std::string_view name, const std::string& path) {
  for (const PrimitiveName& primitive : kPrimitives) {
    if (name == primitive.name) return primitive.make();
  }
  if (name == "decimal" || name.starts_with("decimal(")) return ParseDecimalType(name, path);
  return UnsupportedType(path, name);
}

/// Reads the nested JSON of a schema. `path` names the column in messages, `depth` counts nested types.
class Reader {
 public:
  static Result<std::shared_ptr<arrow::DataType>> Type(const dom::element& json, const std::string& path, int depth);
  static Result<arrow::FieldVector> Fields(const dom::object& json, const std::string& path, int depth);

 private:
  static Result<std::shared_ptr<arrow::Field>> Field(const dom::element& json, const std::string& path, int depth);
  static Result<std::shared_ptr<const arrow::KeyValueMetadata>> Metadata(const dom::object& field,
                                                                         const std::string& path);
  static Result<std::shared_ptr<arrow::DataType>> Array(const dom::object& json, const std::string& path, int depth);
  static Result<std::shared_ptr<arrow::DataType>> Map(const dom::object& json, const std::string& path, int depth);
  /// A boolean member; true when absent, which is the reading that never loses a null.
  static Result<bool> Flag(const dom::object& json, std::string_view key, const std::string& path);
  static Result<std::shared_ptr<arrow::DataType>> Member(const dom::object& json, std::string_view key,
                                                         const std::string& path, int depth);
};

Result<bool> Reader::Flag(const dom::object& json, std::string_view key, const std::string& path) {
  dom::element element;
  if (json[key].get(element) == simdjson::NO_SUCH_FIELD) return true;
  bool flag = false;
  if (element.get(flag) != simdjson::SUCCESS) return Malformed(path, "'" + std::string(key) + "' is not a boolean");
  return flag;
}

Result<std::shared_ptr<arrow::DataType>> Reader::Member(const dom::object& json, std::string_view key,
                                                        const std::string& path, int depth) {
  dom::element element;
  if (json[key].get(element) != simdjson::SUCCESS) return Malformed(path, "'" + std::string(key) + "' is missing");
  return Type(element, path, depth);
}

Result<std::shared_ptr<arrow::DataType>> Reader::Array(const dom::object& json, const std::string& path, int depth) {
  TARN_ASSIGN_OR_RETURN(auto element, Member(json, "elementType", Join(path, "element"), depth + 1));
  TARN_ASSIGN_OR_RETURN(const bool nullable, Flag(json, "containsNull", path));
  return arrow::list(arrow::field("element", std::move(element), nullable));
}

Result<std::shared_ptr<arrow::DataType>> Reader::Map(const dom::object& json, const std::string& path, int depth) {
  TARN_ASSIGN_OR_RETURN(auto key, Member(json, "keyType", Join(path, "key"), depth + 1));
  TARN_ASSIGN_OR_RETURN(auto value, Member(json, "valueType", Join(path, "value"), depth + 1));
  TARN_ASSIGN_OR_RETURN(const bool nullable, Flag(json, "valueContainsNull", path));
  return std::make_shared<arrow::MapType>(arrow::field("key", std::move(key), /*nullable=*/false),
                                          arrow::field("value", std::move(value), nullable));
}

Result<std::shared_ptr<arrow::DataType>> Reader::Type(const dom::element& json, const std::string& path, int depth) {
  if (depth > kMaxTypeDepth) {
    return Status::Unsupported("column '" + path.substr(0, 64) + "…' nests more than " + std::to_string(kMaxTypeDepth) +
                               " types");
  }
  std::string_view name;
  if (json.get(name) == simdjson::SUCCESS) return ParsePrimitive(name, path);
  dom::object object;
  if (json.get(object) != simdjson::SUCCESS || object["type"].get(name) != simdjson::SUCCESS) {
    return Malformed(path, "its type is neither a name nor an object with a 'type'");
  }
  if (name == "struct") {
    TARN_ASSIGN_OR_RETURN(auto fields, Fields(object, path, depth));
    return arrow::struct_(fields);
  }
  if (name == "array") return Array(object, path, depth);
  if (name == "map") return Map(object, path, depth);
  return UnsupportedType(path, name);
}

Result<arrow::FieldVector> Reader::Fields(const dom::object& json, const std::string& path, int depth) {
  dom::array array;
  if (json["fields"].get(array) != simdjson::SUCCESS) return Malformed(path, "'fields' is not an array");
  arrow::FieldVector fields;
  std::set<std::string> names;
  for (const dom::element& element : array) {
    TARN_ASSIGN_OR_RETURN(auto field, Field(element, path, depth));
    if (!names.insert(field->name()).second) return Malformed(Join(path, field->name()), "it occurs twice");
    fields.push_back(std::move(field));
  }
  return fields;
}

Result<std::shared_ptr<arrow::Field>> Reader::Field(const dom::element& json, const std::string& path, int depth) {
  dom::object object;
  std::string_view name;
  if (json.get(object) != simdjson::SUCCESS || object["name"].get(name) != simdjson::SUCCESS) {
    return Malformed(path, "a field has no 'name'");
  }
  // Whoever takes names for texts that end with one would find other columns.
  if (name.find('\0') != std::string_view::npos) {
    return Status::Unsupported("a column's name, " + Join(path, name.substr(0, name.find('\0'))) +
                               " and more, holds a zero byte");
  }
  const std::string field_path = Join(path, name);
  TARN_ASSIGN_OR_RETURN(auto type, Member(object, "type", field_path, depth + 1));
  TARN_ASSIGN_OR_RETURN(const bool nullable, Flag(object, "nullable", field_path));
  TARN_ASSIGN_OR_RETURN(auto metadata, Metadata(object, field_path));
  return arrow::field(std::string(name), std::move(type), nullable, std::move(metadata));
}

Result<std::shared_ptr<const arrow::KeyValueMetadata>> Reader::Metadata(const dom::object& field,
                                                                        const std::string& path) {
  dom::element element;
  if (field["metadata"].get(element) != simdjson::SUCCESS || element.is_null()) return nullptr;
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return Malformed(path, "'metadata' is not an object");
  std::vector<std::string> keys;
  std::vector<std::string> values;
  for (const dom::key_value_pair& pair : object) {
    // Ordering and equality of a collated column are not those of its bytes, so reading it as plain text would be
    // wrong.
    if (pair.key == "__COLLATIONS") return UnsupportedType(path, "string with a collation");
    std::string_view text;
    const bool plain =
        pair.value.get(text) == simdjson::SUCCESS && !pair.key.starts_with(kJsonPrefix) && !IsArrowKey(pair.key);
    keys.push_back(plain ? std::string(pair.key) : std::string(kJsonPrefix) + std::string(pair.key));
    values.push_back(plain ? std::string(text) : simdjson::minify(pair.value));
  }
  if (keys.empty()) return nullptr;
  return std::static_pointer_cast<const arrow::KeyValueMetadata>(
      arrow::key_value_metadata(std::move(keys), std::move(values)));
}

std::string AsciiLower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

/// Writes the canonical Arrow types back as JSON.
class Writer {
 public:
  Status Struct(const arrow::FieldVector& fields, const std::string& path, int depth);
  std::string Take() { return std::move(out_); }

 private:
  Status Type(const arrow::DataType& type, const std::string& path, int depth);
  Status Metadata(const arrow::Field& field, const std::string& path);
  void Flag(std::string_view key, bool value) {
    out_.append(key);
    out_.append(value ? "true" : "false");
  }
  std::string out_;
  dom::parser parser_;
};

Status Writer::Struct(const arrow::FieldVector& fields, const std::string& path, int depth) {
  out_.append(R"({"type":"struct","fields":[)");
  std::set<std::string> names;
  for (size_t i = 0; i < fields.size(); ++i) {
    const arrow::Field& field = *fields[i];
    const std::string field_path = Join(path, field.name());
    if (!simdjson::validate_utf8(field.name())) {
      return Status::InvalidArgument("the name of column '" + field_path + "' is not UTF-8");
    }
    if (!names.insert(AsciiLower(field.name())).second) {
      return Status::InvalidArgument("column '" + field_path + "' occurs twice; names differ by more than case");
    }
    out_.append(i == 0 ? R"({"name":)" : R"(,{"name":)");
    AppendJsonString(out_, field.name());
    out_.append(R"(,"type":)");
    TARN_RETURN_NOT_OK(Type(*field.type(), field_path, depth + 1));
    Flag(R"(,"nullable":)", field.nullable());
    TARN_RETURN_NOT_OK(Metadata(field, field_path));
    out_.push_back('}');
  }
  out_.append("]}");
  return Status::Ok();
}

Status Writer::Type(const arrow::DataType& type, const std::string& path, int depth) {
  if (depth > kMaxTypeDepth) {
    return Status::Unsupported("a column nests more than " + std::to_string(kMaxTypeDepth) + " types");
  }
  switch (type.id()) {
    case arrow::Type::STRUCT:
      return Struct(type.fields(), path, depth);
    case arrow::Type::LIST: {
      const auto& element = *static_cast<const arrow::ListType&>(type).value_field();
      out_.append(R"({"type":"array","elementType":)");
      TARN_RETURN_NOT_OK(Type(*element.type(), Join(path, "element"), depth + 1));
      Flag(R"(,"containsNull":)", element.nullable());
      out_.push_back('}');
      return Status::Ok();
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      out_.append(R"({"type":"map","keyType":)");
      TARN_RETURN_NOT_OK(Type(*map.key_type(), Join(path, "key"), depth + 1));
      out_.append(R"(,"valueType":)");
      TARN_RETURN_NOT_OK(Type(*map.item_type(), Join(path, "value"), depth + 1));
      Flag(R"(,"valueContainsNull":)", map.item_field()->nullable());
      out_.push_back('}');
      return Status::Ok();
    }
    default:
      AppendJsonString(out_, DeltaTypeName(type));
      return Status::Ok();
  }
}

Status Writer::Metadata(const arrow::Field& field, const std::string& path) {
  out_.append(R"(,"metadata":{)");
  bool first = true;
  const int64_t size = field.HasMetadata() ? field.metadata()->size() : 0;
  for (int64_t i = 0; i < size; ++i) {
    std::string_view key = field.metadata()->key(i);
    const std::string& value = field.metadata()->value(i);
    if (IsArrowKey(key)) continue;
    if (!std::exchange(first, false)) out_.push_back(',');
    const bool json = key.starts_with(kJsonPrefix);
    if (json) key.remove_prefix(kJsonPrefix.size());
    dom::element parsed;
    if (!simdjson::validate_utf8(key) || !simdjson::validate_utf8(value) ||
        (json && parser_.parse(value).get(parsed) != simdjson::SUCCESS)) {
      return Status::InvalidArgument("the metadata '" + std::string(key) + "' of column '" + path + "' is malformed");
    }
    AppendJsonString(out_, key);
    out_.push_back(':');
    if (json) {
      out_.append(simdjson::minify(parsed));
    } else {
      AppendJsonString(out_, value);
    }
  }
  out_.push_back('}');
  return Status::Ok();
}

}  // namespace

Result<std::shared_ptr<arrow::Schema>> SchemaFromDeltaJson(std::string_view json) {
  if (json.size() > kMaxSchemaBytes) return Status::Corruption("the schema has more than 64 MiB of JSON");
  dom::parser parser;
  dom::element root;
  // The depth bounds the parser's own stack; the length its buffers.
  simdjson::error_code error = parser.allocate(json.size(), kMaxJsonDepth);
  if (error == simdjson::SUCCESS) error = parser.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) {
    return Status::Corruption(std::string("the schema is not JSON: ") + simdjson::error_message(error));
  }
  dom::object object;
  std::string_view type;
  if (root.get(object) != simdjson::SUCCESS || object["type"].get(type) != simdjson::SUCCESS || type != "struct") {
    return Status::Corruption("the schema is not a struct");
  }
  TARN_ASSIGN_OR_RETURN(auto fields, Reader::Fields(object, "", 0));
  return arrow::schema(std::move(fields));
}

Result<std::string> SchemaToDeltaJson(const arrow::Schema& schema) {
  TARN_ASSIGN_OR_RETURN(const auto canonical, CanonicalSchema(schema));
  Writer writer;
  TARN_RETURN_NOT_OK(writer.Struct(canonical->fields(), "", 0));
  return writer.Take();
}

}  // namespace tarn::columnar
