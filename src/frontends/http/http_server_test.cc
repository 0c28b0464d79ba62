#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "frontends/testing/http_fixture.h"

namespace tarn::frontends {
namespace {

using testing::HasSubstr;

class HttpSockets : public HttpFixture {
 protected:
  /// Gives the server's threads a moment, without an assertion depending on how long it is.
  void SystemClockPause() {
    Mutex mutex;
    CondVar nobody;
    MutexLock lock(mutex);
    SystemClock().WaitUntil(nobody, mutex, SystemClock().MonotonicMicros() + 2000);
  }
};

TEST_F(HttpSockets, KeepsAConnectionAndAnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client(address());
  std::string all;
  for (int i = 0; i < 50; ++i) all += i % 2 == 0 ? Post("/api/sql", "small") : "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";
  client.Send(all);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.ReceiveReply().status, i % 2 == 0 ? 200 : 204) << i;
}

TEST_F(HttpSockets, ReadsARequestByteByByte) {
  Start();
  RawClient client(address());
  for (const char c : Post("/api/sql", "small")) client.Send({&c, 1});
  EXPECT_EQ(client.ReceiveReply().status, 200);
}

TEST_F(HttpSockets, ReadsABodyThatComesLongAfterItsHeaderWasSentAhead) {
  Start();
  RawClient client(address());
  // The first answer is stuck until it is read, so the second request's header arrives while the first is worked on.
  client.Send(Post("/api/sql", "big"));
  client.Send("POST /write?db=d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  for (int i = 0; i < 10; ++i) SystemClockPause();
  EXPECT_EQ(client.ReceiveReply().status, 200);
  for (int i = 0; i < 10; ++i) SystemClockPause();
  client.Send("hello");
  EXPECT_EQ(client.ReceiveReply().status, 204);
  EXPECT_EQ(writes().at(0).body, "hello");
}

TEST_F(HttpSockets, ReadsChunkedBodies) {
  Start();
  EXPECT_EQ(Ask(address(),
                "POST /write?db=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nok \r\n5;x=y\r\nagain\r\n0\r\nTrailer: t\r\n\r\n")
                .status,
            204);
  EXPECT_EQ(writes().at(0).body, "ok again");
}

TEST_F(HttpSockets, StreamsABigResultInChunksThatReadBack) {
  Start();
  auto reply = Sql("big", "Accept: application/x-ndjson\r\n");
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.headers["Transfer-Encoding"], "chunked");
  size_t lines = 0;
  for (const char c : reply.body) lines += c == '\n' ? 1 : 0;
  EXPECT_EQ(lines, 1'000'000U);
}

TEST_F(HttpSockets, CompressesWhatIsWorthIt) {
  Start();
  EXPECT_FALSE(Sql("small", "Accept-Encoding: gzip\r\n").headers.contains("Content-Encoding"));
  const std::string plain = Sql("big").body;

  auto gzip = Sql("big", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(gzip.headers["Content-Encoding"], "gzip");
  EXPECT_LT(gzip.body.size(), plain.size() / 4);
  std::string inflated(plain.size() + 1, '\0');
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(gzip.body.data());
  stream.avail_in = gzip.body.size();
  stream.next_out = reinterpret_cast<Bytef*>(inflated.data());
  stream.avail_out = inflated.size();
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflated.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_TRUE(inflated == plain);

  auto zstd = Sql("big", "Accept-Encoding: gzip, zstd\r\n");
  EXPECT_EQ(zstd.headers["Content-Encoding"], "zstd");
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::string decoded(plain.size() + 1, '\0');
  ZSTD_inBuffer in{zstd.body.data(), zstd.body.size(), 0};
  ZSTD_outBuffer out{decoded.data(), decoded.size(), 0};
  EXPECT_EQ(ZSTD_decompressStream(context, &out, &in), 0U);
  ZSTD_freeDCtx(context);
  decoded.resize(out.pos);
  EXPECT_TRUE(decoded == plain);
}

TEST_F(HttpSockets, MetricsDoNotWaitBehindQueries) {
  options_.query_threads = 1;
  Start();
  RawClient slow(address());
  slow.Send(Post("/api/sql", "slow"));
  // The only worker for queries waits with this one.
  queries_.WaitForQuery();
  for (const char* path : {"/metrics", "/health", "/ready", "/ping"}) {
    EXPECT_LT(Ask(address(), "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n").status, 300) << path;
  }
  slow.Close();
  queries_.WaitForCancel();
}

TEST_F(HttpSockets, OldClientsGetAConnectionThatEndsWithTheBody) {
  Start();
  const std::string request = "POST /api/sql HTTP/1.0\r\nContent-Length: 3\r\n\r\nbig";
  auto reply = Ask(address(), request);
  EXPECT_EQ(reply.headers["Connection"], "close");
  EXPECT_FALSE(reply.headers.contains("Transfer-Encoding"));
  EXPECT_TRUE(reply.body.ends_with("}]\n"));
}

TEST_F(HttpSockets, AResultThatBreaksOffHasNoEnd) {
  Start();
  auto json = Sql("breaks");
  EXPECT_EQ(json.status, 200);
  EXPECT_FALSE(json.complete);
  auto ndjson = Sql("breaks", "Accept: application/x-ndjson\r\n");
  EXPECT_FALSE(ndjson.complete);
  EXPECT_THAT(ndjson.body, HasSubstr("{\"error\":{\"code\":\"ResourceExhausted\""));
}

TEST_F(HttpSockets, AClientThatGoesAwayCancelsItsQuery) {
  Start();
  {
    RawClient client(address());
    client.Send(Post("/api/sql", "slow"));
    queries_.WaitForQuery();
  }
  queries_.WaitForCancel();
  EXPECT_EQ(Sql("small").status, 200);
}

TEST_F(HttpSockets, AClientThatDoesNotReadIsCutOffAndHoldsNoThread) {
  options_.query_threads = 1;
  Start();
  RawClient slow(address());
  slow.Send(Post("/api/sql", "big"));
  // The only worker is free again although the first answer is stuck.
  EXPECT_EQ(Sql("small").status, 200);
  // Sooner or later the answer is stuck, and from then on only time cuts it off.
  while (server_->stats().connections > 0) {
    clock_.Advance(options_.write_timeout_micros + 1);
    SystemClockPause();
  }
  EXPECT_FALSE(slow.ReceiveReply().complete);
}

TEST_F(HttpSockets, SlowHeadersAndBodiesTimeOut) {
  Start();
  RawClient header(address());
  header.Send("POST /api/sql HT");
  RawClient body(address());
  body.Send("POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nsel");
  RawClient idle(address());
  EXPECT_EQ(Sql("small").status, 200);
  const auto wait = [&](RawClient& client) {
    // The server's clock stands still: nothing but this advances it.
    clock_.Advance(options_.body_timeout_micros + 1);
    return client.ReceiveReply();
  };
  EXPECT_EQ(wait(header).status, 408);
  EXPECT_EQ(wait(body).status, 408);
  clock_.Advance(options_.idle_timeout_micros);
  EXPECT_EQ(idle.ReceiveAll(), "");
}

TEST_F(HttpSockets, ExpectContinueIsAnsweredAtOnce) {
  Start();
  RawClient client(address());
  client.Send("POST /write?db=d HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.Receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_EQ(client.ReceiveReply().status, 204);

  RawClient large(address());
  large.Send("POST /write?db=d HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(large.ReceiveReply().status, 413);

  EXPECT_EQ(Ask(address(), "GET /ping HTTP/1.1\r\nHost: h\r\nExpect: a miracle\r\n\r\n").status, 417);
}

TEST_F(HttpSockets, OversizeBodiesAreRefusedAndTheClientHearsIt) {
  Start();
  // More than fits the socket's buffers: the client is still sending when the answer comes.
  EXPECT_EQ(Ask(address(), Post("/api/v2/write?bucket=b", std::string(8 << 20, 'x'))).status, 413);
  EXPECT_EQ(Ask(address(), "POST /api/sql HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" +
                               std::string(2 << 20, 'x'))
                .status,
            413);
  EXPECT_EQ(request_memory_->used_bytes(), 0U);
}

TEST_F(HttpSockets, RequestsWithoutMemoryAreToldToComeAgain) {
  request_memory_bytes_ = 1000;
  Start();
  auto reply = Ask(address(), Post("/api/v2/write?bucket=b", std::string(1001, 'x')));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers["Retry-After"], "1");
  RawClient holder(address());
  holder.Send("POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\nx");
  while (request_memory_->used_bytes() == 0) Ask(address(), "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(Ask(address(), Post("/api/sql", std::string(200, ' '))).status, 503);
  holder.Close();
  while (request_memory_->used_bytes() > 0) Ask(address(), "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(Ask(address(), Post("/api/sql", "small")).status, 200);
}

TEST_F(HttpSockets, MalformedRequestsGetAnAnswerAndAnEnd) {
  Start();
  const std::vector<std::pair<std::string, int>> requests = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {std::string("GET /\0 HTTP/1.1\r\n\r\n", 19), 400},
      {"GET /ping HTTP/1.1\r\n\r\n", 400},
      {"GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
      {"POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /api/sql HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"GET /ping HTTP/1.1\r\nX: " + std::string(100 << 10, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(100 << 10, 'x') + " HTTP/1.1\r\n\r\n", 431},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
  };
  for (const auto& [request, status] : requests) {
    RawClient client(address());
    client.Send(request);
    const auto reply = client.ReceiveReply();
    EXPECT_EQ(reply.status, status) << request.substr(0, 60);
    EXPECT_EQ(client.ReceiveAll(), "");
  }
  EXPECT_EQ(Sql("small").status, 200);
}

TEST_F(HttpSockets, EndlessChunkHeadersAndTrailersAreRefused) {
  Start();
  const std::string head = "POST /api/sql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string much(400'000, 'x');
  for (const std::string& rest : {"0\r\nT: " + much + "\r\n\r\n", "8;" + much + "\r\nselect 1\r\n0\r\n\r\n",
                                  std::string(400'000, '0') + "8\r\nselect 1\r\n0\r\n\r\n"}) {
    const auto reply = Ask(address(), head + rest);
    EXPECT_TRUE(reply.status == 431 || reply.status == 400) << reply.status << rest.substr(0, 10);
  }
  EXPECT_EQ(Ask(address(), "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").status, 204);
}

TEST_F(HttpSockets, AnImpossibleChunkIsRefusedForItsSizeLineAlone) {
  Start();
  const std::string head = "POST /api/sql HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::pair<std::string, int>> size_lines = {{"100001\r\n", 413},
                                                               {"7fffffffffffffff\r\n", 413},
                                                               {"ffffffffffffffff\r\n", 413},
                                                               {"10000000000000000\r\n", 400},
                                                               {"-1\r\n", 400},
                                                               {"4\r\nfour\r\nffffd\r\n", 413}};
  for (const auto& [line, status] : size_lines) {
    RawClient client(address());
    client.Send(head + line);
    EXPECT_EQ(client.ReceiveReply().status, status) << line;
    EXPECT_EQ(client.ReceiveAll(), "") << line;
  }
  RawClient large_enough(address());
  large_enough.Send(head + "100000\r\n" + std::string((1 << 20) - 5, ' ') + "small\r\n0\r\n\r\n");
  EXPECT_NE(large_enough.ReceiveReply().status, 413);
}

TEST_F(HttpSockets, OtherTransferEncodingsSmuggleNothing) {
  Start();
  const std::string inner = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const char* coding : {"xchunked", "identity", "chunked, identity", "chunked, chunked", "gzip, chunked",
                             "\"chunked\"", "chunked\r\nTransfer-Encoding: chunked"}) {
    RawClient client(address());
    client.Send(std::string("POST /api/sql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ") + coding + "\r\n\r\n" + inner);
    EXPECT_EQ(client.ReceiveReply().status, 400) << coding;
    EXPECT_EQ(client.ReceiveAll(), "") << coding;
  }
  EXPECT_EQ(Ask(address(), "POST /api/sql HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + inner).status, 400);
}

TEST_F(HttpSockets, PagesFromElsewhereMayNotUseTheServer) {
  Start();
  const auto status = [&](const std::string& origin) {
    return Ask(address(), "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: " + origin + "\r\n\r\n")
        .status;
  };
  for (const char* origin :
       {"http://evil.example", "http://localhost.evil.example", "null", "http://127.0.0.1.nip.io"}) {
    EXPECT_EQ(status(origin), 403) << origin;
  }
  for (const char* origin :
       {"http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:8080", "https://localhost"}) {
    EXPECT_EQ(status(origin), 204) << origin;
  }
}

TEST_F(HttpSockets, IdleConnectionsGiveWayTheLongestIdleFirst) {
  options_.max_connections = 3;
  Start();
  const std::string ping = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";
  RawClient silent(address());
  RawClient first(address());
  RawClient second(address());
  for (RawClient* client : {&second, &first, &second}) {
    client->Send(ping);
    EXPECT_EQ(client->ReceiveReply().status, 204);
  }
  // Not a byte was ever sent, or none since the last answer: one place after the other, for a request each.
  std::vector<std::unique_ptr<RawClient>> newcomers;
  for (RawClient* idle : {&silent, &first, &second}) {
    newcomers.push_back(std::make_unique<RawClient>(address()));
    newcomers.back()->Send("POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nsmal");
    EXPECT_EQ(idle->ReceiveAll(), "");
  }
  EXPECT_EQ(server_->stats().connections_refused, 0);
  for (const auto& client : newcomers) {
    client->Send("l");
    EXPECT_EQ(client->ReceiveReply().status, 200);
  }
}

TEST_F(HttpSockets, AnyNumberOfIdleConnectionsLeavesRoomForTheNext) {
  options_.max_connections = 100;
  Start();
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 400; ++i) idle.push_back(std::make_unique<RawClient>(address()));
  EXPECT_EQ(Ask(address(), "GET /health HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  // The one connection that asked is one of them or has been closed since.
  EXPECT_LE(server_->stats().connections, 100);
  EXPECT_EQ(server_->stats().connections_refused, 0);
}

TEST_F(HttpSockets, WithoutAnIdleConnectionANewcomerIsToldToComeAgain) {
  options_.max_connections = 2;
  Start();
  // A request that has begun, and one whose first byte perhaps nobody has read yet.
  RawClient body(address());
  body.Send("POST /api/sql HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nsmal");
  RawClient header(address());
  header.Send("G");
  // More of them than are answered at once.
  std::vector<std::unique_ptr<RawClient>> refused;
  for (int i = 0; i < 100; ++i) {
    refused.push_back(std::make_unique<RawClient>(address()));
    auto reply = refused.back()->ReceiveReply();
    ASSERT_EQ(reply.status, 503) << i;
    EXPECT_EQ(reply.headers["Retry-After"], "1");
    EXPECT_EQ(reply.headers["Content-Type"], "application/problem+json");
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\"Unavailable\""));
    EXPECT_THAT(reply.body, HasSubstr("all 2 connections"));
  }
  EXPECT_EQ(server_->stats().connections_refused, 100);
  EXPECT_LT(server_->stats().connections, 100);
  body.Send("l");
  EXPECT_EQ(body.ReceiveReply().status, 200);
  header.Send("ET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(header.ReceiveReply().status, 204);
  // Both are idle again.
  EXPECT_EQ(Sql("small").status, 200);
}

TEST_F(HttpSockets, ABusyPoolSaysSo) {
  options_.query_threads = 1;
  options_.max_waiting = 1;
  Start();
  RawClient running(address());
  running.Send(Post("/api/sql", "slow"));
  while (queries_.last_request().sql != "slow") {
  }
  RawClient waiting(address());
  waiting.Send(Post("/api/sql", "small"));
  RawClient refused(address());
  // Which of the two got the waiting place is the system's choice.
  refused.Send(Post("/api/sql", "small"));
  RawClient third(address());
  third.Send(Post("/api/sql", "small"));
  EXPECT_EQ(third.ReceiveReply().status, 503);
  running.Close();
}

TEST_F(HttpSockets, DrainFinishesWhatIsUnderWay) {
  Start();
  RawClient idle(address());
  idle.Send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  idle.ReceiveReply();
  EXPECT_TRUE(server_->Drain(3600 * kMicrosPerSecond));
  EXPECT_EQ(idle.ReceiveAll(), "");
}

TEST_F(HttpSockets, APortInUseIsAClearError) {
  Start();
  HttpServerOptions same = options_;
  same.port = static_cast<uint16_t>(std::stoi(address().substr(address().rfind(':') + 1)));
  const auto second = HttpServer::Start(same, *service_, *request_memory_, clock_, nullptr);
  EXPECT_EQ(second.status().code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(second.status().message(), HasSubstr(std::to_string(same.port)));
}

}  // namespace
}  // namespace tarn::frontends
