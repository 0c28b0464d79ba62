#include "engine/testing/query_fixture.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

namespace tarn::engine {

Result<Answer> Drain(QueryStream& stream) {
  Answer answer;
  answer.schema = stream.schema();
  for (;;) {
    TARN_ASSIGN_OR_RETURN(std::shared_ptr<arrow::RecordBatch> batch, stream.Next());
    if (batch == nullptr) return answer;
    answer.rows += batch->num_rows();
    answer.batches.push_back(std::move(batch));
  }
}

std::string FirstValue(const Answer& answer) {
  if (answer.batches.empty()) return "(no rows)";
  auto scalar = answer.batches[0]->column(0)->GetScalar(0);
  return scalar.ok() ? (*scalar)->ToString() : scalar.status().ToString();
}

EngineOptions QueryFixture::Options() const {
  EngineOptions options;
  options.threads = 2;
  options.temp_directory = folder_.path() + "/spill";
  return options;
}

void QueryFixture::Open(const EngineOptions& options, Clock& clock) {
  auto opened = QueryService::Open(options, catalog_, clock);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  service_ = std::move(*opened);
}

Result<Answer> QueryFixture::Query(const QueryRequest& request) {
  TARN_ASSIGN_OR_RETURN(std::unique_ptr<QueryStream> stream, service_->Execute(request));
  return Drain(*stream);
}

Result<Answer> QueryFixture::Query(const std::string& sql) { return Query(QueryRequest{.sql = sql}); }

std::string QueryFixture::Value(const std::string& sql) {
  Result<Answer> answer = Query(sql);
  return answer.ok() ? FirstValue(*answer) : answer.status().ToString();
}

}  // namespace tarn::engine
