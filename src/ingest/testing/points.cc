#include "ingest/testing/points.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstdio>

namespace tarn::ingest::testing {
namespace {

std::string ValueText(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::DOUBLE:
      return FloatText(static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::INT64:
      return "i" + std::to_string(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::DECIMAL128:
      return "u" + static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "b1" : "b0";
    case arrow::Type::STRING:
      return "s" + static_cast<const arrow::StringArray&>(array).GetString(row);
    default:
      ADD_FAILURE() << "unexpected type " << array.type()->ToString();
      return "";
  }
}

}  // namespace

std::string FloatText(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "f%a", value);
  return text;
}

std::string ToString(const Point& point) {
  std::string out = point.measurement + " @" + std::to_string(point.nanos);
  for (const auto& [name, value] : point.values) out += " " + name + "=" + value;
  return out;
}

std::vector<Point> PointsOf(const ParsedLines& parsed) {
  std::vector<Point> points;
  for (const MeasurementRows& rows : parsed.measurements) {
    const arrow::RecordBatch& batch = *rows.rows;
    const arrow::Status valid = batch.ValidateFull();
    EXPECT_TRUE(valid.ok()) << valid.ToString();
    EXPECT_GT(batch.num_rows(), 0);
    if (!valid.ok() || batch.num_columns() == 0) continue;
    EXPECT_EQ(batch.schema()->field(0)->ToString(), "time: timestamp[us, tz=UTC]");
    const bool has_remainder = batch.num_columns() > 1 && batch.column_name(1) == "time_ns";
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      Point& point = points.emplace_back();
      point.measurement = rows.measurement;
      point.nanos = static_cast<int64_t>(
          static_cast<uint64_t>(static_cast<const arrow::TimestampArray&>(*batch.column(0)).Value(row)) * 1000);
      if (has_remainder) {
        EXPECT_TRUE(batch.column(1)->IsValid(row));
        const int16_t remainder = static_cast<const arrow::Int16Array&>(*batch.column(1)).Value(row);
        EXPECT_TRUE(remainder >= 0 && remainder < 1000) << remainder;
        point.nanos = static_cast<int64_t>(static_cast<uint64_t>(point.nanos) + static_cast<uint64_t>(remainder));
      }
      for (int i = has_remainder ? 2 : 1; i < batch.num_columns(); ++i) {
        if (batch.column(i)->IsValid(row)) point.values[batch.column_name(i)] = ValueText(*batch.column(i), row);
      }
    }
  }
  return points;
}

std::vector<Point> GroupedByMeasurement(const std::vector<Point>& points) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Point>> by_measurement;
  for (const Point& point : points) {
    std::vector<Point>& group = by_measurement[point.measurement];
    if (group.empty()) order.push_back(point.measurement);
    group.push_back(point);
  }
  std::vector<Point> grouped;
  for (const std::string& measurement : order) {
    for (Point& point : by_measurement[measurement]) grouped.push_back(std::move(point));
  }
  return grouped;
}

}  // namespace tarn::ingest::testing
