#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ingest/line_protocol.h"
#include "lake/lake.h"

namespace tarn::ingest {

struct WriteOutcome {
  /// OK also when some lines were bad (see `errors`), or go to a table that takes no rows: the rest is durable.
  /// Otherwise nothing was kept, and the same body may be sent again: storage failed, or a table is damaged.
  Status status;
  std::vector<LineError> errors;
  int64_t error_count = 0;
  int64_t lines_kept = 0;
};

struct WriteOptions {
  Precision precision = Precision::kNanoseconds;
  /// When false, one bad line keeps every other one of the body from being written.
  bool accept_partial = true;
};

/// Body in, durable rows out: parses, appends to the lake, and on a schema race parses the affected lines again.
/// Thread-safe.
class WriteService {
 public:
  WriteService(lake::Lake& lake, Clock& clock) : lake_(lake), clock_(clock) {}
  WriteOutcome WriteLines(const std::string& database, std::string_view body, const WriteOptions& options);

 private:
  lake::Lake& lake_;
  Clock& clock_;
};

}  // namespace tarn::ingest
