#include "storage/http/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/executor.h"
#include "storage/testing/fake_http_server.h"

namespace tarn::storage {
namespace {

using testing::FakeHttpServer;
using testing::FakeReply;
using testing::FakeRequest;
using ::testing::HasSubstr;

std::shared_ptr<HttpClient> Client(HttpClientOptions options = {}, Clock& clock = SystemClock()) {
  return MakeHttpClient(options, clock).value();
}

TEST(HttpClient, SendsWhatItIsGivenAndReturnsAnyAnswer) {
  FakeHttpServer server([](const FakeRequest& request) {
    return FakeReply{.status = 418, .headers = {{"X-Echo", request.Header("x-a")}}, .body = request.body};
  });
  const std::string body = std::string(3'000'000, 'x') + '\0';
  const auto reply = Client()->Send({.method = "PUT",
                                     .url = server.url() + "/a%20b/../c?q=1",
                                     .headers = {{"X-A", "b"}, {"X-Empty", ""}},
                                     .body = AsBytes(body),
                                     .max_body_bytes = 4'000'000});
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(reply->status, 418);
  EXPECT_EQ(reply->Header("x-echo"), "b");
  EXPECT_EQ(reply->Header("none"), "");
  EXPECT_EQ(reply->body, body);
  const FakeRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.path, "/a%20b/../c");
  EXPECT_EQ(seen.query, "q=1");
  EXPECT_TRUE(seen.headers.contains("x-empty"));
  EXPECT_FALSE(seen.headers.contains("expect"));
  EXPECT_FALSE(seen.headers.contains("content-type"));
}

TEST(HttpClient, UsesConnectionsAgain) {
  FakeHttpServer server([](const FakeRequest&) { return FakeReply{.body = "ok"}; });
  const auto client = Client();
  for (const char* method : {"GET", "HEAD", "PUT", "POST", "DELETE", "GET"}) {
    const auto reply = client->Send({.method = method, .url = server.url() + "/"});
    ASSERT_TRUE(reply.ok()) << method << reply.status().ToString();
    EXPECT_EQ(reply->body, method == std::string("HEAD") ? "" : "ok");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, BoundsConnectionsAndBodies) {
  FakeHttpServer server([](const FakeRequest&) { return FakeReply{.body = std::string(1000, 'b')}; });
  const auto client = Client({.max_connections = 2});
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back("sender", [&] { EXPECT_TRUE(client->Send({.url = server.url() + "/"}).ok()); });
    }
  }
  EXPECT_LE(server.connections(), 2);
  const auto cut = client->Send({.url = server.url() + "/", .max_body_bytes = 10}).value();
  EXPECT_TRUE(cut.cut_off);
  EXPECT_EQ(cut.body, std::string(10, 'b'));
  std::string into(7, '#');
  const auto placed =
      client->Send({.url = server.url() + "/", .into = std::as_writable_bytes(std::span(into))}).value();
  EXPECT_TRUE(placed.cut_off);
  EXPECT_EQ(placed.bytes_into, 7u);
  EXPECT_EQ(into, "bbbbbbb");
}

TEST(HttpClient, TellsWhatWasNotSentFromWhatMayHaveArrived) {
  std::string gone;
  {
    FakeHttpServer closed([](const FakeRequest&) { return FakeReply{}; });
    gone = closed.url();
  }
  const auto client = Client();
  EXPECT_EQ(client->Send({.url = gone + "/"}).status().code(), StatusCode::kUnavailable);

  FakeHttpServer server([](const FakeRequest& request) {
    FakeReply reply{.body = "0123456789"};
    if (request.path == "/drop") reply.drop = true;
    if (request.path == "/cut") reply.cut_at = 4;
    return reply;
  });
  for (const char* path : {"/drop", "/cut"}) {
    const Status status = client->Send({.method = "PUT", .url = server.url() + path, .body = AsBytes("x")}).status();
    EXPECT_EQ(status.code(), StatusCode::kIndeterminate) << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(server.url()));
  }
}

// On a kept connection that dies, libcurl itself would send the request a second time.
TEST(HttpClient, NeverRepeatsAWriteByItself) {
  FakeHttpServer server([](const FakeRequest& request) { return FakeReply{.drop = request.method == "PUT"}; });
  const auto client = Client();
  ASSERT_TRUE(client->Send({.url = server.url() + "/"}).ok());
  EXPECT_EQ(client->Send({.method = "PUT", .url = server.url() + "/", .body = AsBytes("x")}).status().code(),
            StatusCode::kIndeterminate);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(HttpClient, BreaksOffWhatStalls) {
  FakeClock clock;
  FakeHttpServer server([&](const FakeRequest&) {
    clock.Advance(31 * kMicrosPerSecond);
    return FakeReply{.hang = true};
  });
  const Status status = Client({}, clock)->Send({.url = server.url() + "/"}).status();
  EXPECT_EQ(status.code(), StatusCode::kIndeterminate);
  EXPECT_THAT(status.message(), HasSubstr("nothing moved"));
}

TEST(HttpClient, FollowsRedirectsOnlyWhenTold) {
  FakeHttpServer server([](const FakeRequest& request) {
    if (request.path == "/loop") return FakeReply{.status = 302, .headers = {{"Location", "/loop"}}};
    if (request.path == "/a") return FakeReply{.status = 302, .headers = {{"Location", "/b"}, {"X-Of", "a"}}};
    return FakeReply{.body = "b"};
  });
  const auto client = Client();
  EXPECT_EQ(client->Send({.url = server.url() + "/a"})->status, 302);
  const auto followed = client->Send({.url = server.url() + "/a", .follow_redirects = true}).value();
  EXPECT_EQ(followed.status, 200);
  EXPECT_EQ(followed.body, "b");
  EXPECT_EQ(followed.Header("x-of"), "");
  EXPECT_EQ(client->Send({.url = server.url() + "/loop", .follow_redirects = true}).status().code(),
            StatusCode::kUnsupported);
}

TEST(HttpClient, RefusesWhatIsNoRequest) {
  const auto client = Client();
  EXPECT_EQ(client->Send({.url = "file:///etc/passwd"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client->Send({.url = "http://127.0.0.1:1/", .headers = {{"X", "a\r\nY: b"}}}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(HttpOrigin("https://h:1/secret?x"), "https://h:1");
  EXPECT_EQ(HttpOrigin("https://h:1"), "https://h:1");
}

}  // namespace
}  // namespace tarn::storage
