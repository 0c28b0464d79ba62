#include "delta/expressions/casts.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "columnar/decimal_text.h"
#include "columnar/delta_schema.h"
#include "columnar/time_text.h"
#include "delta/expressions/numbers.h"
#include "delta/letter_case.h"

namespace tarn::delta {
namespace {

using arrow::Type;
using columnar::DecimalValue;
using columnar::Value;

constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
/// More fractional digits than these Spark writes with an exponent.
constexpr int32_t kMaxPlainScale = 6;
constexpr int32_t kMaxPrecision = 38;

Status NoValue(std::string_view text, const arrow::DataType& type) {
  constexpr size_t kMaxShown = 100;
  return Status::InvalidArgument("'" + std::string(text.substr(0, kMaxShown)) + "' is no " +
                                 columnar::DeltaTypeName(type));
}

std::string_view Trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

Result<Value> IntegerOfText(std::string_view text, const arrow::DataType& type) {
  std::string_view digits = Trimmed(text);
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return NoValue(text, type);
  return IntegerWithin(value, type);
}

Result<Value> DecimalOfText(std::string_view text, const arrow::DataType& type) {
  const auto [precision, scale] = *PrecisionAndScale(type);
  const auto value = columnar::ParseDecimal(Trimmed(text), precision, scale);
  if (!value.has_value()) return NoValue(text, type);
  return Value(*value);
}

Result<Value> BooleanOfText(std::string_view text, const arrow::DataType& type) {
  const std::string word = LowerCase(Trimmed(text));
  for (const char* yes : {"t", "true", "y", "yes", "1"}) {
    if (word == yes) return Value(true);
  }
  for (const char* no : {"f", "false", "n", "no", "0"}) {
    if (word == no) return Value(false);
  }
  return NoValue(text, type);
}

Result<Value> MomentOfText(std::string_view text, const arrow::DataType& type) {
  if (type.id() == Type::DATE32) {
    const auto days = columnar::ParseDate(Trimmed(text));
    return days.has_value() ? Result<Value>(*days) : NoValue(text, type);
  }
  const auto parsed = columnar::ParseTimestamp(Trimmed(text));
  const bool zoned = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
  if (!parsed.has_value() || (parsed->has_zone && !zoned)) return NoValue(text, type);
  return Value(parsed->micros);
}

template <typename Float>
double FloatOfDecimal(const DecimalValue& value) {
  std::string text;
  columnar::AppendDecimal(text, value);
  Float number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return static_cast<double>(number);
}

UnaryFunction FromText(const TypePtr& to) {
  Result<Value> (*parse)(std::string_view, const arrow::DataType&) = nullptr;
  switch (to->id()) {
    case Type::BOOL:
      parse = BooleanOfText;
      break;
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      parse = IntegerOfText;
      break;
    case Type::DECIMAL128:
      parse = DecimalOfText;
      break;
    case Type::DATE32:
    case Type::TIMESTAMP:
      parse = MomentOfText;
      break;
    case Type::BINARY:
      return [](const Value& value) -> Result<Value> { return value; };
    default:
      return nullptr;
  }
  return [parse, to](const Value& value) { return parse(std::get<std::string>(value), *to); };
}

UnaryFunction FromBoolean(const TypePtr& to) {
  if (to->id() == Type::STRING) {
    return [](const Value& value) -> Result<Value> {
      return Value(std::string(std::get<bool>(value) ? "true" : "false"));
    };
  }
  if (arrow::is_integer(to->id())) {
    return [](const Value& value) -> Result<Value> { return Value(static_cast<int64_t>(std::get<bool>(value))); };
  }
  return nullptr;
}

UnaryFunction FromInteger(const TypePtr& to) {
  switch (to->id()) {
    case Type::BOOL:
      return [](const Value& value) -> Result<Value> { return Value(std::get<int64_t>(value) != 0); };
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      return [to](const Value& value) { return IntegerWithin(std::get<int64_t>(value), *to); };
    case Type::FLOAT:
      return [](const Value& value) -> Result<Value> {
        return Value(static_cast<double>(static_cast<float>(std::get<int64_t>(value))));
      };
    case Type::DOUBLE:
      return [](const Value& value) -> Result<Value> { return Value(static_cast<double>(std::get<int64_t>(value))); };
    case Type::DECIMAL128:
      return [to](const Value& value) { return DecimalWithin({std::get<int64_t>(value), 0}, *to); };
    case Type::STRING:
      return [](const Value& value) -> Result<Value> { return Value(std::to_string(std::get<int64_t>(value))); };
    default:
      return nullptr;
  }
}

UnaryFunction FromFloating(const TypePtr& to) {
  switch (to->id()) {
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      return [to](const Value& value) -> Result<Value> {
        // Beyond it nothing fits any integer; NaN does not compare.
        constexpr double kHuge = 1e19;
        const double number = std::trunc(std::get<double>(value));
        if (!(std::fabs(number) < kHuge)) return Status::InvalidArgument("a number that is no integer");
        return IntegerWithin(static_cast<__int128>(number), *to);
      };
    case Type::FLOAT:
      return [](const Value& value) -> Result<Value> {
        return Value(static_cast<double>(static_cast<float>(std::get<double>(value))));
      };
    case Type::DOUBLE:
      return [](const Value& value) -> Result<Value> { return value; };
    default:
      return nullptr;
  }
}

UnaryFunction FromDecimal(const arrow::DataType& from, const TypePtr& to) {
  switch (to->id()) {
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      return [to](const Value& value) {
        auto [unscaled, scale] = std::get<DecimalValue>(value);
        for (; scale > 0; --scale) unscaled /= 10;
        return IntegerWithin(unscaled, *to);
      };
    case Type::FLOAT:
      return [](const Value& value) -> Result<Value> {
        return Value(FloatOfDecimal<float>(std::get<DecimalValue>(value)));
      };
    case Type::DOUBLE:
      return [](const Value& value) -> Result<Value> {
        return Value(FloatOfDecimal<double>(std::get<DecimalValue>(value)));
      };
    case Type::DECIMAL128:
      return [to](const Value& value) { return DecimalWithin(std::get<DecimalValue>(value), *to); };
    case Type::STRING:
      if (PrecisionAndScale(from)->second > kMaxPlainScale) return nullptr;
      return [](const Value& value) -> Result<Value> {
        std::string text;
        columnar::AppendDecimal(text, std::get<DecimalValue>(value));
        return Value(std::move(text));
      };
    default:
      return nullptr;
  }
}

UnaryFunction FromMoment(const arrow::DataType& from, const TypePtr& to) {
  const bool is_date = from.id() == Type::DATE32;
  if (is_date && to->id() == Type::STRING) {
    return [](const Value& value) -> Result<Value> {
      std::string text;
      columnar::AppendDate(text, std::get<int64_t>(value));
      return Value(std::move(text));
    };
  }
  if (is_date && to->id() == Type::TIMESTAMP) {
    return [to](const Value& value) {
      return IntegerWithin(static_cast<__int128>(std::get<int64_t>(value)) * kMicrosPerDay, *arrow::int64());
    };
  }
  if (!is_date && to->id() == Type::DATE32) {
    return [](const Value& value) -> Result<Value> { return Value(columnar::DayOfMicros(std::get<int64_t>(value))); };
  }
  if (!is_date && to->id() == Type::TIMESTAMP) return [](const Value& value) -> Result<Value> { return value; };
  return nullptr;
}

TypePtr CommonDecimal(const arrow::DataType& left, const arrow::DataType& right) {
  const auto [p1, s1] = *PrecisionAndScale(left);
  const auto [p2, s2] = *PrecisionAndScale(right);
  const int32_t scale = std::max(s1, s2);
  return arrow::decimal128(std::min(std::max(p1 - s1, p2 - s2) + scale, kMaxPrecision), scale);
}

}  // namespace

UnaryFunction CastBetween(const TypePtr& from, const TypePtr& to) {
  switch (from->id()) {
    case Type::NA:
      return [](const Value&) -> Result<Value> { return Value(); };
    case Type::BOOL:
      return FromBoolean(to);
    case Type::INT8:
    case Type::INT16:
    case Type::INT32:
    case Type::INT64:
      return FromInteger(to);
    case Type::FLOAT:
    case Type::DOUBLE:
      return FromFloating(to);
    case Type::DECIMAL128:
      return FromDecimal(*from, to);
    case Type::STRING:
      return FromText(to);
    case Type::DATE32:
    case Type::TIMESTAMP:
      return FromMoment(*from, to);
    default:
      return nullptr;
  }
}

TypePtr CommonType(const TypePtr& left, const TypePtr& right) {
  if (left->Equals(*right) || right->id() == Type::NA) return left;
  if (left->id() == Type::NA) return right;
  if (IsNumber(*left) && IsNumber(*right)) {
    // Also of an integer and a float, which not every setting of Spark takes as exactly.
    if (IsFloating(*left) || IsFloating(*right)) return arrow::float64();
    if (left->id() == Type::DECIMAL128 || right->id() == Type::DECIMAL128) return CommonDecimal(*left, *right);
    return arrow::bit_width(left->id()) >= arrow::bit_width(right->id()) ? left : right;
  }
  const auto is_moment = [](const arrow::DataType& type) {
    return type.id() == Type::DATE32 || type.id() == Type::TIMESTAMP;
  };
  if (!is_moment(*left) || !is_moment(*right)) return nullptr;
  // A date goes with either kind of timestamp; the two together are instants.
  if (left->id() == Type::DATE32) return right;
  if (right->id() == Type::DATE32) return left;
  return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
}

}  // namespace tarn::delta
