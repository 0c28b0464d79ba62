#include "storage/http/http_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/mutex.h"
#include "storage/http/time_text.h"
#include "storage/testing/fake_http_server.h"

namespace tarn::storage {
namespace {

using testing::FakeHttpServer;
using testing::FakeReply;
using testing::FakeRequest;
using ::testing::HasSubstr;

/// A web server with one file, "/files/a%20b", that can change and has its faults.
class HttpStoreTest : public ::testing::Test {
 protected:
  FakeReply Answer(const FakeRequest& request) {
    MutexLock lock(mutex_);
    if (status_ != 200) return {.status = status_};
    if (request.path != "/files/a%20b") return {.status = 404, .body = "<html>"};
    FakeReply reply{.headers = {{"Last-Modified", "Sat, 21 Nov 2026 21:10:37 GMT"}}};
    if (!etag_.empty()) reply.headers.emplace_back("ETag", etag_);
    const std::string match = request.Header("if-match");
    if (checks_match_ && !match.empty() && match != etag_) return {.status = 412};
    const std::string range = request.Header("range");
    if (!ranges_ || range.empty()) {
      reply.body = bytes_;
      return reply;
    }
    const size_t begin = std::stoul(range.substr(6));
    const size_t end = std::min(std::stoul(range.substr(range.find('-') + 1)) + 1, bytes_.size());
    if (begin >= bytes_.size()) return {.status = 416};
    reply.status = 206;
    reply.body = bytes_.substr(begin, end - begin);
    reply.headers.emplace_back("Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" +
                                                    std::to_string(bytes_.size()));
    return reply;
  }
  void Set(std::string bytes, std::string etag) {
    MutexLock lock(mutex_);
    bytes_ = std::move(bytes);
    etag_ = std::move(etag);
  }

  Mutex mutex_;
  std::string bytes_ = std::string(100'000, 'a') + std::string(100'000, 'b');
  std::string etag_ = "\"1\"";
  bool ranges_ = true;
  bool checks_match_ = true;
  int status_ = 200;
  FakeHttpServer server_{[this](const FakeRequest& request) { return Answer(request); }};
  std::shared_ptr<ObjectStore> store_ =
      MakeHttpStore(server_.url() + "/files/", MakeHttpClient({}, SystemClock()).value()).value();
};

TEST_F(HttpStoreTest, ReadsFilesByRanges) {
  const ObjectInfo head = store_->Head("a b").value();
  EXPECT_EQ(head.size_bytes, 200'000);
  EXPECT_EQ(head.etag, "\"1\"");
  EXPECT_EQ(head.modified_micros, internal::ParseIsoTime("2026-11-21T21:10:37Z").value() * kMicrosPerSecond);
  EXPECT_EQ(store_->Get("a b").value(), bytes_);
  const auto reader = store_->Open("a b").value();
  std::string part(10, '#');
  EXPECT_EQ(reader->ReadAt(99'995, std::as_writable_bytes(std::span(part))).value(), 10u);
  EXPECT_EQ(part, "aaaaabbbbb");
  EXPECT_EQ(reader->ReadAt(199'998, std::as_writable_bytes(std::span(part))).value(), 2u);
  EXPECT_EQ(reader->ReadAt(200'000, std::as_writable_bytes(std::span(part))).value(), 0u);
  EXPECT_EQ(store_->uri(), server_.url() + "/files");
  Set("", "\"0\"");
  EXPECT_EQ(store_->Get("a b").value(), "");
}

TEST_F(HttpStoreTest, TheFirstRequestBringsASmallFile) {
  Set("small", "\"1\"");
  EXPECT_EQ(store_->Get("a b").value(), "small");
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpStoreTest, AFileThatChangesIsNeverMixed) {
  std::string part(10, '#');
  for (const bool server_checks : {true, false}) {
    checks_match_ = server_checks;
    Set(std::string(200'000, 'a'), "\"1\"");
    const auto reader = store_->Open("a b").value();
    Set(std::string(200'000, 'b'), "\"2\"");
    EXPECT_EQ(reader->ReadAt(100'000, std::as_writable_bytes(std::span(part))).status().code(), StatusCode::kConflict);
    Set("short", "\"1\"");
    EXPECT_EQ(reader->ReadAt(100'000, std::as_writable_bytes(std::span(part))).status().code(), StatusCode::kConflict);
  }
}

TEST_F(HttpStoreTest, RefusesWhatItCannotDo) {
  EXPECT_EQ(store_->Head("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Open("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Put("k", {}, Precondition::None()).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(store_->OpenWriter("k", Precondition::None()).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(store_->Delete("k").code(), StatusCode::kUnsupported);
  const Status listed = store_->List({.prefix = "_delta_log/"}, [](const ListEntry&) { return true; });
  EXPECT_EQ(listed.code(), StatusCode::kUnsupported);
  EXPECT_THAT(listed.message(), HasSubstr(server_.url() + "/files/_delta_log/"));
  EXPECT_EQ(store_->Head("../a").status().code(), StatusCode::kInvalidArgument);
  const auto client = MakeHttpClient({}, SystemClock()).value();
  for (const char* url : {"https://user:password@host/", "https://host/?token=secret", "https://host/#x"}) {
    const Status refused = MakeHttpStore(url, client).status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(refused.message(), ::testing::Not(::testing::AnyOf(HasSubstr("password"), HasSubstr("secret"))));
  }
}

TEST_F(HttpStoreTest, UrlsMayBeWrittenAsTheyAreRead) {
  const auto client = MakeHttpClient({}, SystemClock()).value();
  std::string upper = server_.url();
  upper.replace(0, 4, "HTTP");
  for (const std::string& url : {upper + "/files", server_.url() + "/files/"}) {
    EXPECT_TRUE(MakeHttpStore(url, client).value()->Head("a b").ok()) << url;
  }
  (void)MakeHttpStore(server_.url() + "/my files\xc3\xa4\r\nX: y/100%25", client).value()->Head("k").ok();
  EXPECT_EQ(server_.requests().back().path, "/my%20files%C3%A4%0D%0AX:%20y/100%25/k");
  for (const char* url : {"http://", "http:///a", "https://ho st/a", "http://h\x1bst/a"}) {
    const Status refused = MakeHttpStore(url, client).status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(refused.message(), HasSubstr("names no host"));
    EXPECT_EQ(refused.message().find('\x1b'), std::string::npos);
  }
}

TEST_F(HttpStoreTest, NamesWhatAServerDoesNotOffer) {
  ranges_ = false;
  EXPECT_THAT(store_->Open("a b").status().message(), HasSubstr("does not serve ranges"));
  Set("small", "");
  EXPECT_EQ(store_->Get("a b").value(), "small");
}

TEST_F(HttpStoreTest, AnswersHaveTheirErrors) {
  const std::vector<std::pair<int, StatusCode>> table = {
      {401, StatusCode::kUnauthenticated}, {403, StatusCode::kPermissionDenied}, {410, StatusCode::kNotFound},
      {429, StatusCode::kUnavailable},     {500, StatusCode::kUnavailable},      {503, StatusCode::kUnavailable},
      {400, StatusCode::kUnsupported}};
  for (const auto& [answer, code] : table) {
    status_ = answer;
    EXPECT_EQ(store_->Head("a b").status().code(), code) << answer;
    EXPECT_EQ(store_->Open("a b").status().code(), code) << answer;
  }
}

TEST(TimeText, ParsesBothFormsAndNothingElse) {
  EXPECT_EQ(internal::ParseHttpDate("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(internal::ParseHttpDate("Fri, 24 May 2013 00:00:00 GMT"), 1'369'353'600);
  EXPECT_EQ(internal::ParseIsoTime("2013-05-24T00:00:00.123Z"), 1'369'353'600);
  EXPECT_EQ(internal::FormatAmzDate(1'369'353'600), "20130524T000000Z");
  for (const char* bad : {"", "Fri, 24 Mai 2013 00:00:00 GMT", "Fri, 31 Feb 2013 00:00:00 GMT",
                          "Fri, 24 May 2013 25:00:00 GMT", "Fri, 24 May 2013 00-00-00 GMT"}) {
    EXPECT_EQ(internal::ParseHttpDate(bad), std::nullopt) << bad;
  }
  for (const char* bad : {"", "2013-05-24 00:00:00Z", "2013-13-24T00:00:00Z", "2013-05-24T00:00:00+01:00"}) {
    EXPECT_EQ(internal::ParseIsoTime(bad), std::nullopt) << bad;
  }
}

TEST(HttpStore, AFileThatChangesIsFoundOutByItsTime) {
  // No tag, and the server overlooks If-Unmodified-Since.
  std::atomic<bool> changed = false;
  FakeHttpServer server([&](const FakeRequest& request) {
    const std::string range = request.Header("range");
    const size_t begin = std::stoul(range.substr(6));
    const size_t end = std::min<size_t>(std::stoul(range.substr(range.find('-') + 1)) + 1, 200'000);
    return FakeReply{
        .status = 206,
        .headers = {{"Last-Modified", changed ? "Sat, 21 Nov 2026 21:10:38 GMT" : "Sat, 21 Nov 2026 21:10:37 GMT"},
                    {"Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/200000"}},
        .body = std::string(end - begin, 'a')};
  });
  const auto store = MakeHttpStore(server.url(), MakeHttpClient({}, SystemClock()).value()).value();
  const auto reader = store->Open("a").value();
  std::string bytes(10, ' ');
  EXPECT_TRUE(reader->ReadAt(100'000, std::as_writable_bytes(std::span(bytes))).ok());
  changed = true;
  EXPECT_EQ(reader->ReadAt(100'000, std::as_writable_bytes(std::span(bytes))).status().code(), StatusCode::kConflict);
}

/// Remembers how long each request may take.
class PatientClient final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest& request) override {
    seconds.push_back(request.timeout_micros / kMicrosPerSecond);
    return HttpResponse{.status = 404, .headers = {}, .body = {}};
  }
  std::vector<int64_t> seconds;
};

TEST(HttpStore, NoReadTakesForEver) {
  const auto client = std::make_shared<PatientClient>();
  const auto store = MakeHttpStore("http://127.0.0.1:1/t", client).value();
  EXPECT_FALSE(store->Head("a").ok());
  EXPECT_FALSE(store->Open("a").ok());
  // A minute, and a second for each 4 KiB of the first 64.
  EXPECT_EQ(client->seconds, (std::vector<int64_t>{60, 60 + 16}));
}

TEST(HttpStore, AFileThatComesCompressedIsNotTheFile) {
  FakeHttpServer server([](const FakeRequest&) {
    return FakeReply{.headers = {{"Content-Encoding", "gzip"}, {"ETag", "\"1\""}}, .body = "\x1f\x8b"};
  });
  const auto store = MakeHttpStore(server.url(), MakeHttpClient({}, SystemClock()).value()).value();
  for (const Status& status : {store->Open("a").status(), store->Head("a").status()}) {
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr("/a: the server sends it compressed (Content-Encoding: gzip)"));
  }
}

}  // namespace
}  // namespace tarn::storage
