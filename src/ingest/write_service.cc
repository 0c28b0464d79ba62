#include "ingest/write_service.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <map>
#include <utility>
#include <vector>

#include "delta/schema_evolution.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

// A conflict needs another writer that adds a column in between; losing this often in a row means overload.
constexpr int kMaxAttempts = 8;

/// One write: what is known of its tables, and the attempts to append it.
class Write {
 public:
  Write(lake::Lake& lake, std::string database, const WriteOptions& write, int64_t now_nanos)
      : lake_(lake), database_(std::move(database)), accept_partial_(write.accept_partial) {
    options_.precision = write.precision;
    options_.now_nanos = now_nanos;
    options_.check_measurement = [this](std::string_view measurement) { return CheckMeasurement(measurement); };
    options_.check_column = delta::CheckPlainName;
    options_.schema_of = [this](std::string_view measurement) { return SchemaOf(measurement); };
  }

  WriteOutcome Run(std::string_view body) {
    Status status;
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      schema_failure_ = Status::Ok();
      ParsedLines parsed = ParseLineProtocol(body, options_);
      if (!schema_failure_.ok()) return {.status = schema_failure_};
      if (!accept_partial_ && parsed.error_count > 0) {
        return {.errors = std::move(parsed.errors), .error_count = parsed.error_count};
      }
      status = Append(parsed);
      if (status.ok()) {
        return {.errors = std::move(parsed.errors), .error_count = parsed.error_count, .lines_kept = parsed.lines_kept};
      }
      if (status.Is(StatusCode::kInvalidArgument) && !RefuseClashingNames(parsed)) return {.status = status};
      if (!status.Is(StatusCode::kInvalidArgument) && !status.Is(StatusCode::kConflict)) return {.status = status};
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

  std::shared_ptr<arrow::Schema> SchemaOf(std::string_view measurement) {
    auto schema = lake_.SchemaOf({database_, std::string(measurement)});
    if (schema.ok()) return *schema;
    if (!schema.status().Is(StatusCode::kNotFound) && schema_failure_.ok()) schema_failure_ = schema.status();
    return nullptr;
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

  // After the lake refused a name: finds the measurements that differ only in case from a table and refuses them from
  // now on. False when there is none, so that trying again is useless.
  bool RefuseClashingNames(const ParsedLines& parsed) {
    const auto tables = lake_.ListTables(database_);
    if (!tables.ok()) return false;
    std::map<std::string, std::string> by_folded_name;
    for (const std::string& table : *tables) by_folded_name.emplace(FoldCase(table), table);
    const size_t refused_before = refused_.size();
    for (const MeasurementRows& rows : parsed.measurements) {
      const auto table = by_folded_name.find(FoldCase(rows.measurement));
      if (table == by_folded_name.end() || table->second == rows.measurement) continue;
      refused_.emplace(rows.measurement, "measurement '" + rows.measurement + "' differs only in case from table '" +
                                             table->second + "'");
    }
    return refused_.size() > refused_before;
  }

  lake::Lake& lake_;
  const std::string database_;
  const bool accept_partial_;
  LineProtocolOptions options_;
  /// Measurement -> why.
  std::map<std::string, std::string, std::less<>> refused_;
  Status schema_failure_;
};

}  // namespace

WriteOutcome WriteService::WriteLines(const std::string& database, std::string_view body, const WriteOptions& options) {
  // Any valid table name will do to check the database's alone.
  if (Status status = lake::CheckTableName({database, "t"}); !status.ok()) return {.status = std::move(status)};
  return Write(lake_, database, options, clock_.WallNanos()).Run(body);
}

}  // namespace tarn::ingest
