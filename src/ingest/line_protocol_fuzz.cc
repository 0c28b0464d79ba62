// Any bytes: never a crash, every line kept or reported, valid Arrow, the same result twice, and the same as the slow
// reference wherever that has no limits to know of.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "ingest/line_protocol.h"
#include "ingest/testing/reference_parser.h"

namespace {

using namespace tarn::ingest;  // NOLINT(google-build-using-namespace)

void CheckSame(const ParsedLines& a, const ParsedLines& b) {
  TARN_CHECK(a.measurements.size() == b.measurements.size() && a.error_count == b.error_count);
  for (size_t i = 0; i < a.measurements.size(); ++i) {
    TARN_CHECK(a.measurements[i].measurement == b.measurements[i].measurement);
    // Bit by bit, as NaN never occurs but -0 does.
    TARN_CHECK(a.measurements[i].rows->Equals(*b.measurements[i].rows));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  LineProtocolOptions options;
  options.precision = static_cast<Precision>(data[0] % 5);
  options.expand_string_controls = (data[0] & 8) != 0;
  options.now_nanos = 1'700'000'000'123'456'789;
  options.max_errors = SIZE_MAX;
  const auto schema = arrow::schema({arrow::field("time", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                                     arrow::field("t", arrow::utf8()), arrow::field("f", arrow::float64()),
                                     arrow::field("d", arrow::date32()), arrow::field("time_ns", arrow::int16())});
  const bool with_table = (data[0] & 16) != 0;
  if (with_table) {
    options.schema_of = [&](std::string_view name) { return name.size() % 2 == 0 ? schema : nullptr; };
  }
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);

  const ParsedLines parsed = ParseLineProtocol(body, options);
  int64_t rows = 0;
  for (const MeasurementRows& measurement : parsed.measurements) {
    TARN_CHECK(measurement.rows->num_rows() > 0);
    TARN_CHECK(measurement.rows->ValidateFull().ok());
    rows += measurement.rows->num_rows();
  }
  TARN_CHECK(rows == parsed.lines_kept);
  TARN_CHECK(static_cast<int64_t>(parsed.errors.size()) == parsed.error_count);
  CheckSame(parsed, ParseLineProtocol(body, options));

  const testing::ReferenceResult reference = testing::ParseByReference(body, options);
  TARN_CHECK(static_cast<int64_t>(reference.points.size() + reference.bad_lines.size()) ==
             parsed.lines_kept + parsed.error_count);
  if (!with_table) {
    TARN_CHECK(static_cast<int64_t>(reference.points.size()) == parsed.lines_kept);
    TARN_CHECK(testing::PointsOf(parsed) == reference.points);
    for (size_t i = 0; i < parsed.errors.size(); ++i) {
      TARN_CHECK(parsed.errors[i].line_number == reference.bad_lines[i]);
    }
  }
  return 0;
}
