#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "frontends/http/http_server.h"
#include "frontends/http/http_service.h"
#include "frontends/testing/fake_query_service.h"
#include "frontends/testing/raw_client.h"

namespace tarn::frontends {

/// An HTTP server on a free port of loopback, before fakes. The SQL texts that it knows:
///   "small": two rows · "big": some 40 MB · "slow": waits for Cancel · "breaks": rows, then a failure ·
///   "wrong": a syntax error · "misplaced": an error at byte 7 · "missing": NotFound · "full": ResourceExhausted
/// Writes are kept in `writes`; a line "bad" is an error of that line, the body "no memory" is Unavailable.
class HttpFixture : public testing::Test {
 protected:
  HttpFixture();

  /// Starts the server; a test that wants other options changes them first.
  void Start(bool attach = true);
  const std::string& address() const { return server_->address(); }
  RawClient::Reply Sql(const std::string& sql, const std::string& headers = "");
  static std::string Post(const std::string& target, const std::string& body, const std::string& headers = "");

  struct Write {
    std::string database;
    std::string body;
    ingest::Precision precision;
    bool accept_partial;
  };
  std::vector<Write> writes() EXCLUDES(mutex_);
  HttpBackend Backend();

  HttpServerOptions options_;
  HttpServiceOptions service_options_;
  size_t request_memory_bytes_ = 8 << 20;
  FakeClock clock_;
  Random random_{1};
  FakeQueryService queries_;
  std::unique_ptr<MemoryBudget> request_memory_;
  std::unique_ptr<HttpService> service_;

 private:
  ingest::WriteOutcome Answer(const std::string& database, std::string_view body, const ingest::WriteOptions& options)
      EXCLUDES(mutex_);

  Mutex mutex_;
  std::vector<Write> writes_ GUARDED_BY(mutex_);

 protected:
  std::unique_ptr<HttpServer> server_;
};

/// What the fixture answers to an SQL text; also for tests without a server.
Result<FakeStream::Script> AnswerSql(const engine::QueryRequest& request);
ingest::WriteOutcome AnswerWrite(std::string_view body);

}  // namespace tarn::frontends
