#include "delta/files/statistics.h"

#include <arrow/type.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace tarn::delta {

namespace {

namespace ondemand = simdjson::ondemand;
using columnar::DecimalValue;
using columnar::Value;

constexpr int64_t kMicrosPerMilli = 1000;
/// Doubles carry every decimal of this many digits exactly; longer ones may have passed through a double.
constexpr int kExactDoubleDigits = 15;
constexpr int kMaxDecimalDigits = 38;

enum class Side : uint8_t { kMin, kMax };

std::string_view Trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

template <typename Number>
std::optional<Number> ExactNumber(std::string_view token) {
  Number number{};
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  return number;
}

/// Reads a JSON number exactly; nullopt when it has more than 38 digits or a far exponent.
std::optional<DecimalValue> ExactDecimal(std::string_view token) {
  const bool negative = token.starts_with('-');
  if (negative) token.remove_prefix(1);
  DecimalValue value;
  int digits = 0;
  bool fraction = false;
  bool any = false;
  size_t i = 0;
  for (; i < token.size(); ++i) {
    const char c = token[i];
    if (c == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (digits > 0 || c != '0') ++digits;
    if (digits > kMaxDecimalDigits) return std::nullopt;
    value.unscaled = value.unscaled * 10 + (c - '0');
    if (fraction) ++value.scale;
  }
  if (!any) return std::nullopt;
  if (i < token.size()) {
    if (token[i] != 'e' && token[i] != 'E') return std::nullopt;
    std::string_view exponent_text = token.substr(i + 1);
    if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
    const auto exponent = ExactNumber<int32_t>(exponent_text);
    if (!exponent.has_value() || *exponent < -100 || *exponent > 100) return std::nullopt;
    value.scale -= *exponent;
    for (; value.scale < 0; ++value.scale) {
      if (++digits > kMaxDecimalDigits) return std::nullopt;
      value.unscaled *= 10;
    }
    if (value.scale > 2 * kMaxDecimalDigits) return std::nullopt;
  }
  if (negative) value.unscaled = -value.unscaled;
  return value;
}

Value DecimalBound(std::string_view token, const arrow::DataType& type, Side side) {
  auto value = ExactDecimal(token);
  if (!value.has_value()) return {};
  if (static_cast<const arrow::DecimalType&>(type).precision() > kExactDoubleDigits) {
    const __int128 magnitude = value->unscaled < 0 ? -value->unscaled : value->unscaled;
    // delta-rs cuts bounds to what an INT64 holds, exactly or by a double's digits.
    constexpr __int128 kLongestOfDouble = 9'223'372'036'854'776'000U;
    if (magnitude >= std::numeric_limits<int64_t>::max() && magnitude <= kLongestOfDouble) return {};
    const __int128 slack = (magnitude >> 51) + 1;
    value->unscaled += side == Side::kMin ? -slack : slack;
  }
  return *value;
}

Value FloatingBound(std::string_view token, const StatsColumn& column, Side side) {
  const auto as_double = ExactNumber<double>(token);
  if (!as_double.has_value()) return {};
  const bool single = column.type->id() == arrow::Type::FLOAT;
  if (!single && !column.was_float) return *as_double;
  // A float's shortest text read as a double would lie beside the float.
  const auto as_float = ExactNumber<float>(token);
  if (!as_float.has_value()) return {};
  const auto widened = static_cast<double>(*as_float);
  if (single) return widened;
  return side == Side::kMin ? std::min(widened, *as_double) : std::max(widened, *as_double);
}

/// Writers cut timestamps to milliseconds.
Value TimestampBound(const Value& parsed, Side side) {
  const auto* micros = std::get_if<int64_t>(&parsed);
  if (micros == nullptr) return {};
  if (side == Side::kMax) {
    if (*micros > std::numeric_limits<int64_t>::max() - kMicrosPerMilli) return {};
    return *micros + kMicrosPerMilli;
  }
  if (*micros >= 0) return *micros;
  if (*micros < std::numeric_limits<int64_t>::min() + kMicrosPerMilli) return {};
  return *micros - kMicrosPerMilli;
}

Value TextBound(std::string_view text, Side side) {
  // Old Spark ends a truncated maximum with U+FFFD, which sorts below characters outside the basic plane.
  if (side == Side::kMax && text.ends_with("\xEF\xBF\xBD")) return {};
  return std::string(text);
}

Value StringTokenBound(std::string_view text, const arrow::DataType& type, Side side) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      return TextBound(text, side);
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP: {
      auto parsed = columnar::ParsePartitionValue(text, type);
      if (!parsed.ok()) return {};
      return type.id() == arrow::Type::DATE32 ? *parsed : TimestampBound(*parsed, side);
    }
    case arrow::Type::DECIMAL128:
      return DecimalBound(text, type, side);
    default:
      return {};
  }
}

Value NumberTokenBound(std::string_view token, const StatsColumn& column, Side side) {
  switch (column.type->id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64: {
      const auto number = ExactNumber<int64_t>(token);
      return number.has_value() ? Value(*number) : Value();
    }
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return FloatingBound(token, column, side);
    case arrow::Type::DECIMAL128:
      return DecimalBound(token, *column.type, side);
    default:
      return {};
  }
}

Value ReadBound(ondemand::value& value, const StatsColumn& column, Side side) {
  ondemand::json_type kind;
  if (value.type().get(kind) != simdjson::SUCCESS) return {};
  if (kind == ondemand::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return {};
    return StringTokenBound(text, *column.type, side);
  }
  if (kind == ondemand::json_type::number) return NumberTokenBound(Trimmed(value.raw_json_token()), column, side);
  if (kind == ondemand::json_type::boolean && column.type->id() == arrow::Type::BOOL) {
    bool flag = false;
    if (value.get_bool().get(flag) == simdjson::SUCCESS) return flag;
  }
  return {};
}

/// Calls `use(value, i)` for each asked-for column that the object has.
template <typename Use>
Status ForColumns(ondemand::value& value, const std::vector<StatsColumn>& columns, Use&& use) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return Status::Ok();
  for (auto field_result : object) {
    ondemand::field field;
    std::string_view key;
    if (std::move(field_result).get(field) != simdjson::SUCCESS ||
        field.unescaped_key().get(key) != simdjson::SUCCESS) {
      return Status::Corruption("malformed statistics");
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == key) use(field.value(), i);
    }
  }
  return Status::Ok();
}

int64_t ReadCount(ondemand::value& value) {
  int64_t count = -1;
  ondemand::json_type kind;
  if (value.type().get(kind) != simdjson::SUCCESS || kind != ondemand::json_type::number) return -1;
  if (value.get_int64().get(count) != simdjson::SUCCESS || count < 0) return -1;
  return count;
}

bool IsFloating(const arrow::DataType& type) {
  return type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE;
}

}  // namespace

struct StatsParser::State {
  ondemand::parser parser;
  std::string buffer;
};

StatsParser::StatsParser() : state_(std::make_unique<State>()) {}
StatsParser::~StatsParser() = default;

Result<FileFacts> StatsParser::Parse(std::string_view text, const std::vector<StatsColumn>& columns) {
  FileFacts facts;
  facts.columns.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) facts.columns[i].max_covers_nan = !IsFloating(*columns[i].type);
  if (text.empty()) return facts;
  std::string& buffer = state_->buffer;
  buffer.assign(text);
  buffer.append(simdjson::SIMDJSON_PADDING, ' ');
  ondemand::document document;
  ondemand::object object;
  if (state_->parser.iterate(buffer.data(), text.size(), buffer.size()).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return Status::Corruption("malformed statistics");
  }
  for (auto field_result : object) {
    ondemand::field field;
    std::string_view key;
    if (std::move(field_result).get(field) != simdjson::SUCCESS ||
        field.unescaped_key().get(key) != simdjson::SUCCESS) {
      return Status::Corruption("malformed statistics");
    }
    ondemand::value& value = field.value();
    if (key == "numRecords") {
      facts.num_records = ReadCount(value);
    } else if (key == "minValues" || key == "maxValues") {
      const Side side = key == "minValues" ? Side::kMin : Side::kMax;
      TARN_RETURN_NOT_OK(ForColumns(value, columns, [&](ondemand::value& bound, size_t i) {
        ColumnBounds& bounds = facts.columns[i];
        (side == Side::kMin ? bounds.min : bounds.max) = ReadBound(bound, columns[i], side);
      }));
    } else if (key == "nullCount") {
      TARN_RETURN_NOT_OK(ForColumns(
          value, columns, [&](ondemand::value& count, size_t i) { facts.columns[i].null_count = ReadCount(count); }));
    }
  }
  return facts;
}

namespace {

/// The fields that stay as they are, each behind a comma; nullopt for text that is no JSON object.
std::optional<std::string> OtherFields(std::string_view stats) {
  ondemand::parser parser;
  const simdjson::padded_string padded(stats);
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  std::string fields;
  for (auto field_result : object) {
    ondemand::field field;
    std::string_view key;
    std::string_view value;
    if (std::move(field_result).get(field) != simdjson::SUCCESS) return std::nullopt;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS ||
        simdjson::to_json_string(field.value()).get(value) != simdjson::SUCCESS) {
      return std::nullopt;
    }
    if (key != "minValues" && key != "maxValues" && key != "nullCount") continue;
    fields.append(",\"").append(key).append("\":").append(Trimmed(value));
  }
  return fields;
}

}  // namespace

std::string WithWideBounds(std::string_view stats, int64_t num_records) {
  return R"({"numRecords":)" + std::to_string(num_records) + (stats.empty() ? "" : OtherFields(stats).value_or("")) +
         R"(,"tightBounds":false})";
}

ColumnFacts::ColumnFacts(StatsColumn column, size_t files)
    : column_(std::move(column)), flags_(files), min_(files), max_(files), null_count_(files, -1) {
  switch (column_.type->id()) {
    case arrow::Type::BOOL:
      kind_ = Kind::kBool;
      break;
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      kind_ = Kind::kDouble;
      break;
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      kind_ = Kind::kText;
      break;
    case arrow::Type::DECIMAL128:
      kind_ = Kind::kDecimal;
      break;
    default:
      kind_ = Kind::kInt;
  }
}

int64_t ColumnFacts::Encode(const Value& value) {
  switch (kind_) {
    case Kind::kBool:
      return std::get<bool>(value) ? 1 : 0;
    case Kind::kInt:
      return std::get<int64_t>(value);
    case Kind::kDouble:
      return std::bit_cast<int64_t>(std::get<double>(value));
    case Kind::kDecimal: {
      const auto& decimal = std::get<DecimalValue>(value);
      const auto offset = static_cast<int64_t>(arena_.size());
      arena_.append(reinterpret_cast<const char*>(&decimal.unscaled), sizeof(decimal.unscaled));
      arena_.append(reinterpret_cast<const char*>(&decimal.scale), sizeof(decimal.scale));
      return offset;
    }
    case Kind::kText: {
      const auto& text = std::get<std::string>(value);
      const auto offset = static_cast<int64_t>(arena_.size());
      const auto length = static_cast<uint32_t>(text.size());
      arena_.append(reinterpret_cast<const char*>(&length), sizeof(length));
      arena_.append(text);
      return offset;
    }
    case Kind::kNone:
      break;
  }
  return 0;
}

Value ColumnFacts::Decode(int64_t code) const {
  switch (kind_) {
    case Kind::kBool:
      return code != 0;
    case Kind::kInt:
      return code;
    case Kind::kDouble:
      return std::bit_cast<double>(code);
    case Kind::kDecimal: {
      DecimalValue decimal;
      std::memcpy(&decimal.unscaled, arena_.data() + code, sizeof(decimal.unscaled));
      std::memcpy(&decimal.scale, arena_.data() + code + sizeof(decimal.unscaled), sizeof(decimal.scale));
      return decimal;
    }
    case Kind::kText: {
      uint32_t length = 0;
      std::memcpy(&length, arena_.data() + code, sizeof(length));
      return arena_.substr(code + sizeof(length), length);
    }
    case Kind::kNone:
      break;
  }
  return {};
}

void ColumnFacts::Set(size_t slot, const ColumnBounds& bounds) {
  TARN_CHECK(slot < flags_.size());
  flags_[slot] = kParsed;
  null_count_[slot] = bounds.null_count;
  if (!columnar::IsNull(bounds.min)) {
    flags_[slot] |= kHasMin;
    min_[slot] = Encode(bounds.min);
  }
  if (!columnar::IsNull(bounds.max)) {
    flags_[slot] |= kHasMax;
    max_[slot] = Encode(bounds.max);
  }
}

ColumnBounds ColumnFacts::Get(size_t slot) const {
  ColumnBounds bounds;
  bounds.max_covers_nan = kind_ != Kind::kDouble;
  if (!Known(slot)) return bounds;
  bounds.null_count = null_count_[slot];
  if ((flags_[slot] & kHasMin) != 0) bounds.min = Decode(min_[slot]);
  if ((flags_[slot] & kHasMax) != 0) bounds.max = Decode(max_[slot]);
  return bounds;
}

}  // namespace tarn::delta
