#include "ingest/write_service.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "ingest/measurement.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

// A conflict needs another writer that adds a column in between; losing this often in a row means overload.
constexpr int kMaxAttempts = 8;

/// A verdict on the rows, or on a table that takes none: the fault of the lines that go there. All else may pass, a
/// damaged table too, and refuses the body as a whole, so that it can be sent again without a row kept twice.
bool BlamesLines(const Status& status) {
  return status.Is(StatusCode::kInvalidArgument) || status.Is(StatusCode::kUnsupported) ||
         status.Is(StatusCode::kNotFound);
}

/// One write: what is known of its tables, and the attempts to append it.
class Write {
 public:
  Write(lake::Lake& lake, std::string database, const WriteOptions& write, int64_t now_nanos)
      : lake_(lake), database_(std::move(database)), accept_partial_(write.accept_partial) {
    options_.precision = write.precision;
    options_.now_nanos = now_nanos;
    options_.check_measurement = [this](std::string_view measurement) { return CheckMeasurement(measurement); };
    options_.schema_of = [this](std::string_view measurement) { return SchemaOf(measurement); };
  }

  WriteOutcome Run(std::string_view body) {
    Status status = Status::Conflict("its constraints refused other lines each time");
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      passing_fault_ = Status::Ok();
      ParsedLines parsed = ParseLineProtocol(body, options_);
      if (!passing_fault_.ok()) return {.status = passing_fault_};
      if (!accept_partial_ && parsed.error_count > 0) {
        return {.errors = std::move(parsed.errors), .error_count = parsed.error_count};
      }
      if (RefuseViolations(parsed)) continue;
      status = Append(parsed);
      if (status.ok()) {
        return {.errors = std::move(parsed.errors), .error_count = parsed.error_count, .lines_kept = parsed.lines_kept};
      }
      if (status.Is(StatusCode::kConflict)) continue;
      if (!BlamesLines(status) || !RefuseMeasurements(parsed)) return {.status = status};
    }
    // The client did nothing wrong and may try again.
    return {.status = Status::Unavailable("the table's schema kept changing: " + status.message())};
  }

 private:
  Status CheckMeasurement(std::string_view measurement) const {
    const auto refused = refused_.find(measurement);
    if (refused != refused_.end()) return Status::InvalidArgument(refused->second);
    return lake::CheckTableName({database_, std::string(measurement)});
  }

  Result<std::shared_ptr<arrow::Schema>> SchemaOf(std::string_view measurement) {
    auto schema = lake_.SchemaOf({database_, std::string(measurement)});
    const Status status = schema.status();
    if (status.Is(StatusCode::kNotFound)) return std::shared_ptr<arrow::Schema>();
    if (status.ok()) return schema;
    if (!BlamesLines(status)) {
      if (passing_fault_.ok()) passing_fault_ = status;
      return status;
    }
    return Status::InvalidArgument(refused_.emplace(measurement, status.message()).first->second);
  }

  // Finds the rows that break a constraint of their table and refuses their lines from now on. False when there is
  // none.
  bool RefuseViolations(const ParsedLines& parsed) {
    const size_t refused_before = options_.refused_lines.size();
    for (const MeasurementRows& rows : parsed.measurements) {
      // What Append will not take is for Append to say.
      const auto refusals = lake_.Violations({.name = {database_, rows.measurement}, .rows = rows.rows});
      if (!refusals.ok()) continue;
      for (const lake::RowRefusal& refusal : *refusals) {
        const std::string& reason = *reasons_.insert(refusal.reason).first;
        for (const int64_t row : refusal.rows) {
          options_.refused_lines.push_back({rows.lines[static_cast<size_t>(row)], reason});
        }
      }
    }
    std::ranges::sort(options_.refused_lines, {}, &RefusedLine::place);
    return options_.refused_lines.size() > refused_before;
  }

  Status Append(const ParsedLines& parsed) {
    if (parsed.measurements.empty()) return Status::Ok();
    std::vector<lake::TableBatch> batches;
    batches.reserve(parsed.measurements.size());
    for (const MeasurementRows& rows : parsed.measurements) {
      batches.push_back({.name = {database_, rows.measurement}, .rows = rows.rows});
    }
    return lake_.Append(std::move(batches)).status();
  }

  // After the lake refused an append: finds the measurements whose rows it does not take and refuses their lines from
  // now on. False when there is none, so that trying again is useless.
  bool RefuseMeasurements(const ParsedLines& parsed) {
    const size_t refused_before = refused_.size();
    for (const MeasurementRows& rows : parsed.measurements) {
      const Status status = lake_.CheckAppend({.name = {database_, rows.measurement}, .rows = rows.rows});
      if (BlamesLines(status)) refused_.emplace(rows.measurement, status.message());
    }
    if (refused_.size() == refused_before) RefuseLaterSpellings(parsed);
    return refused_.size() > refused_before;
  }

  // The lake takes each measurement's rows alone. What stands against them together is that two tables would begin
  // whose names differ only in case: the first line decides, as it would in a body of its own.
  void RefuseLaterSpellings(const ParsedLines& parsed) {
    const auto there = lake_.ListTables(database_);
    if (!there.ok()) return;
    std::map<std::string, std::string> spelled;
    for (const std::string& table : *there) spelled.emplace(FoldCase(table), table);
    for (const MeasurementRows& rows : parsed.measurements) {
      const std::string& name = rows.measurement;
      const auto [first, is_new] = spelled.emplace(FoldCase(name), name);
      if (is_new || std::ranges::find(*there, name) != there->end()) continue;
      refused_.emplace(name, "measurement " + Quoted(name) + " differs only in case from " + Quoted(first->second));
    }
  }

  lake::Lake& lake_;
  const std::string database_;
  const bool accept_partial_;
  LineProtocolOptions options_;
  /// Measurement -> why.
  std::map<std::string, std::string, std::less<>> refused_;
  /// Of refused lines.
  std::set<std::string> reasons_;
  /// Met while the body was read.
  Status passing_fault_;
};

}  // namespace

WriteOutcome WriteService::WriteLines(const std::string& database, std::string_view body, const WriteOptions& options) {
  // Any valid table name will do to check the database's alone.
  if (Status status = lake::CheckTableName({database, "t"}); !status.ok()) return {.status = std::move(status)};
  return Write(lake_, database, options, clock_.WallNanos()).Run(body);
}

}  // namespace tarn::ingest
