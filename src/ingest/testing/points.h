#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ingest/line_protocol.h"

namespace tarn::ingest::testing {

/// One line as tests compare it. Values are text with a letter for their type: "f0x1.8p+1", "i-3", "u3", "b1", "sabc".
struct Point {
  std::string measurement;
  int64_t nanos = 0;
  /// Tags (as strings) and fields.
  std::map<std::string, std::string> values;
  bool operator==(const Point&) const = default;
};

std::string FloatText(double value);
std::string ToString(const Point& point);

/// The rows of a parse, measurement by measurement. Fails the current test when a batch is not valid Arrow or breaks
/// the contract of MeasurementRows.
std::vector<Point> PointsOf(const ParsedLines& parsed);

/// In the order of PointsOf: by first appearance of the measurement, then as given.
std::vector<Point> GroupedByMeasurement(const std::vector<Point>& points);

}  // namespace tarn::ingest::testing
