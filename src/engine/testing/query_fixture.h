#pragma once

#include <arrow/type_fwd.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/query_service.h"
#include "engine/testing/empty_catalog.h"
#include "storage/testing/temp_folder.h"

namespace tarn::engine {

/// All rows of an answer.
struct Answer {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t rows = 0;
};

/// Reads a stream to its end.
Result<Answer> Drain(QueryStream& stream);
/// The value of the first column's first row as DuckDB-independent text.
std::string FirstValue(const Answer& answer);

/// A service over a lake without tables.
class QueryFixture : public ::testing::Test {
 protected:
  /// With threads and a temporary folder filled in.
  EngineOptions Options() const;
  void Open(const EngineOptions& options, Clock& clock = SystemClock());
  Result<Answer> Query(const QueryRequest& request);
  Result<Answer> Query(const std::string& sql);
  /// The text of a one-value answer, or the status.
  std::string Value(const std::string& sql);

  storage::testing::TempFolder folder_;
  EmptyCatalog catalog_;
  std::unique_ptr<QueryService> service_;
};

/// Runs for hours unless it is stopped.
inline constexpr char kEndless[] =
    "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 1";

}  // namespace tarn::engine
