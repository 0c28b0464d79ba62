#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::ingest {

/// Unit of the timestamps in a body; kAuto decides by magnitude (< 5e9 s, < 5e12 ms, < 5e15 us, else ns).
enum class Precision : uint8_t { kNanoseconds, kMicroseconds, kMilliseconds, kSeconds, kAuto, kMinutes, kHours };

/// One line that was not kept.
struct LineError {
  /// From 1, counting every line of the body, blank and comment lines included.
  int64_t line_number = 0;
  std::string reason;
  /// The line itself, cut to a bounded length at a character border.
  std::string original_line;
};

/// The rows of one measurement: columns `time` (timestamp[us, UTC]), `time_ns` (int16, only once a remainder was seen),
/// tags (utf8), fields (double, int64, uint64 as decimal(20,0), utf8, boolean), in order of first appearance, tags
/// first.
struct MeasurementRows {
  std::string measurement;
  std::shared_ptr<arrow::RecordBatch> rows;
  /// Of each row the place of its line in the body.
  std::vector<size_t> lines;
};

/// A line that must not be kept, whatever is in it.
struct RefusedLine {
  /// As MeasurementRows has it.
  size_t place = 0;
  std::string_view reason;
};

struct ParsedLines {
  std::vector<MeasurementRows> measurements;
  std::vector<LineError> errors;
  /// Errors beyond the bound on `errors` are only counted.
  int64_t error_count = 0;
  int64_t lines_kept = 0;
  int64_t values_kept = 0;
};

struct LineProtocolOptions {
  Precision precision = Precision::kNanoseconds;
  /// For lines without a timestamp, truncated to the precision.
  int64_t now_nanos = 0;
  /// The columns that a measurement's table already has, or null when it does not exist. A line that does not fit is an
  /// error of that line; a status that is not OK makes errors of all lines of the measurement. Asked once per body.
  std::function<Result<std::shared_ptr<arrow::Schema>>(std::string_view measurement)> schema_of;
  /// Whether a table of this name may be written; when not, its lines are errors with that message. Null allows all.
  std::function<Status(std::string_view measurement)> check_measurement;
  /// In the order of places.
  std::vector<RefusedLine> refused_lines;
  /// Reads `\n`, `\r` and `\t` in strings as control characters, as the Go library does; InfluxDB and Telegraf keep
  /// both characters.
  bool expand_string_controls = false;
  size_t max_errors = 1000;
  size_t max_line_bytes = 4 << 20;
};

/// Parses a body of line protocol (docs/formats/line_protocol.md has the grammar and the dialect). Never fails as a
/// whole: each bad line is reported and the others are kept. Thread-safe; keeps no state.
ParsedLines ParseLineProtocol(std::string_view body, const LineProtocolOptions& options);

}  // namespace tarn::ingest
