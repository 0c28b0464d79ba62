#include "delta/log/parsed_statistics.h"

#include <arrow/api.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "columnar/arrow_status.h"
#include "columnar/decimal_text.h"
#include "columnar/field_match.h"
#include "columnar/json_text.h"
#include "columnar/time_text.h"
#include "columnar/value.h"
#include "delta/files/data_file_writer.h"

namespace tarn::delta {

namespace {

namespace ondemand = simdjson::ondemand;

// Types.

/// Builds the structs of bounds and of counts, depth first, as far as leaves are indexed.
class StatsTypeBuilder {
 public:
  StatsTypeBuilder(columnar::FieldMatch match, int leaves) : match_(match), leaves_(leaves) {}

  void AddColumn(const arrow::Field& field, const std::string& name, arrow::FieldVector& bounds,
                 arrow::FieldVector& counts) {
    if (leaves_ == 0) return;
    if (field.type()->id() == arrow::Type::STRUCT) {
      arrow::FieldVector inner_bounds;
      arrow::FieldVector inner_counts;
      for (const auto& child : field.type()->fields()) {
        const bool by_name = match_ == columnar::FieldMatch::kName;
        AddColumn(*child, by_name ? child->name() : columnar::PhysicalName(*child), inner_bounds, inner_counts);
      }
      // Parquet has no empty groups.
      if (!inner_bounds.empty()) bounds.push_back(arrow::field(name, arrow::struct_(inner_bounds)));
      if (!inner_counts.empty()) counts.push_back(arrow::field(name, arrow::struct_(inner_counts)));
      return;
    }
    if (leaves_ > 0) --leaves_;
    counts.push_back(arrow::field(name, arrow::int64()));
    if (HasBounds(*field.type())) bounds.push_back(arrow::field(name, field.type()));
  }

 private:
  static bool HasBounds(const arrow::DataType& type) {
    switch (type.id()) {
      case arrow::Type::INT8:
      case arrow::Type::INT16:
      case arrow::Type::INT32:
      case arrow::Type::INT64:
      case arrow::Type::FLOAT:
      case arrow::Type::DOUBLE:
      case arrow::Type::DECIMAL128:
      case arrow::Type::DATE32:
      case arrow::Type::TIMESTAMP:
      case arrow::Type::STRING:
        return true;
      default:
        return false;
    }
  }

  const columnar::FieldMatch match_;
  /// How many more; negative for all.
  int leaves_;
};

int IndexedLeaves(const Metadata& metadata) {
  // Columns named one by one may lie anywhere.
  return metadata.configuration.contains("delta.dataSkippingStatsColumns") ? -1 : IndexedColumns(metadata);
}

// Writing.

template <typename Builder, typename Number>
arrow::Status AppendNumber(arrow::ArrayBuilder& builder, std::string_view token) {
  Number number{};
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc() || end != token.data() + token.size()) return builder.AppendNull();
  return static_cast<Builder&>(builder).Append(number);
}

arrow::Status AppendDecimalText(arrow::ArrayBuilder& builder, std::string_view text) {
  const auto& type = static_cast<const arrow::Decimal128Type&>(*builder.type());
  const auto decimal = columnar::ParseDecimal(text, type.precision(), type.scale());
  if (!decimal.has_value()) return builder.AppendNull();
  const auto high = static_cast<int64_t>(decimal->unscaled >> 64);
  const auto low = static_cast<uint64_t>(decimal->unscaled);
  return static_cast<arrow::Decimal128Builder&>(builder).Append(arrow::Decimal128(high, low));
}

/// A leaf out of a JSON number.
arrow::Status AppendNumberToken(arrow::ArrayBuilder& builder, std::string_view token) {
  switch (builder.type()->id()) {
    case arrow::Type::INT8:
      return AppendNumber<arrow::Int8Builder, int8_t>(builder, token);
    case arrow::Type::INT16:
      return AppendNumber<arrow::Int16Builder, int16_t>(builder, token);
    case arrow::Type::INT32:
      return AppendNumber<arrow::Int32Builder, int32_t>(builder, token);
    case arrow::Type::INT64:
      return AppendNumber<arrow::Int64Builder, int64_t>(builder, token);
    case arrow::Type::FLOAT:
      return AppendNumber<arrow::FloatBuilder, float>(builder, token);
    case arrow::Type::DOUBLE:
      return AppendNumber<arrow::DoubleBuilder, double>(builder, token);
    case arrow::Type::DECIMAL128:
      return AppendDecimalText(builder, token);
    default:
      return builder.AppendNull();
  }
}

/// A leaf out of a text: a JSON string, or a partition value that is no number.
arrow::Status AppendText(arrow::ArrayBuilder& builder, std::string_view text) {
  switch (builder.type()->id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return static_cast<arrow::BinaryBuilder&>(builder).Append(text);
    case arrow::Type::BOOL:
      if (text != "true" && text != "false") return builder.AppendNull();
      return static_cast<arrow::BooleanBuilder&>(builder).Append(text == "true");
    case arrow::Type::DATE32: {
      const auto days = columnar::ParseDate(text);
      if (!days.has_value()) return builder.AppendNull();
      return static_cast<arrow::Date32Builder&>(builder).Append(static_cast<int32_t>(*days));
    }
    case arrow::Type::TIMESTAMP: {
      const auto timestamp = columnar::ParseTimestamp(text);
      if (!timestamp.has_value()) return builder.AppendNull();
      return static_cast<arrow::TimestampBuilder&>(builder).Append(timestamp->micros);
    }
    default:
      return AppendNumberToken(builder, text);
  }
}

std::string_view Trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : token.substr(0, end + 1);
}

arrow::Status AppendObject(arrow::StructBuilder& builder, const arrow::DataType& type, ondemand::object object);

/// `type` is the builder's, which a struct builder would put together anew at each call.
arrow::Status AppendValue(arrow::ArrayBuilder& builder, const arrow::DataType& type, ondemand::value value) {
  ondemand::json_type kind;
  if (value.type().get(kind) != simdjson::SUCCESS) return builder.AppendNull();
  if (type.id() == arrow::Type::STRUCT) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return builder.AppendNull();
    return AppendObject(static_cast<arrow::StructBuilder&>(builder), type, object);
  }
  if (kind == ondemand::json_type::number) return AppendNumberToken(builder, Trimmed(value.raw_json_token()));
  if (kind == ondemand::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return builder.AppendNull();
    return AppendText(builder, text);
  }
  bool flag = false;
  if (type.id() == arrow::Type::BOOL && value.get_bool().get(flag) == simdjson::SUCCESS) {
    return static_cast<arrow::BooleanBuilder&>(builder).Append(flag);
  }
  return builder.AppendNull();
}

/// Appends a struct of the fields that the object has, the others null; what is malformed ends it early.
arrow::Status AppendObject(arrow::StructBuilder& builder, const arrow::DataType& type, ondemand::object object) {
  const auto& record = static_cast<const arrow::StructType&>(type);
  std::vector<bool> given(static_cast<size_t>(type.num_fields()));
  ARROW_RETURN_NOT_OK(builder.Append());
  for (auto result : object) {
    ondemand::field field;
    std::string_view key;
    if (std::move(result).get(field) != simdjson::SUCCESS || field.unescaped_key().get(key) != simdjson::SUCCESS) break;
    const int child = record.GetFieldIndex(std::string(key));
    if (child < 0 || given[static_cast<size_t>(child)]) continue;
    given[static_cast<size_t>(child)] = true;
    ARROW_RETURN_NOT_OK(AppendValue(*builder.child(child), *type.field(child)->type(), field.value()));
  }
  for (int child = 0; child < type.num_fields(); ++child) {
    if (!given[static_cast<size_t>(child)]) ARROW_RETURN_NOT_OK(builder.child(child)->AppendNull());
  }
  return arrow::Status::OK();
}

// Reading.

bool AppendJson(const arrow::Array& array, int64_t row, std::string& out);

template <typename Array>
bool AppendInteger(const arrow::Array& array, int64_t row, std::string& out) {
  out += std::to_string(static_cast<const Array&>(array).Value(row));
  return true;
}

bool AppendFloating(double value, std::string& out) {
  if (!std::isfinite(value)) return false;
  columnar::AppendJsonDouble(out, value);
  return true;
}

bool AppendDecimalValue(const arrow::Array& array, int64_t row, std::string& out) {
  const arrow::Decimal128 decimal(static_cast<const arrow::Decimal128Array&>(array).GetValue(row));
  const __int128 unscaled =
      static_cast<__int128>((static_cast<unsigned __int128>(decimal.high_bits()) << 64) | decimal.low_bits());
  columnar::AppendDecimal(out, {unscaled, static_cast<const arrow::DecimalType&>(*array.type()).scale()});
  return true;
}

bool AppendTimestampValue(const arrow::Array& array, int64_t row, std::string& out) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  int64_t micros = static_cast<const arrow::TimestampArray&>(array).Value(row);
  if (type.unit() == arrow::TimeUnit::NANO) {
    micros = micros / 1000 - static_cast<int64_t>(micros % 1000 < 0);
  } else if (type.unit() == arrow::TimeUnit::MILLI && std::abs(micros) < std::numeric_limits<int64_t>::max() / 1000) {
    micros *= 1000;
  } else if (type.unit() != arrow::TimeUnit::MICRO) {
    return false;
  }
  out += '"';
  columnar::AppendTimestamp(
      out, micros, type.timezone().empty() ? columnar::TimestampStyle::kZoneless : columnar::TimestampStyle::kUtc);
  out += '"';
  return true;
}

bool AppendStruct(const arrow::Array& array, int64_t row, std::string& out) {
  const auto& record = static_cast<const arrow::StructArray&>(array);
  out += '{';
  bool first = true;
  for (int child = 0; child < record.num_fields(); ++child) {
    const auto field = record.field(child);
    if (field->IsNull(row)) continue;
    const size_t before = out.size();
    if (!first) out += ',';
    columnar::AppendJsonString(out, record.struct_type()->field(child)->name());
    out += ':';
    if (AppendJson(*field, row, out)) {
      first = false;
    } else {
      out.resize(before);
    }
  }
  out += '}';
  return true;
}

/// False when the value has no JSON form here; what was appended then is taken back by the caller.
bool AppendJson(const arrow::Array& array, int64_t row, std::string& out) {
  switch (array.type_id()) {
    case arrow::Type::STRUCT:
      return AppendStruct(array, row, out);
    case arrow::Type::BOOL:
      out += static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
      return true;
    case arrow::Type::INT8:
      return AppendInteger<arrow::Int8Array>(array, row, out);
    case arrow::Type::INT16:
      return AppendInteger<arrow::Int16Array>(array, row, out);
    case arrow::Type::INT32:
      return AppendInteger<arrow::Int32Array>(array, row, out);
    case arrow::Type::INT64:
      return AppendInteger<arrow::Int64Array>(array, row, out);
    case arrow::Type::FLOAT:
      return AppendFloating(static_cast<const arrow::FloatArray&>(array).Value(row), out);
    case arrow::Type::DOUBLE:
      return AppendFloating(static_cast<const arrow::DoubleArray&>(array).Value(row), out);
    case arrow::Type::DECIMAL128:
      return AppendDecimalValue(array, row, out);
    case arrow::Type::DATE32:
      out += '"';
      columnar::AppendDate(out, static_cast<const arrow::Date32Array&>(array).Value(row));
      out += '"';
      return true;
    case arrow::Type::TIMESTAMP:
      return AppendTimestampValue(array, row, out);
    case arrow::Type::STRING:
      columnar::AppendJsonString(out, static_cast<const arrow::StringArray&>(array).GetView(row));
      return true;
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> ParsedStatsType(const Snapshot& snapshot) {
  StatsTypeBuilder builder(snapshot.field_match(), IndexedLeaves(snapshot.metadata()));
  arrow::FieldVector bounds;
  arrow::FieldVector counts;
  const auto& partitions = snapshot.partition_columns();
  for (int column = 0; column < snapshot.schema()->num_fields(); ++column) {
    if (std::find(partitions.begin(), partitions.end(), column) != partitions.end()) continue;
    builder.AddColumn(*snapshot.schema()->field(column), snapshot.StoredName(column), bounds, counts);
  }
  arrow::FieldVector fields = {arrow::field("numRecords", arrow::int64())};
  if (!bounds.empty()) {
    fields.push_back(arrow::field("minValues", arrow::struct_(bounds)));
    fields.push_back(arrow::field("maxValues", arrow::struct_(bounds)));
  }
  if (!counts.empty()) fields.push_back(arrow::field("nullCount", arrow::struct_(counts)));
  fields.push_back(arrow::field("tightBounds", arrow::boolean()));
  return arrow::struct_(std::move(fields));
}

std::shared_ptr<arrow::DataType> ParsedPartitionType(const Snapshot& snapshot) {
  arrow::FieldVector fields;
  for (const int column : snapshot.partition_columns()) {
    fields.push_back(arrow::field(snapshot.StoredName(column), snapshot.schema()->field(column)->type()));
  }
  return fields.empty() ? nullptr : arrow::struct_(std::move(fields));
}

Status AppendParsedStats(arrow::ArrayBuilder& builder, const arrow::DataType& type, std::string_view stats) {
  if (stats.empty()) return columnar::FromArrow(builder.AppendNull());
  const simdjson::padded_string padded(stats);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return columnar::FromArrow(builder.AppendNull());
  }
  return columnar::FromArrow(AppendObject(static_cast<arrow::StructBuilder&>(builder), type, object));
}

Status AppendParsedPartition(arrow::ArrayBuilder& builder, const arrow::DataType& type, const PartitionValues& values) {
  auto& row = static_cast<arrow::StructBuilder&>(builder);
  TARN_RETURN_ARROW_NOT_OK(row.Append());
  for (int child = 0; child < row.num_children(); ++child) {
    const std::string& name = type.field(child)->name();
    const auto found = std::find_if(values.begin(), values.end(), [&](const auto& pair) { return pair.first == name; });
    const bool is_null = found == values.end() || !found->second.has_value() || found->second->empty();
    TARN_RETURN_ARROW_NOT_OK(is_null ? row.child(child)->AppendNull() : AppendText(*row.child(child), *found->second));
  }
  return Status::Ok();
}

std::string StatsTextOf(const arrow::Array& stats_parsed, int64_t row) {
  std::string text;
  if (stats_parsed.type_id() == arrow::Type::STRUCT && stats_parsed.IsValid(row)) {
    AppendStruct(stats_parsed, row, text);
  }
  return text;
}

}  // namespace tarn::delta
