#include "columnar/column_statistics.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/bit_run_reader.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "columnar/arrow_status.h"
#include "columnar/decimal_text.h"
#include "columnar/json_text.h"
#include "columnar/time_text.h"

namespace tarn::columnar {

/// One column or member of a struct. A bound appends its JSON and says whether there is one; a struct's is an object of
/// its members'.
class StatisticsCollector::Column {
 public:
  explicit Column(std::string name) : name_(std::move(name)) {}
  virtual ~Column() = default;
  virtual Status Observe(const arrow::Array& array) = 0;
  virtual bool AppendMin(std::string& out) const = 0;
  virtual bool AppendMax(std::string& out) const = 0;
  virtual bool AppendNullCount(std::string& out) const = 0;
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
};

namespace {

using Column = StatisticsCollector::Column;
using Columns = std::vector<std::unique_ptr<Column>>;

/// Appends {"name":bound,…} of those columns that have one; false, and nothing appended, when none has.
bool AppendMembers(std::string& out, const Columns& columns, bool (Column::*append)(std::string&) const) {
  const size_t start = out.size();
  bool any = false;
  for (const auto& column : columns) {
    const size_t before = out.size();
    out.push_back(any ? ',' : '{');
    AppendJsonString(out, column->name());
    out.push_back(':');
    if ((column.get()->*append)(out)) {
      any = true;
    } else {
      out.resize(before);
    }
  }
  if (any) {
    out.push_back('}');
  } else {
    out.resize(start);
  }
  return any;
}

/// Counts nulls; the whole statistics of booleans, binary, lists and maps.
class NullCountColumn : public Column {
 public:
  using Column::Column;
  Status Observe(const arrow::Array& array) override {
    null_count_ += array.null_count();
    return Status::Ok();
  }
  bool AppendMin(std::string& /*out*/) const override { return false; }
  bool AppendMax(std::string& /*out*/) const override { return false; }
  bool AppendNullCount(std::string& out) const override {
    out.append(std::to_string(null_count_));
    return true;
  }

 private:
  int64_t null_count_ = 0;
};

/// Calls `visit(begin, end)` for each run of positions that are not null, relative to the array's own offset.
template <typename Visit>
void VisitValidRuns(const arrow::Array& array, Visit&& visit) {
  if (array.null_count() == 0) {
    if (array.length() > 0) visit(int64_t{0}, array.length());
    return;
  }
  arrow::internal::VisitSetBitRunsVoid(array.null_bitmap_data(), array.offset(), array.length(),
                                       [&](int64_t start, int64_t length) { visit(start, start + length); });
}

/// Minimum and maximum over a dense run, in independent lanes so that the loop is not one chain of dependent steps.
template <typename T>
void ReduceRun(const T* values, int64_t count, T& min, T& max) {
  constexpr int64_t kLanes = 8;
  T low[kLanes];
  T high[kLanes];
  std::fill_n(low, kLanes, min);
  std::fill_n(high, kLanes, max);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const T value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < count; ++i) {
    low[0] = values[i] < low[0] ? values[i] : low[0];
    high[0] = values[i] > high[0] ? values[i] : high[0];
  }
  min = *std::min_element(low, low + kLanes);
  max = *std::max_element(high, high + kLanes);
}

/// Integers, dates and timestamps: everything whose physical values order as they are.
template <typename ArrowType>
class IntegerColumn final : public NullCountColumn {
 public:
  using CType = typename ArrowType::c_type;
  IntegerColumn(std::string name, std::shared_ptr<arrow::DataType> type)
      : NullCountColumn(std::move(name)), type_(std::move(type)) {}

  Status Observe(const arrow::Array& array) override {
    const CType* values = static_cast<const arrow::NumericArray<ArrowType>&>(array).raw_values();
    VisitValidRuns(array, [&](int64_t begin, int64_t end) { ReduceRun(values + begin, end - begin, min_, max_); });
    any_ = any_ || array.null_count() < array.length();
    return NullCountColumn::Observe(array);
  }
  bool AppendMin(std::string& out) const override { return any_ && Append(out, min_); }
  bool AppendMax(std::string& out) const override { return any_ && Append(out, max_); }

 private:
  bool Append(std::string& out, int64_t value) const;

  const std::shared_ptr<arrow::DataType> type_;
  CType min_ = std::numeric_limits<CType>::max();
  CType max_ = std::numeric_limits<CType>::min();
  bool any_ = false;
};

template <typename ArrowType>
bool IntegerColumn<ArrowType>::Append(std::string& out, int64_t value) const {
  if constexpr (std::is_same_v<ArrowType, arrow::Date32Type>) {
    if (!HasPlainYear(value)) return false;
    out.push_back('"');
    AppendDate(out, value);
    out.push_back('"');
  } else if constexpr (std::is_same_v<ArrowType, arrow::TimestampType>) {
    if (!HasPlainYear(DayOfMicros(value))) return false;
    const bool zoned = !static_cast<const arrow::TimestampType&>(*type_).timezone().empty();
    out.push_back('"');
    AppendTimestamp(out, value, zoned ? TimestampStyle::kUtc : TimestampStyle::kZoneless);
    out.push_back('"');
  } else {
    out.append(std::to_string(value));
  }
  return true;
}

template <typename ArrowType>
class FloatColumn final : public NullCountColumn {
 public:
  using CType = typename ArrowType::c_type;
  using NullCountColumn::NullCountColumn;

  Status Observe(const arrow::Array& array) override {
    const CType* values = static_cast<const arrow::NumericArray<ArrowType>&>(array).raw_values();
    VisitValidRuns(array, [&](int64_t begin, int64_t end) {
      if (has_nan_) return;
      ReduceRun(values + begin, end - begin, min_, max_);
      bool nan = false;
      for (int64_t i = begin; i < end; ++i) nan |= values[i] != values[i];
      has_nan_ = nan;
    });
    any_ = any_ || array.null_count() < array.length();
    return NullCountColumn::Observe(array);
  }
  // A zero of either sign is written as the one that bounds both.
  bool AppendMin(std::string& out) const override { return Append(out, min_ == 0 ? -0.0 : static_cast<double>(min_)); }
  bool AppendMax(std::string& out) const override { return Append(out, max_ == 0 ? 0.0 : static_cast<double>(max_)); }

 private:
  // A float is written with the digits of its double, so that both a reader that parses floats and one that parses
  // doubles get exactly the value in the file.
  bool Append(std::string& out, double value) const {
    if (!any_ || has_nan_ || !std::isfinite(value)) return false;
    AppendJsonDouble(out, value);
    return true;
  }

  CType min_ = std::numeric_limits<CType>::infinity();
  CType max_ = -std::numeric_limits<CType>::infinity();
  bool any_ = false;
  bool has_nan_ = false;
};

class DecimalColumn final : public NullCountColumn {
 public:
  DecimalColumn(std::string name, int32_t scale) : NullCountColumn(std::move(name)), scale_(scale) {}

  Status Observe(const arrow::Array& array) override {
    const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
    VisitValidRuns(array, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        __int128 value;
        std::memcpy(&value, decimals.GetValue(i), sizeof(value));
        if (!any_ || value < min_) min_ = value;
        if (!any_ || value > max_) max_ = value;
        any_ = true;
      }
    });
    return NullCountColumn::Observe(array);
  }
  bool AppendMin(std::string& out) const override { return Append(out, min_); }
  bool AppendMax(std::string& out) const override { return Append(out, max_); }

 private:
  bool Append(std::string& out, __int128 value) const {
    if (any_) AppendDecimal(out, {value, scale_});
    return any_;
  }

  const int32_t scale_;
  __int128 min_ = 0;
  __int128 max_ = 0;
  bool any_ = false;
};

/// How much of a text a bound shows, in code points (as Spark and delta-rs do).
constexpr size_t kMaxBoundCodePoints = 32;

/// Bytes of the first `count` code points of valid UTF-8.
size_t PrefixBytes(std::string_view text, size_t count) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const bool begins_code_point = (static_cast<unsigned char>(text[bytes]) & 0xC0) != 0x80;
    if (begins_code_point && count-- == 0) break;
    ++bytes;
  }
  return bytes;
}

bool AppendTextMin(std::string& out, std::string_view min) {
  if (!simdjson::validate_utf8(min.data(), min.size())) return false;
  AppendJsonString(out, min.substr(0, PrefixBytes(min, kMaxBoundCodePoints)));
  return true;
}

/// A prefix of a longer text sorts below it, so a character that sorts above the first one cut off is put behind it.
bool AppendTextMax(std::string& out, std::string_view max) {
  if (!simdjson::validate_utf8(max.data(), max.size())) return false;
  const size_t bytes = PrefixBytes(max, kMaxBoundCodePoints);
  std::string bound(max.substr(0, bytes));
  if (bytes < max.size()) {
    constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
    constexpr std::string_view kHighest = "\xF4\x8F\xBF\xBF";  // U+10FFFF
    const std::string_view next = max.substr(bytes, PrefixBytes(max.substr(bytes), 1));
    if (next == kHighest) return false;
    bound.append(next < kReplacement ? kReplacement : kHighest);
  }
  AppendJsonString(out, bound);
  return true;
}

class TextColumn final : public NullCountColumn {
 public:
  using NullCountColumn::NullCountColumn;

  Status Observe(const arrow::Array& array) override {
    const auto& texts = static_cast<const arrow::StringArray&>(array);
    // Views into the batch while it is here; copied once at its end.
    std::optional<std::string_view> min = min_;
    std::optional<std::string_view> max = max_;
    VisitValidRuns(array, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const std::string_view text = texts.Value(i);
        if (!min || text < *min) min = text;
        if (!max || text > *max) max = text;
      }
    });
    Keep(min, min_);
    Keep(max, max_);
    return NullCountColumn::Observe(array);
  }
  bool AppendMin(std::string& out) const override { return min_ && AppendTextMin(out, *min_); }
  bool AppendMax(std::string& out) const override { return max_ && AppendTextMax(out, *max_); }

 private:
  static void Keep(std::optional<std::string_view> found, std::optional<std::string>& kept) {
    if (found && (!kept || found->data() != kept->data())) kept = std::string(*found);
  }

  std::optional<std::string> min_;
  std::optional<std::string> max_;
};

class StructColumn final : public Column {
 public:
  StructColumn(std::string name, Columns members) : Column(std::move(name)), members_(std::move(members)) {}

  Status Observe(const arrow::Array& array) override {
    const auto& structs = static_cast<const arrow::StructArray&>(array);
    for (size_t i = 0; i < members_.size(); ++i) {
      const int index = static_cast<int>(i);
      // A member below a null struct is null, whatever its own bitmap says.
      std::shared_ptr<arrow::Array> member = structs.field(index);
      if (structs.null_count() > 0) {
        TARN_ASSIGN_OR_RETURN_ARROW(member, structs.GetFlattenedField(index));
      }
      TARN_RETURN_NOT_OK(members_[i]->Observe(*member));
    }
    return Status::Ok();
  }
  bool AppendMin(std::string& out) const override { return AppendMembers(out, members_, &Column::AppendMin); }
  bool AppendMax(std::string& out) const override { return AppendMembers(out, members_, &Column::AppendMax); }
  bool AppendNullCount(std::string& out) const override {
    return AppendMembers(out, members_, &Column::AppendNullCount);
  }

 private:
  /// The leading members that take part.
  const Columns members_;
};

/// A leaf that takes no part.
class IgnoredColumn final : public Column {
 public:
  using Column::Column;
  Status Observe(const arrow::Array&) override { return Status::Ok(); }
  bool AppendMin(std::string&) const override { return false; }
  bool AppendMax(std::string&) const override { return false; }
  bool AppendNullCount(std::string&) const override { return false; }
};

/// Which of the leaves take part, asked for one after the other.
class Leaves {
 public:
  Leaves(int leading, const std::vector<bool>& chosen)
      : left_(leading < 0 ? std::numeric_limits<int64_t>::max() : leading), chosen_(chosen) {}

  bool TakeNext() {
    if (chosen_.empty()) return left_ > 0 && left_-- > 0;
    const size_t at = next_++;
    return at < chosen_.size() && chosen_[at];
  }
  /// Whether no further one does.
  bool AreUsedUp() const { return chosen_.empty() ? left_ == 0 : next_ >= chosen_.size(); }

 private:
  int64_t left_;
  const std::vector<bool>& chosen_;
  size_t next_ = 0;
};

std::unique_ptr<Column> MakeColumn(const arrow::Field& field, Leaves& leaves);

/// Columns for the leading fields until the leaves are used up.
Columns MakeColumns(const arrow::FieldVector& fields, Leaves& leaves) {
  Columns columns;
  for (const auto& field : fields) {
    if (leaves.AreUsedUp()) break;
    columns.push_back(MakeColumn(*field, leaves));
  }
  return columns;
}

std::unique_ptr<Column> MakeColumn(const arrow::Field& field, Leaves& leaves) {
  const std::string& name = field.name();
  const auto& type = field.type();
  if (type->id() == arrow::Type::STRUCT) {
    return std::make_unique<StructColumn>(name, MakeColumns(type->fields(), leaves));
  }
  if (!leaves.TakeNext()) return std::make_unique<IgnoredColumn>(name);
  switch (type->id()) {
    case arrow::Type::INT8:
      return std::make_unique<IntegerColumn<arrow::Int8Type>>(name, type);
    case arrow::Type::INT16:
      return std::make_unique<IntegerColumn<arrow::Int16Type>>(name, type);
    case arrow::Type::INT32:
      return std::make_unique<IntegerColumn<arrow::Int32Type>>(name, type);
    case arrow::Type::INT64:
      return std::make_unique<IntegerColumn<arrow::Int64Type>>(name, type);
    case arrow::Type::DATE32:
      return std::make_unique<IntegerColumn<arrow::Date32Type>>(name, type);
    case arrow::Type::TIMESTAMP:
      return std::make_unique<IntegerColumn<arrow::TimestampType>>(name, type);
    case arrow::Type::FLOAT:
      return std::make_unique<FloatColumn<arrow::FloatType>>(name);
    case arrow::Type::DOUBLE:
      return std::make_unique<FloatColumn<arrow::DoubleType>>(name);
    case arrow::Type::DECIMAL128:
      return std::make_unique<DecimalColumn>(name, static_cast<const arrow::Decimal128Type&>(*type).scale());
    case arrow::Type::STRING:
      return std::make_unique<TextColumn>(name);
    default:
      return std::make_unique<NullCountColumn>(name);
  }
}

}  // namespace

StatisticsCollector::StatisticsCollector(const arrow::Schema& schema, int indexed_columns,
                                         const std::vector<bool>& chosen) {
  Leaves leaves(indexed_columns, chosen);
  columns_ = MakeColumns(schema.fields(), leaves);
}

StatisticsCollector::~StatisticsCollector() = default;

Status StatisticsCollector::Observe(const arrow::RecordBatch& batch) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    TARN_RETURN_NOT_OK(columns_[i]->Observe(*batch.column(static_cast<int>(i))));
  }
  num_records_ += batch.num_rows();
  return Status::Ok();
}

std::string StatisticsCollector::ToJson() const {
  std::string json = R"({"numRecords":)" + std::to_string(num_records_);
  const auto append = [&](std::string_view key, bool (Column::*bound)(std::string&) const) {
    json.append(key);
    if (!AppendMembers(json, columns_, bound)) json.append("{}");
  };
  append(R"(,"minValues":)", &Column::AppendMin);
  append(R"(,"maxValues":)", &Column::AppendMax);
  append(R"(,"nullCount":)", &Column::AppendNullCount);
  json.push_back('}');
  return json;
}

}  // namespace tarn::columnar
