#include "frontends/testing/http_fixture.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

namespace tarn::frontends {

Result<FakeStream::Script> AnswerSql(const engine::QueryRequest& request) {
  const auto schema = arrow::schema({arrow::field("name", arrow::utf8()), arrow::field("n", arrow::int64())});
  FakeStream::Script small = OneBatch(BatchFromJson(schema, R"([["a", 1], ["b", 2]])"));
  if (request.sql == "big" || request.sql == "breaks") {
    std::string rows = "[";
    for (int i = 0; i < 1000; ++i)
      rows += (i > 0 ? "," : "") + ("[\"some text to fill a row\"," + std::to_string(i) + "]");
    FakeStream::Script big = OneBatch(BatchFromJson(schema, rows + "]"));
    big.repeat = request.sql == "big" ? 1000 : 20;
    if (request.sql == "breaks") big.failure = Status::ResourceExhausted("out of memory");
    return big;
  }
  if (request.sql == "slow") {
    small.wait_for_cancel = true;
    return small;
  }
  if (request.sql == "fails at once") {
    small.batches.clear();
    small.failure = Status::DeadlineExceeded("took too long");
    return small;
  }
  if (request.sql == "missing") return Status::NotFound("there is no table 'missing'");
  if (request.sql == "full") return Status::ResourceExhausted("too many queries");
  if (request.sql == "wrong") return Status::InvalidArgument("syntax error");
  if (request.sql == "misplaced") {
    return engine::WithSqlErrorPosition(Status::InvalidArgument("no such column"), 7);
  }
  if (request.sql == "forbidden") return Status::PermissionDenied("not a query");
  return small;
}

ingest::WriteOutcome AnswerWrite(std::string_view body) {
  ingest::WriteOutcome outcome;
  if (body == "no memory") {
    outcome.status = Status::Unavailable("the buffer is full");
    return outcome;
  }
  if (body == "too many rows") {
    outcome.status = Status::ResourceExhausted("send fewer at once");
    return outcome;
  }
  if (body == "broken disk") {
    outcome.status = Status::Corruption("a file is broken");
    return outcome;
  }
  int64_t number = 0;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    const std::string_view line = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view() : body.substr(end + 1);
    ++number;
    if (line == "bad") {
      ++outcome.error_count;
      outcome.errors.push_back({.line_number = number, .reason = "no field", .original_line = std::string(line)});
    } else if (!line.empty()) {
      ++outcome.lines_kept;
    }
  }
  return outcome;
}

HttpFixture::HttpFixture() : queries_(AnswerSql) {
  options_.port = 0;
  options_.sweep_interval_micros = 5 * kMicrosPerMilli;
  service_options_.version = "1.2.3";
  service_options_.commit = "abc";
  service_options_.max_body_bytes = 1 << 20;
  service_options_.metrics_text = [] { return std::string("# TYPE x counter\nx 1\n"); };
}

ingest::WriteOutcome HttpFixture::Answer(const std::string& database, std::string_view body,
                                         const ingest::WriteOptions& options) {
  MutexLock lock(mutex_);
  writes_.push_back({database, std::string(body), options.precision, options.accept_partial});
  return AnswerWrite(body);
}

HttpBackend HttpFixture::Backend() {
  return {.queries = &queries_,
          .write_lines = [this](const std::string& database, std::string_view body,
                                const ingest::WriteOptions& options) { return Answer(database, body, options); }};
}

void HttpFixture::Start(bool attach) {
  request_memory_ = std::make_unique<MemoryBudget>("requests", request_memory_bytes_);
  service_ = std::make_unique<HttpService>(service_options_, random_);
  if (attach) service_->Attach(Backend());
  auto server = HttpServer::Start(options_, *service_, *request_memory_, clock_, nullptr);
  TARN_CHECK(server.ok());
  server_ = std::move(server).value();
}

std::vector<HttpFixture::Write> HttpFixture::writes() {
  MutexLock lock(mutex_);
  return writes_;
}

std::string HttpFixture::Post(const std::string& target, const std::string& body, const std::string& headers) {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

RawClient::Reply HttpFixture::Sql(const std::string& sql, const std::string& headers) {
  return Ask(address(), Post("/api/sql", sql, headers));
}

}  // namespace tarn::frontends
