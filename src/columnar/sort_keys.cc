#include "columnar/sort_keys.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

namespace tarn::columnar {

namespace {

constexpr char kNull = 0;
constexpr char kNotNull = 1;

template <typename Unsigned>
void AppendBigEndian(Unsigned value, std::string& out) {
  for (int shift = static_cast<int>(sizeof(Unsigned)) * 8 - 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift);
  }
}

/// Two's complement with the sign bit turned round orders as the numbers do.
template <typename Signed>
void AppendSigned(Signed value, std::string& out) {
  using Unsigned = std::make_unsigned_t<Signed>;
  constexpr auto kSign = static_cast<Unsigned>(Unsigned{1} << (sizeof(Unsigned) * 8 - 1));
  AppendBigEndian(static_cast<Unsigned>(static_cast<Unsigned>(value) ^ kSign), out);
}

/// Of IEEE numbers the positive ones order as their bits do, and the negative ones the other way round.
template <typename Float, typename Bits>
void AppendFloat(Float value, std::string& out) {
  if (std::isnan(value)) return AppendBigEndian(std::numeric_limits<Bits>::max(), out);
  const auto bits = std::bit_cast<Bits>(value == 0 ? Float{0} : value);
  constexpr auto kSign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
  AppendBigEndian(static_cast<Bits>((bits & kSign) != 0 ? ~bits : bits | kSign), out);
}

/// No key of a text may begin that of a longer one and go on differently: a zero byte is followed by 0xff, the end by
/// another zero.
void AppendText(std::string_view text, std::string& out) {
  for (const char c : text) {
    out += c;
    if (c == 0) out += '\xff';
  }
  out.append(2, '\0');
}

using AppendValue = std::function<void(int64_t row, std::string& out)>;

template <typename Signed>
AppendValue OfIntegers(const arrow::Array& array) {
  const Signed* const values = array.data()->GetValues<Signed>(1);
  return [values](int64_t row, std::string& out) { AppendSigned(values[row], out); };
}

template <typename Float, typename Bits>
AppendValue OfFloats(const arrow::Array& array) {
  const Float* const values = array.data()->GetValues<Float>(1);
  return [values](int64_t row, std::string& out) { AppendFloat<Float, Bits>(values[row], out); };
}

template <typename Array>
AppendValue OfTexts(const arrow::Array& array) {
  const auto* const texts = static_cast<const Array*>(&array);
  return [texts](int64_t row, std::string& out) { AppendText(texts->GetView(row), out); };
}

AppendValue OfBooleans(const arrow::Array& array) {
  const auto* const values = static_cast<const arrow::BooleanArray*>(&array);
  return [values](int64_t row, std::string& out) { out += values->Value(row) ? 1 : 0; };
}

AppendValue OfDecimals(const arrow::Array& array) {
  const auto* const values = static_cast<const arrow::Decimal128Array*>(&array);
  return [values](int64_t row, std::string& out) {
    const arrow::Decimal128 value(values->GetValue(row));
    AppendSigned(value.high_bits(), out);
    AppendBigEndian(value.low_bits(), out);
  };
}

/// Empty for types that have no order.
AppendValue AppenderOf(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return OfBooleans(array);
    case arrow::Type::INT8:
      return OfIntegers<int8_t>(array);
    case arrow::Type::INT16:
      return OfIntegers<int16_t>(array);
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
      return OfIntegers<int32_t>(array);
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP:
      return OfIntegers<int64_t>(array);
    case arrow::Type::FLOAT:
      return OfFloats<float, uint32_t>(array);
    case arrow::Type::DOUBLE:
      return OfFloats<double, uint64_t>(array);
    case arrow::Type::DECIMAL128:
      return OfDecimals(array);
    case arrow::Type::STRING:
      return OfTexts<arrow::StringArray>(array);
    case arrow::Type::BINARY:
      return OfTexts<arrow::BinaryArray>(array);
    case arrow::Type::LARGE_STRING:
      return OfTexts<arrow::LargeStringArray>(array);
    case arrow::Type::LARGE_BINARY:
      return OfTexts<arrow::LargeBinaryArray>(array);
    default:
      return nullptr;
  }
}

Status CannotSort(const arrow::Field& field) {
  return Status::InvalidArgument("rows cannot be sorted by column '" + field.name() + "' of type " +
                                 field.type()->ToString());
}

}  // namespace

Status CheckSortable(const arrow::Field& field) {
  const auto empty = arrow::MakeEmptyArray(field.type());
  return empty.ok() && AppenderOf(**empty) != nullptr ? Status::Ok() : CannotSort(field);
}

Result<SortKeys> SortKeys::Of(const arrow::RecordBatch& batch, const std::vector<int>& columns) {
  std::vector<std::pair<std::shared_ptr<arrow::Array>, AppendValue>> appenders;
  for (const int column : columns) {
    auto array = batch.column(column);
    AppendValue append = AppenderOf(*array);
    if (append == nullptr) return CannotSort(*batch.schema()->field(column));
    appenders.emplace_back(std::move(array), std::move(append));
  }
  SortKeys keys;
  keys.ends_.reserve(static_cast<size_t>(batch.num_rows()));
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (const auto& [array, append] : appenders) {
      const bool is_null = array->IsNull(row);
      keys.bytes_ += is_null ? kNull : kNotNull;
      if (!is_null) append(row, keys.bytes_);
    }
    keys.ends_.push_back(keys.bytes_.size());
  }
  return keys;
}

}  // namespace tarn::columnar
