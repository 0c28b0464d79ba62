#include "ingest/testing/vectors.h"

#include <arrow/result.h>
#include <arrow/util/base64.h>
#include <gtest/gtest.h>
#include <simdjson.h>

namespace tarn::ingest::testing {
namespace {

using simdjson::dom::element;

/// A JSON string, or {"binary": base64} for bytes that are not text.
std::string TextOf(element json) {
  std::string_view text;
  if (json.get(text) == simdjson::SUCCESS) return std::string(text);
  return arrow::util::base64_decode(std::string_view(json["binary"])).ValueOrDie();
}

std::string ValueOf(element json) {
  for (const auto [kind, value] : simdjson::dom::object(json)) {
    if (kind == "float") return FloatText(double(value));
    if (kind == "int") return "i" + std::to_string(int64_t(value));
    if (kind == "uint") return "u" + std::to_string(uint64_t(value));
    if (kind == "bool") return bool(value) ? "b1" : "b0";
    if (kind == "string") return "s" + TextOf(value);
  }
  ADD_FAILURE() << "a value of no known kind: " << simdjson::minify(json);
  return "";
}

Point PointOf(element json) {
  Point point{.measurement = TextOf(json["name"]), .nanos = int64_t(json["time"]), .values = {}};
  for (const element tag : simdjson::dom::array(json["tags"])) {
    point.values[TextOf(tag["key"])] = "s" + TextOf(tag["value"]);
  }
  for (const element field : simdjson::dom::array(json["fields"])) {
    point.values[TextOf(field["key"])] = ValueOf(field["value"]);
  }
  return point;
}

Precision PrecisionOf(std::string_view text) {
  if (text == "auto") return Precision::kAuto;
  if (text == "s" || text == "1s") return Precision::kSeconds;
  if (text == "ms" || text == "1ms") return Precision::kMilliseconds;
  if (text == "us" || text == "1us") return Precision::kMicroseconds;
  EXPECT_TRUE(text == "ns" || text == "1ns") << text;
  return Precision::kNanoseconds;
}

}  // namespace

std::vector<DecodeVector> LoadGoCorpus(const std::string& path) {
  simdjson::dom::parser parser;
  std::vector<DecodeVector> vectors;
  for (const auto [name, json] : simdjson::dom::object(element(parser.load(path))["decode"])) {
    DecodeVector& vector = vectors.emplace_back();
    vector.name = std::string(name);
    vector.text = TextOf(json["input"]["text"]);
    vector.options.now_nanos = int64_t(json["input"]["defaultTime"]);
    vector.options.precision = PrecisionOf(json["input"]["precision"]);
    vector.options.expand_string_controls = true;
    std::string_view error;
    vector.fails = json["output"]["error"].get(error) == simdjson::SUCCESS;
    vector.error = std::string(error);
    if (vector.fails) continue;
    for (const element point : simdjson::dom::array(json["output"]["result"])) {
      vector.points.push_back(PointOf(point));
    }
    vector.points = GroupedByMeasurement(vector.points);
  }
  return vectors;
}

std::vector<DecodeVector> LoadVectors(const std::string& path) {
  simdjson::dom::parser parser;
  std::vector<DecodeVector> vectors;
  for (const element json : simdjson::dom::array(element(parser.load(path)))) {
    DecodeVector& vector = vectors.emplace_back();
    vector.name = std::string(std::string_view(json["name"]));
    vector.text = TextOf(json["text"]);
    std::string_view precision = "ns";
    if (json["precision"].get(precision) == simdjson::SUCCESS) vector.options.precision = PrecisionOf(precision);
    int64_t now = 0;
    if (json["now"].get(now) == simdjson::SUCCESS) vector.options.now_nanos = now;
    bool expand = false;
    if (json["expand_string_controls"].get(expand) == simdjson::SUCCESS) vector.options.expand_string_controls = expand;
    simdjson::dom::array points;
    if (json["points"].get(points) == simdjson::SUCCESS) {
      for (const element point : points) vector.points.push_back(PointOf(point));
    }
    simdjson::dom::array errors;
    if (json["errors"].get(errors) == simdjson::SUCCESS) {
      for (const element error : errors) {
        vector.faults.push_back(
            {.line_number = int64_t(error["line"]), .reason = std::string(std::string_view(error["reason"]))});
      }
    }
  }
  return vectors;
}

}  // namespace tarn::ingest::testing
