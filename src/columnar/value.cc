#include "columnar/value.h"

#include <arrow/type.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "columnar/decimal_text.h"
#include "columnar/delta_schema.h"
#include "columnar/time_text.h"

namespace tarn::columnar {
namespace {

Status DoesNotFit(std::string_view text, const arrow::DataType& type) {
  return Status::Corruption("partition value '" + std::string(text) + "' is not a " + DeltaTypeName(type));
}

template <typename Integer>
std::optional<Value> ParseInteger(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Value(static_cast<int64_t>(value));
}

/// `Float` is the column's own width: the decimal text of a float must be rounded once, to float.
template <typename Float>
std::optional<Value> ParseFloat(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  Float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Value(static_cast<double>(value));
}

std::optional<Value> ParseBoolean(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (lower == "true") return Value(true);
  if (lower == "false") return Value(false);
  return std::nullopt;
}

std::optional<Value> ParseTimestampValue(std::string_view text, const arrow::DataType& type, const TimeZone& zone) {
  const std::optional<ParsedTimestamp> parsed = ParseTimestamp(text);
  const bool zoned_column = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
  if (!parsed || (parsed->has_zone && !zoned_column)) return std::nullopt;
  if (!zoned_column || parsed->has_zone) return Value(parsed->micros);
  const std::optional<int64_t> micros = zone.UtcMicros(parsed->micros);
  return micros.has_value() ? std::optional<Value>(*micros) : std::nullopt;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The bytes of a text that consists of nothing but \u00XX escapes; nullopt for any other text.
std::optional<std::string> UnescapeBytes(std::string_view text) {
  constexpr size_t kEscape = 6;
  if (text.empty() || text.size() % kEscape != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += kEscape) {
    const int high = HexDigit(text[i + 4]);
    const int low = HexDigit(text[i + 5]);
    if (text.substr(i, 4) != "\\u00" || high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::string EscapeBytes(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string text;
  for (const char c : bytes) {
    text.append("\\u00");
    text.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

/// Binary that is valid UTF-8 stands as it is, which is what the JSON text "\u0001\u0002" of the protocol's example
/// decodes to. What a JSON string cannot carry, and what could be mistaken for an escape, is written as \u00XX.
std::string FormatBinary(const std::string& bytes) {
  const bool plain = simdjson::validate_utf8(bytes.data(), bytes.size()) && !UnescapeBytes(bytes);
  return plain ? bytes : EscapeBytes(bytes);
}

template <typename Float>
std::string FormatFloat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), static_cast<Float>(value));
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

std::strong_ordering Order(bool less, bool greater) {
  if (less) return std::strong_ordering::less;
  return greater ? std::strong_ordering::greater : std::strong_ordering::equal;
}

std::optional<DecimalValue> AsDecimal(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return DecimalValue{*integer, 0};
  if (const auto* decimal = std::get_if<DecimalValue>(&value)) return *decimal;
  return std::nullopt;
}

}  // namespace

std::optional<std::strong_ordering> Compare(const Value& left, const Value& right) {
  if (IsNull(left) || IsNull(right)) return std::nullopt;
  if (left.index() != right.index()) {
    const std::optional<DecimalValue> a = AsDecimal(left);
    const std::optional<DecimalValue> b = AsDecimal(right);
    if (!a || !b) return std::nullopt;
    return CompareDecimals(*a, *b);
  }
  if (const auto* a = std::get_if<bool>(&left)) {
    return Order(*a<std::get<bool>(right), *a> std::get<bool>(right));
  }
  if (const auto* a = std::get_if<int64_t>(&left)) return *a <=> std::get<int64_t>(right);
  if (const auto* a = std::get_if<double>(&left)) {
    const double b = std::get<double>(right);
    if (std::isnan(*a) || std::isnan(b)) return std::nullopt;
    return Order(*a<b, *a> b);
  }
  if (const auto* a = std::get_if<DecimalValue>(&left)) return CompareDecimals(*a, std::get<DecimalValue>(right));
  // char_traits<char> compares as unsigned bytes.
  const int order = std::get<std::string>(left).compare(std::get<std::string>(right));
  return Order(order < 0, order > 0);
}

Result<Value> ParsePartitionValue(std::string_view text, const arrow::DataType& type, const TimeZone& zone) {
  if (text.empty()) return Value();
  std::optional<Value> value;
  switch (type.id()) {
    case arrow::Type::NA:
      return Value();
    case arrow::Type::STRING:
      return Value(std::string(text));
    case arrow::Type::BINARY:
      return Value(UnescapeBytes(text).value_or(std::string(text)));
    case arrow::Type::BOOL:
      value = ParseBoolean(text);
      break;
    case arrow::Type::INT8:
      value = ParseInteger<int8_t>(text);
      break;
    case arrow::Type::INT16:
      value = ParseInteger<int16_t>(text);
      break;
    case arrow::Type::INT32:
      value = ParseInteger<int32_t>(text);
      break;
    case arrow::Type::INT64:
      value = ParseInteger<int64_t>(text);
      break;
    case arrow::Type::FLOAT:
      value = ParseFloat<float>(text);
      break;
    case arrow::Type::DOUBLE:
      value = ParseFloat<double>(text);
      break;
    case arrow::Type::DATE32:
      if (const std::optional<int64_t> days = ParseDate(text)) value = Value(*days);
      break;
    case arrow::Type::TIMESTAMP:
      value = ParseTimestampValue(text, type, zone);
      break;
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      if (const auto parsed = ParseDecimal(text, decimal.precision(), decimal.scale())) value = Value(*parsed);
      break;
    }
    default:
      return Status::Unsupported("a column of type " + DeltaTypeName(type) + " cannot partition a table");
  }
  if (!value) return DoesNotFit(text, type);
  return *std::move(value);
}

std::optional<std::string> FormatPartitionValue(const Value& value, const arrow::DataType& type) {
  if (IsNull(value)) return std::nullopt;
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) {
    return type.id() == arrow::Type::FLOAT ? FormatFloat<float>(*number) : FormatFloat<double>(*number);
  }
  std::string text;
  if (const auto* decimal = std::get_if<DecimalValue>(&value)) {
    AppendDecimal(text, *decimal);
    return text;
  }
  if (const auto* bytes = std::get_if<std::string>(&value)) {
    if (bytes->empty()) return std::nullopt;
    return type.id() == arrow::Type::BINARY ? FormatBinary(*bytes) : *bytes;
  }
  const int64_t integer = std::get<int64_t>(value);
  switch (type.id()) {
    case arrow::Type::DATE32:
      AppendDate(text, integer);
      return text;
    case arrow::Type::TIMESTAMP: {
      const bool zoned = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
      AppendTimestamp(text, integer, zoned ? TimestampStyle::kUtc : TimestampStyle::kZonelessPartition);
      return text;
    }
    default:
      return std::to_string(integer);
  }
}

}  // namespace tarn::columnar
