#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/http/compression.h"
#include "frontends/http/http_service.h"
#include "frontends/http/negotiation.h"
#include "frontends/testing/http_fixture.h"

namespace tarn::frontends {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Negotiation, AcceptChoosesTheFormat) {
  EXPECT_EQ(NegotiateFormat(""), ResultFormat::kJson);
  EXPECT_EQ(NegotiateFormat("*/*"), ResultFormat::kJson);
  EXPECT_EQ(NegotiateFormat("text/csv"), ResultFormat::kCsv);
  EXPECT_EQ(NegotiateFormat("Text/CSV; charset=utf-8"), ResultFormat::kCsv);
  EXPECT_EQ(NegotiateFormat("text/csv;q=0.5, application/x-ndjson"), ResultFormat::kNdjson);
  EXPECT_EQ(NegotiateFormat("text/csv;q=0.5, application/x-ndjson;q=0.4"), ResultFormat::kCsv);
  EXPECT_EQ(NegotiateFormat("text/html, application/xhtml+xml, */*;q=0.8"), ResultFormat::kJson);
  EXPECT_EQ(NegotiateFormat("application/json;q=0, */*"), ResultFormat::kNdjson);
  EXPECT_EQ(NegotiateFormat("application/*"), ResultFormat::kJson);
  EXPECT_EQ(NegotiateFormat("text/*"), ResultFormat::kCsv);
  EXPECT_EQ(NegotiateFormat("image/png"), std::nullopt);
  EXPECT_EQ(NegotiateFormat("text/csv;q=0"), std::nullopt);
  EXPECT_EQ(NegotiateFormat("application/vnd.apache.parquet, */*;q=0.1"), ResultFormat::kParquet);
}

TEST(Negotiation, AcceptEncodingChoosesTheCoding) {
  EXPECT_EQ(NegotiateCoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(NegotiateCoding("gzip"), ContentCoding::kGzip);
  EXPECT_EQ(NegotiateCoding("gzip, deflate, br, zstd"), ContentCoding::kZstd);
  EXPECT_EQ(NegotiateCoding("gzip, zstd;q=0.5"), ContentCoding::kGzip);
  EXPECT_EQ(NegotiateCoding("gzip;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(NegotiateCoding("br"), ContentCoding::kIdentity);
}

TEST(ParseTarget, DecodesPathAndQuery) {
  HttpRequest request;
  ASSERT_TRUE(ParseTarget("/write?db=a%20b&x=1+2&&flag&db=second#f", request).ok());
  EXPECT_EQ(request.path, "/write");
  EXPECT_EQ(request.Query("db"), "a b");
  EXPECT_EQ(request.Query("x"), "1 2");
  EXPECT_EQ(request.Query("flag"), "");
  EXPECT_EQ(request.Query("none"), std::nullopt);
  HttpRequest absolute;
  ASSERT_TRUE(ParseTarget("http://host:1/ping", absolute).ok());
  EXPECT_EQ(absolute.path, "/ping");
  HttpRequest broken;
  EXPECT_FALSE(ParseTarget("/write?db=%zz", broken).ok());
}

TEST(ParseSqlRequest, TextOrJson) {
  engine::QueryRequest text;
  ASSERT_TRUE(ParseSqlRequest("application/x-www-form-urlencoded", "select 1", text).ok());
  EXPECT_EQ(text.sql, "select 1");
  engine::QueryRequest json;
  ASSERT_TRUE(ParseSqlRequest("application/json; charset=utf-8",
                              R"({"sql": "select $1", "parameters": [1, 2.5, "x", true, null]})", json)
                  .ok());
  EXPECT_EQ(json.sql, "select $1");
  ASSERT_EQ(json.parameters.size(), 5U);
  EXPECT_EQ(std::get<int64_t>(json.parameters[0]), 1);
  EXPECT_EQ(std::get<double>(json.parameters[1]), 2.5);
  EXPECT_EQ(std::get<std::string>(json.parameters[2]), "x");
  EXPECT_EQ(std::get<bool>(json.parameters[3]), true);
  engine::QueryRequest named;
  ASSERT_TRUE(ParseSqlRequest("application/json", R"({"sql":"s","parameters":{"city":"Bern"}})", named).ok());
  EXPECT_EQ(named.named_parameters[0].first, "city");
}

TEST(ParseSqlRequest, SaysWhatIsWrong) {
  const auto code = [](std::string_view type, std::string_view body) {
    engine::QueryRequest query;
    return ParseSqlRequest(type, body, query).code();
  };
  using enum StatusCode;
  EXPECT_EQ(code("", ""), kInvalidArgument);
  EXPECT_EQ(code("", " ;\n"), kInvalidArgument);
  EXPECT_EQ(code("", "select '\xff'"), kInvalidArgument);
  EXPECT_EQ(code("", std::string_view("select\0", 7)), kInvalidArgument);
  EXPECT_EQ(code("application/json", "select 1"), kInvalidArgument);
  EXPECT_EQ(code("application/json", "{}"), kInvalidArgument);
  EXPECT_EQ(code("application/json", "[]"), kInvalidArgument);
  EXPECT_EQ(code("application/json", R"({"sql":1})"), kInvalidArgument);
  EXPECT_EQ(code("application/json", R"({"sql":"s","parameters":[[1]]})"), kInvalidArgument);
  EXPECT_EQ(code("application/json", R"({"sql":"s","parameters":"x"})"), kInvalidArgument);
  EXPECT_EQ(code("application/json", R"({"sql":"s","more":1})"), kInvalidArgument);
  EXPECT_EQ(code("application/json", std::string(100000, '[')), kInvalidArgument);
}

TEST(ParseSqlRequest, AnIntegerBeyond64BitsIsCalledThat) {
  for (const char* number : {"9223372036854775808", "18446744073709551616", "-9223372036854775809",
                             "123456789012345678901234567890", "-123456789012345678901234567890"}) {
    engine::QueryRequest query;
    const std::string body = R"({"sql":"select $1","parameters":[)" + std::string(number) + "]}";
    const Status status = ParseSqlRequest("application/json", body, query);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("beyond 64-bit signed integers")) << number;
    EXPECT_THAT(status.message(), HasSubstr("as a string")) << number;
  }
}

TEST(ParseSqlRequest, AKeyGivenTwiceOrUnknownIsNamed) {
  const auto message = [](std::string_view body) {
    engine::QueryRequest query;
    return ParseSqlRequest("application/json", body, query).message();
  };
  EXPECT_EQ(message(R"({"sql":"select 1","sql":"select 2"})"), "the key \"sql\" is given twice");
  EXPECT_EQ(message(R"({"sql":"select 1","s\u0071l":"select 2"})"), "the key \"sql\" is given twice");
  EXPECT_EQ(message(R"({"parameters":[1],"sql":"select $1","parameters":[2]})"),
            "the key \"parameters\" is given twice");
  EXPECT_EQ(message(R"({"sql":"select $a","parameters":{"a":1,"b":2,"a":3}})"), "the key \"a\" is given twice");
  EXPECT_EQ(message(R"({"sql":"select 1","SQL":"select 2"})"),
            "unknown key \"SQL\"; there are \"sql\" and \"parameters\"");
}

TEST(WriteAnswer, EachVersionHasItsShape) {
  ingest::WriteOutcome outcome = AnswerWrite("ok\nbad\nok\n");
  EXPECT_EQ(WriteAnswer(1, outcome).status, 400);
  EXPECT_EQ(WriteAnswer(1, outcome).body,
            "{\"error\":\"partial write of line protocol occurred\",\"data\":[{\"original_line\":\"bad\","
            "\"line_number\":2,\"error_message\":\"no field\"}]}\n");
  EXPECT_EQ(WriteAnswer(3, outcome).body, WriteAnswer(1, outcome).body);
  EXPECT_EQ(WriteAnswer(2, outcome).body,
            "{\"code\":\"invalid\",\"message\":\"partial write: 1 of 3 lines were not kept; line 2: no field\","
            "\"line\":2}\n");
  EXPECT_EQ(WriteAnswer(2, outcome).content_type, "application/json");
  EXPECT_THAT(WriteAnswer(3, AnswerWrite("bad")).body, HasSubstr("line protocol parsing error"));
  using Headers = decltype(HttpResponse::headers);
  EXPECT_EQ(WriteAnswer(1, outcome).headers, (Headers{{"X-Tarn-Lines-Kept", "2"}, {"X-Tarn-Lines-Refused", "1"}}));
  EXPECT_EQ(WriteAnswer(2, AnswerWrite("ok")).headers,
            (Headers{{"X-Tarn-Lines-Kept", "1"}, {"X-Tarn-Lines-Refused", "0"}}));
  EXPECT_EQ(WriteAnswer(2, AnswerWrite("ok")).status, 204);
  EXPECT_EQ(WriteAnswer(2, AnswerWrite("ok")).body, "");
}

TEST(WriteAnswer, AFaultOfTheServerNeverLooksLikeTheClients) {
  for (int i = 1; i < kStatusCodeCount; ++i) {
    const auto code = static_cast<StatusCode>(i);
    ingest::WriteOutcome outcome;
    outcome.status = Status(code, "x");
    const bool clients_fault = code == StatusCode::kInvalidArgument || code == StatusCode::kUnsupported ||
                               // More rows than all buffers together could ever hold.
                               code == StatusCode::kResourceExhausted;
    for (const int version : {1, 2, 3}) {
      const HttpResponse answer = WriteAnswer(version, outcome);
      EXPECT_EQ(answer.status < 500, clients_fault) << StatusCodeName(code);
      const bool may_pass = !clients_fault && code != StatusCode::kInternal;
      EXPECT_EQ(answer.status == 503, may_pass) << StatusCodeName(code);
      EXPECT_EQ(answer.headers.empty(), !may_pass) << "Retry-After";
    }
  }
}

class HttpRoutes : public HttpFixture {
 protected:
  RawClient::Reply Get(const std::string& target, const std::string& method = "GET") {
    return Ask(address(), method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
};

TEST_F(HttpRoutes, HealthIsWhatTheInfluxClientsExpect) {
  Start(/*attach=*/false);
  const auto reply = Get("/health");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            "{\"name\":\"tarn\",\"message\":\"ready for queries and writes\",\"status\":\"pass\",\"checks\":[],"
            "\"version\":\"1.2.3\",\"commit\":\"abc\"}\n");
}

TEST_F(HttpRoutes, NothingNeedsDataBeforeItIsReady) {
  Start(/*attach=*/false);
  EXPECT_EQ(Get("/ready").status, 503);
  auto reply = Sql("small");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers["Retry-After"], "1");
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", "ok")).status, 503);
  service_->Attach(Backend());
  EXPECT_EQ(Get("/ready").status, 200);
  EXPECT_EQ(Sql("small").status, 200);
}

TEST_F(HttpRoutes, PingUnknownPathsAndMethods) {
  Start();
  for (const char* method : {"GET", "POST", "HEAD"}) {
    auto reply = Get("/ping", method);
    EXPECT_EQ(reply.status, 204);
    EXPECT_EQ(reply.headers["X-Influxdb-Version"], "tarn-1.2.3");
    EXPECT_FALSE(reply.headers["X-Request-Id"].empty());
  }
  auto unknown = Get("/nothing");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.headers["Content-Type"], "application/problem+json");
  auto wrong = Get("/api/sql");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers["Allow"], "POST");
  for (const char* path : {"/api/v2/write?bucket=b", "/write?db=b", "/api/v3/write_lp?db=b"}) {
    wrong = Get(path);
    EXPECT_EQ(wrong.status, 405);
    EXPECT_THAT(wrong.body, Not(HasSubstr("internal")));
  }
  EXPECT_THAT(Get("/api/v2/write").body, HasSubstr("\"code\":\"method not allowed\""));
  EXPECT_THAT(Get("/metrics").body, HasSubstr("# TYPE"));
}

TEST_F(HttpRoutes, SqlAnswersInTheFormatAskedFor) {
  Start();
  auto reply = Sql("small");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["Content-Type"], "application/json");
  EXPECT_EQ(reply.headers["Content-Length"], std::to_string(reply.body.size()));
  EXPECT_EQ(reply.body, "[{\"name\":\"a\",\"n\":1},\n{\"name\":\"b\",\"n\":2}]\n");
  EXPECT_EQ(Sql("small", "Accept: text/csv\r\n").body, "name,n\r\na,1\r\nb,2\r\n");
  auto none = Sql("small", "Accept: image/png\r\n");
  EXPECT_EQ(none.status, 406);
  EXPECT_EQ(none.headers["Content-Type"], "application/problem+json");
}

TEST_F(HttpRoutes, SqlErrorsAreProblems) {
  Start();
  for (const auto& [sql, status] : std::vector<std::pair<std::string, int>>{
           {"wrong", 400}, {"missing", 404}, {"full", 429}, {"forbidden", 403}, {"fails at once", 504}}) {
    auto reply = Sql(sql);
    EXPECT_EQ(reply.status, status) << sql;
    EXPECT_EQ(reply.headers["Content-Type"], "application/problem+json");
    EXPECT_THAT(reply.body, HasSubstr("\"query_id\":\"" + queries_.last_request().query_id));
    EXPECT_THAT(reply.body, HasSubstr("\"detail\":"));
  }
  EXPECT_THAT(Sql("missing").body, HasSubstr("\"code\":\"NotFound\""));
}

TEST_F(HttpRoutes, SqlParametersReachTheEngine) {
  Start();
  Ask(address(), Post("/api/sql", R"({"sql":"small","parameters":["x"]})", "Content-Type: application/json\r\n"));
  EXPECT_EQ(std::get<std::string>(queries_.last_request().parameters.at(0)), "x");
}

TEST_F(HttpRoutes, WritesOfEachVersion) {
  Start();
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b&org=o&precision=ms", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/write?db=d", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/write?db=d&rp=r", "ok", "Content-Type: text/plain\r\n")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/api/v3/write_lp?db=d", "ok")).status, 204);
  const auto written = writes();
  ASSERT_EQ(written.size(), 4U);
  EXPECT_EQ(written[0].database, "b");
  EXPECT_EQ(written[0].precision, ingest::Precision::kMilliseconds);
  EXPECT_EQ(written[1].precision, ingest::Precision::kNanoseconds);
  EXPECT_EQ(written[2].database, "d/r");
  EXPECT_EQ(written[3].precision, ingest::Precision::kAuto);
}

TEST_F(HttpRoutes, WriteFaults) {
  Start();
  auto reply = Ask(address(), Post("/api/v2/write?bucket=b", "ok\nbad\n"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.headers["Content-Type"], "application/json");
  reply = Ask(address(), Post("/api/v2/write?bucket=b", "no memory"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers["Retry-After"], "1");
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", "too many rows")).status, 413);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", "broken disk")).status, 503);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write", "ok")).status, 400);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b&precision=%C2%B5", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/write?db=d&precision=seconds", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b&precision=h", "ok")).status, 400);
  EXPECT_EQ(Ask(address(), Post("/write?db=d&precision=auto", "ok")).status, 400);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", "ok", "Content-Encoding: br\r\n")).status, 422);
  EXPECT_EQ(Ask(address(), Post("/api/sql", "small", "Content-Encoding: br\r\n")).status, 422);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", "not gzip", "Content-Encoding: gzip\r\n")).status, 400);
}

TEST_F(HttpRoutes, AWriteThatFailsBeforeItsHandlerHasItsVersionsShape) {
  Start();
  for (const std::string parameter : {"%zz", "b&x=%"}) {
    const auto v1 = Ask(address(), Post("/write?db=" + parameter, "ok"));
    EXPECT_EQ(v1.status, 400);
    EXPECT_THAT(v1.body, StartsWith("{\"error\":\""));
    const auto v2 = Ask(address(), Post("/api/v2/write?bucket=" + parameter, "ok"));
    EXPECT_EQ(v2.status, 400);
    EXPECT_THAT(v2.body, StartsWith("{\"code\":\"invalid\",\"message\":\""));
    const auto v3 = Ask(address(), Post("/api/v3/write_lp?db=" + parameter, "ok"));
    EXPECT_EQ(v3.status, 400);
    EXPECT_THAT(v3.body, StartsWith("{\"error\":\""));
    EXPECT_EQ(v3.headers.at("Content-Type"), "application/json");
  }
  EXPECT_THAT(Ask(address(), Post("/api/sql?x=%zz", "small")).body, HasSubstr("\"type\":\"about:blank\""));
  EXPECT_THAT(Get("/api/v2/write").body, StartsWith("{\"code\":"));
}

TEST_F(HttpRoutes, Version3CanAskForAllOrNothing) {
  Start();
  EXPECT_EQ(Ask(address(), Post("/api/v3/write_lp?db=d&accept_partial=false", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/api/v3/write_lp?db=d&accept_partial=true", "ok")).status, 204);
  EXPECT_EQ(Ask(address(), Post("/api/v3/write_lp?db=d&accept_partial=maybe", "ok")).status, 400);
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=d&accept_partial=false", "ok")).status, 204);
  ASSERT_EQ(writes().size(), 3U);
  EXPECT_FALSE(writes()[0].accept_partial);
  EXPECT_TRUE(writes()[1].accept_partial);
  EXPECT_TRUE(writes()[2].accept_partial);
  EXPECT_EQ(WriteAnswer(3, AnswerWrite("ok\nbad\nbad\n"), /*accept_partial=*/false).body,
            "{\"error\":\"parsing failed for write_lp endpoint\",\"data\":{\"original_line\":\"bad\","
            "\"line_number\":2,\"error_message\":\"no field\"}}\n");
}

TEST_F(HttpRoutes, APositionIsToldOnce) {
  Start();
  const auto reply = Sql("misplaced");
  EXPECT_THAT(reply.body, HasSubstr("\"detail\":\"no such column\""));
  EXPECT_THAT(reply.body, HasSubstr("\"position\":7"));
}

TEST_F(HttpRoutes, GzipIsDecodedWithinItsBounds) {
  Start();
  const auto gzip = [](std::string_view text) {
    ByteBuffer out;
    TARN_CHECK(BodyCompressor::Make(ContentCoding::kGzip)->Compress(text, true, out).ok());
    return std::string(out.view());
  };
  // Two members, as some clients send.
  EXPECT_EQ(Ask(address(), Post("/write?db=d", gzip("ok\n") + gzip("ok too\n"), "Content-Encoding: gzip\r\n")).status,
            204);
  EXPECT_EQ(writes().at(0).body, "ok\nok too\n");
  const std::string bomb = gzip(std::string(20 << 20, 'x'));
  EXPECT_EQ(Ask(address(), Post("/write?db=d", bomb, "Content-Encoding: gzip\r\n")).status, 413);
  EXPECT_EQ(writes().size(), 1U);
  EXPECT_EQ(Ask(address(), Post("/api/sql", bomb, "Content-Encoding: gzip\r\n")).status, 413);
  EXPECT_EQ(request_memory_->used_bytes(), 0U);
}

TEST_F(HttpRoutes, CreateDatabaseOfTheOldClients) {
  Start();
  EXPECT_EQ(Get("/query?q=CREATE%20DATABASE%20%22x%22", "POST").body, "{\"results\":[{\"statement_id\":0}]}\n");
  EXPECT_EQ(Ask(address(), Post("/query", "q=create+database+x")).status, 200);
  EXPECT_EQ(Ask(address(), Post("/query", "q=SHOW+DATABASES")).status, 422);
  EXPECT_EQ(Ask(address(), Post("/query", "q=CREATE+DATABASES+x")).status, 422);
  EXPECT_EQ(Ask(address(), Post("/query", "")).status, 400);
}

}  // namespace
}  // namespace tarn::frontends
