#include "frontends/encoding/cell_formatter.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "frontends/encoding/value_text.h"

namespace tarn::frontends {

namespace {

using arrow::Type;

/// A column whose cells are made by `format(array, row, out)`; Quoted wraps them in quotes in JSON.
template <typename ArrayType, bool Quoted, typename Format>
class SimpleCells final : public CellFormatter {
 public:
  SimpleCells(CellStyle style, Format format) : json_(style == CellStyle::kJson), format_(format) {}
  void Bind(const arrow::Array& array) override { array_ = static_cast<const ArrayType*>(&array); }
  void Append(int64_t row, ByteBuffer& out) override {
    if (array_->IsNull(row)) {
      if (json_) out.Append("null");
      return;
    }
    if (Quoted && json_) out.Push('"');
    format_(*array_, row, out);
    if (Quoted && json_) out.Push('"');
  }

 private:
  const bool json_;
  Format format_;
  const ArrayType* array_ = nullptr;
};

template <typename ArrayType, bool Quoted, typename Format>
std::unique_ptr<CellFormatter> Cells(CellStyle style, Format format) {
  return std::make_unique<SimpleCells<ArrayType, Quoted, Format>>(style, format);
}

template <typename ArrayType>
std::unique_ptr<CellFormatter> IntCells(CellStyle style) {
  return Cells<ArrayType, false>(
      style, [](const ArrayType& array, int64_t row, ByteBuffer& out) { AppendInt(array.Value(row), out); });
}

template <typename ArrayType>
std::unique_ptr<CellFormatter> RealCells(CellStyle style) {
  const bool json = style == CellStyle::kJson;
  return Cells<ArrayType, false>(style, [json](const ArrayType& array, int64_t row, ByteBuffer& out) {
    const auto value = array.Value(row);
    if (json && !std::isfinite(value)) return out.Append("null");
    if constexpr (std::is_same_v<ArrayType, arrow::FloatArray>) {
      AppendFloat(value, out);
    } else {
      AppendDouble(value, out);
    }
  });
}

template <typename ArrayType>
std::unique_ptr<CellFormatter> StringCells(CellStyle style) {
  if (style == CellStyle::kJson) {
    return Cells<ArrayType, false>(
        style, [](const ArrayType& array, int64_t row, ByteBuffer& out) { AppendJsonString(array.GetView(row), out); });
  }
  return Cells<ArrayType, false>(
      style, [](const ArrayType& array, int64_t row, ByteBuffer& out) { out.Append(array.GetView(row)); });
}

template <typename ArrayType>
std::unique_ptr<CellFormatter> BinaryCells(CellStyle style) {
  return Cells<ArrayType, true>(
      style, [](const ArrayType& array, int64_t row, ByteBuffer& out) { AppendBase64(array.GetView(row), out); });
}

int64_t UnitsPerSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      return 1'000'000'000;
  }
  return 1;
}

std::unique_ptr<CellFormatter> TimestampCells(const arrow::TimestampType& type, CellStyle style) {
  const int64_t units = UnitsPerSecond(type.unit());
  // Arrow keeps zoned timestamps as UTC instants whatever the zone's name.
  const bool utc = !type.timezone().empty();
  return Cells<arrow::TimestampArray, true>(
      style, [units, utc](const arrow::TimestampArray& array, int64_t row, ByteBuffer& out) {
        AppendTimestamp(array.Value(row), units, utc, out);
      });
}

template <typename ArrayType, typename TimeType>
std::unique_ptr<CellFormatter> TimeCells(const arrow::DataType& type, CellStyle style) {
  const int64_t units = UnitsPerSecond(static_cast<const TimeType&>(type).unit());
  return Cells<ArrayType, true>(style, [units](const ArrayType& array, int64_t row, ByteBuffer& out) {
    AppendTimeOfDay(array.Value(row), units, out);
  });
}

std::unique_ptr<CellFormatter> DurationCells(const arrow::DurationType& type, CellStyle style) {
  const int64_t units = UnitsPerSecond(type.unit());
  return Cells<arrow::DurationArray, true>(
      style, [units](const arrow::DurationArray& array, int64_t row, ByteBuffer& out) {
        const int64_t value = array.Value(row);
        const int64_t days = value / units / 86400;
        AppendInterval(0, days, (value - days * 86400 * units) * (1'000'000'000 / units), out);
      });
}

std::unique_ptr<CellFormatter> DecimalCells(const arrow::DecimalType& type, CellStyle style) {
  const int32_t scale = type.scale();
  switch (type.id()) {
    case Type::DECIMAL32:
      return Cells<arrow::Decimal32Array, false>(
          style, [scale](const arrow::Decimal32Array& array, int64_t row, ByteBuffer& out) {
            AppendDecimal(arrow::Decimal32(array.GetValue(row)).value(), scale, out);
          });
    case Type::DECIMAL64:
      return Cells<arrow::Decimal64Array, false>(
          style, [scale](const arrow::Decimal64Array& array, int64_t row, ByteBuffer& out) {
            AppendDecimal(arrow::Decimal64(array.GetValue(row)).value(), scale, out);
          });
    case Type::DECIMAL128:
      return Cells<arrow::Decimal128Array, false>(
          style, [scale](const arrow::Decimal128Array& array, int64_t row, ByteBuffer& out) {
            const arrow::Decimal128 value(array.GetValue(row));
            AppendDecimal(static_cast<__int128>(value.high_bits()) << 64 | value.low_bits(), scale, out);
          });
    default:
      return Cells<arrow::Decimal256Array, false>(style, [](const arrow::Decimal256Array& array, int64_t row,
                                                            ByteBuffer& out) { out.Append(array.FormatValue(row)); });
  }
}

/// Lists of every layout, as JSON arrays.
template <typename ListArrayType>
class ListCells final : public CellFormatter {
 public:
  ListCells(const arrow::DataType& value_type, CellStyle style)
      : json_(style == CellStyle::kJson), values_(CellFormatter::Make(value_type, CellStyle::kJson)) {}
  void Bind(const arrow::Array& array) override {
    array_ = static_cast<const ListArrayType*>(&array);
    values_->Bind(*array_->values());
  }
  void Append(int64_t row, ByteBuffer& out) override {
    if (array_->IsNull(row)) {
      if (json_) out.Append("null");
      return;
    }
    out.Push('[');
    const int64_t begin = array_->value_offset(row);
    const int64_t length = array_->value_length(row);
    for (int64_t i = 0; i < length; ++i) {
      if (i > 0) out.Push(',');
      values_->Append(begin + i, out);
    }
    out.Push(']');
  }

 private:
  const bool json_;
  std::unique_ptr<CellFormatter> values_;
  const ListArrayType* array_ = nullptr;
};

template <typename ListArrayType>
std::unique_ptr<CellFormatter> MakeListCells(const arrow::DataType& type, CellStyle style) {
  return std::make_unique<ListCells<ListArrayType>>(*type.field(0)->type(), style);
}

class StructCells final : public CellFormatter {
 public:
  StructCells(const arrow::DataType& type, CellStyle style)
      : json_(style == CellStyle::kJson), keys_(JsonKeys(type.fields())) {
    for (const auto& field : type.fields()) children_.push_back(CellFormatter::Make(*field->type(), CellStyle::kJson));
  }
  void Bind(const arrow::Array& array) override {
    array_ = static_cast<const arrow::StructArray*>(&array);
    // field() cuts the child to this array's range, so that rows count alike.
    for (size_t i = 0; i < children_.size(); ++i) children_[i]->Bind(*array_->field(static_cast<int>(i)));
  }
  void Append(int64_t row, ByteBuffer& out) override {
    if (array_->IsNull(row)) {
      if (json_) out.Append("null");
      return;
    }
    for (size_t i = 0; i < children_.size(); ++i) {
      out.Append(keys_[i]);
      children_[i]->Append(row, out);
    }
    out.Append(children_.empty() ? "{}" : "}");
  }

 private:
  const bool json_;
  const std::vector<std::string> keys_;
  std::vector<std::unique_ptr<CellFormatter>> children_;
  const arrow::StructArray* array_ = nullptr;
};

/// A map is a JSON object; keys of other types than string are shown as their text.
class MapCells final : public CellFormatter {
 public:
  MapCells(const arrow::MapType& type, CellStyle style)
      : json_(style == CellStyle::kJson),
        keys_(CellFormatter::Make(*type.key_type(), CellStyle::kText)),
        items_(CellFormatter::Make(*type.item_type(), CellStyle::kJson)) {}
  void Bind(const arrow::Array& array) override {
    array_ = static_cast<const arrow::MapArray*>(&array);
    keys_->Bind(*array_->keys());
    items_->Bind(*array_->items());
  }
  void Append(int64_t row, ByteBuffer& out) override {
    if (array_->IsNull(row)) {
      if (json_) out.Append("null");
      return;
    }
    out.Push('{');
    const int64_t begin = array_->value_offset(row);
    for (int64_t i = begin; i < begin + array_->value_length(row); ++i) {
      if (i > begin) out.Push(',');
      scratch_.Clear();
      keys_->Append(i, scratch_);
      AppendJsonString(scratch_.view(), out);
      out.Push(':');
      items_->Append(i, out);
    }
    out.Push('}');
  }

 private:
  const bool json_;
  std::unique_ptr<CellFormatter> keys_;
  std::unique_ptr<CellFormatter> items_;
  ByteBuffer scratch_;
  const arrow::MapArray* array_ = nullptr;
};

class DictionaryCells final : public CellFormatter {
 public:
  DictionaryCells(const arrow::DictionaryType& type, CellStyle style)
      : json_(style == CellStyle::kJson), values_(CellFormatter::Make(*type.value_type(), style)) {}
  void Bind(const arrow::Array& array) override {
    array_ = static_cast<const arrow::DictionaryArray*>(&array);
    values_->Bind(*array_->dictionary());
  }
  void Append(int64_t row, ByteBuffer& out) override {
    if (!array_->IsNull(row)) return values_->Append(array_->GetValueIndex(row), out);
    if (json_) out.Append("null");
  }

 private:
  const bool json_;
  std::unique_ptr<CellFormatter> values_;
  const arrow::DictionaryArray* array_ = nullptr;
};

class ExtensionCells final : public CellFormatter {
 public:
  ExtensionCells(const arrow::ExtensionType& type, CellStyle style)
      : storage_(CellFormatter::Make(*type.storage_type(), style)) {}
  void Bind(const arrow::Array& array) override {
    storage_->Bind(*static_cast<const arrow::ExtensionArray&>(array).storage());
  }
  void Append(int64_t row, ByteBuffer& out) override { storage_->Append(row, out); }

 private:
  std::unique_ptr<CellFormatter> storage_;
};

class UnionCells final : public CellFormatter {
 public:
  UnionCells(const arrow::DataType& type, CellStyle style) {
    for (const auto& field : type.fields()) members_.push_back(CellFormatter::Make(*field->type(), style));
  }
  void Bind(const arrow::Array& array) override {
    array_ = static_cast<const arrow::UnionArray*>(&array);
    for (size_t i = 0; i < members_.size(); ++i) members_[i]->Bind(*array_->field(static_cast<int>(i)));
  }
  void Append(int64_t row, ByteBuffer& out) override {
    const int member = array_->child_id(row);
    const bool dense = array_->mode() == arrow::UnionMode::DENSE;
    const int64_t at = dense ? static_cast<const arrow::DenseUnionArray*>(array_)->value_offset(row) : row;
    members_[member]->Append(at, out);
  }

 private:
  std::vector<std::unique_ptr<CellFormatter>> members_;
  const arrow::UnionArray* array_ = nullptr;
};

/// Types that queries do not produce: Arrow's own text.
std::unique_ptr<CellFormatter> OtherCells(CellStyle style) {
  const bool json = style == CellStyle::kJson;
  return Cells<arrow::Array, false>(style, [json](const arrow::Array& array, int64_t row, ByteBuffer& out) {
    const auto scalar = array.GetScalar(row);
    const std::string text = scalar.ok() ? (*scalar)->ToString() : scalar.status().ToString();
    if (json) {
      AppendJsonString(text, out);
    } else {
      out.Append(text);
    }
  });
}

std::unique_ptr<CellFormatter> MakeNested(const arrow::DataType& type, CellStyle style) {
  switch (type.id()) {
    case Type::LIST:
      return MakeListCells<arrow::ListArray>(type, style);
    case Type::LARGE_LIST:
      return MakeListCells<arrow::LargeListArray>(type, style);
    case Type::FIXED_SIZE_LIST:
      return MakeListCells<arrow::FixedSizeListArray>(type, style);
    case Type::LIST_VIEW:
      return MakeListCells<arrow::ListViewArray>(type, style);
    case Type::LARGE_LIST_VIEW:
      return MakeListCells<arrow::LargeListViewArray>(type, style);
    case Type::STRUCT:
      return std::make_unique<StructCells>(type, style);
    case Type::MAP:
      return std::make_unique<MapCells>(static_cast<const arrow::MapType&>(type), style);
    case Type::DICTIONARY:
      return std::make_unique<DictionaryCells>(static_cast<const arrow::DictionaryType&>(type), style);
    case Type::EXTENSION:
      return std::make_unique<ExtensionCells>(static_cast<const arrow::ExtensionType&>(type), style);
    case Type::SPARSE_UNION:
    case Type::DENSE_UNION:
      return std::make_unique<UnionCells>(type, style);
    default:
      return OtherCells(style);
  }
}

std::unique_ptr<CellFormatter> MakeTemporal(const arrow::DataType& type, CellStyle style) {
  switch (type.id()) {
    case Type::DATE32:
      return Cells<arrow::Date32Array, true>(style, [](const arrow::Date32Array& array, int64_t row, ByteBuffer& out) {
        AppendDate(array.Value(row), out);
      });
    case Type::DATE64:
      return Cells<arrow::Date64Array, true>(style, [](const arrow::Date64Array& array, int64_t row, ByteBuffer& out) {
        AppendDate(array.Value(row) / 86'400'000, out);
      });
    case Type::TIME32:
      return TimeCells<arrow::Time32Array, arrow::Time32Type>(type, style);
    case Type::TIME64:
      return TimeCells<arrow::Time64Array, arrow::Time64Type>(type, style);
    case Type::TIMESTAMP:
      return TimestampCells(static_cast<const arrow::TimestampType&>(type), style);
    case Type::DURATION:
      return DurationCells(static_cast<const arrow::DurationType&>(type), style);
    case Type::INTERVAL_MONTH_DAY_NANO:
      return Cells<arrow::MonthDayNanoIntervalArray, true>(
          style, [](const arrow::MonthDayNanoIntervalArray& array, int64_t row, ByteBuffer& out) {
            const auto value = array.GetValue(row);
            AppendInterval(value.months, value.days, value.nanoseconds, out);
          });
    default:
      return MakeNested(type, style);
  }
}

}  // namespace

std::vector<std::string> JsonKeys(const arrow::FieldVector& fields) {
  std::vector<std::string> keys;
  std::set<std::string> used;
  // Of names that there were before: the number that the next such column may have.
  std::map<std::string, int> next_number;
  for (const auto& field : fields) {
    std::string name = field->name();
    if (!used.insert(name).second) {
      int& number = next_number[field->name()];
      do {
        name = field->name() + "_" + std::to_string(++number);
      } while (!used.insert(name).second);
    }
    ByteBuffer key;
    key.Push(keys.empty() ? '{' : ',');
    AppendJsonString(name, key);
    key.Push(':');
    keys.emplace_back(key.view());
  }
  return keys;
}

std::unique_ptr<CellFormatter> CellFormatter::Make(const arrow::DataType& type, CellStyle style) {
  switch (type.id()) {
    case Type::BOOL:
      return Cells<arrow::BooleanArray, false>(style,
                                               [](const arrow::BooleanArray& array, int64_t row, ByteBuffer& out) {
                                                 out.Append(array.Value(row) ? "true" : "false");
                                               });
    case Type::INT8:
      return IntCells<arrow::Int8Array>(style);
    case Type::INT16:
      return IntCells<arrow::Int16Array>(style);
    case Type::INT32:
      return IntCells<arrow::Int32Array>(style);
    case Type::INT64:
      return IntCells<arrow::Int64Array>(style);
    case Type::UINT8:
      return IntCells<arrow::UInt8Array>(style);
    case Type::UINT16:
      return IntCells<arrow::UInt16Array>(style);
    case Type::UINT32:
      return IntCells<arrow::UInt32Array>(style);
    case Type::UINT64:
      return Cells<arrow::UInt64Array, false>(style, [](const arrow::UInt64Array& array, int64_t row, ByteBuffer& out) {
        AppendUint(array.Value(row), out);
      });
    case Type::FLOAT:
      return RealCells<arrow::FloatArray>(style);
    case Type::DOUBLE:
      return RealCells<arrow::DoubleArray>(style);
    case Type::DECIMAL32:
    case Type::DECIMAL64:
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return DecimalCells(static_cast<const arrow::DecimalType&>(type), style);
    case Type::STRING:
      return StringCells<arrow::StringArray>(style);
    case Type::LARGE_STRING:
      return StringCells<arrow::LargeStringArray>(style);
    case Type::STRING_VIEW:
      return StringCells<arrow::StringViewArray>(style);
    case Type::BINARY:
      return BinaryCells<arrow::BinaryArray>(style);
    case Type::LARGE_BINARY:
      return BinaryCells<arrow::LargeBinaryArray>(style);
    case Type::BINARY_VIEW:
      return BinaryCells<arrow::BinaryViewArray>(style);
    case Type::FIXED_SIZE_BINARY:
      return BinaryCells<arrow::FixedSizeBinaryArray>(style);
    default:
      return MakeTemporal(type, style);
  }
}

}  // namespace tarn::frontends
