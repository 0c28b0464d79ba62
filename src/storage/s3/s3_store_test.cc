#include "storage/s3/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "storage/s3/s3_client.h"
#include "storage/testing/fake_s3.h"

namespace tarn::storage::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeReply;
using testing::FakeRequest;
using testing::FakeS3;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kPartBytes = 1000;

class S3StoreTest : public ::testing::Test {
 protected:
  /// The next `count` requests of this method are answered so; all when `count` is negative.
  void AnswerInstead(const std::string& method, const FakeReply& reply, int count = -1) {
    auto left = std::make_shared<std::atomic<int>>(count);
    server_.AnswerInstead([=](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.method != method || *left == 0) return std::nullopt;
      --*left;
      return reply;
    });
  }
  void AnswerAfter(const std::string& method, const FakeReply& reply) {
    server_.AnswerAfter([=](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.method != method) return std::nullopt;
      return reply;
    });
  }
  Status Put(std::string_view key, const Precondition& precondition = Precondition::None()) {
    return store_->Put(key, AsBytes("x"), precondition).status();
  }
  size_t Count(const std::string& method) const {
    size_t count = 0;
    for (const FakeRequest& request : server_.requests()) count += request.method == method ? 1 : 0;
    return count;
  }

  FakeS3 server_;
  std::shared_ptr<ObjectStore> store_ = server_.MakeStore("bucket", kPartBytes);
};

TEST_F(S3StoreTest, KeysAreEncodedInPaths) {
  ASSERT_TRUE(Put("a b+c%2F/d=\xc3\xa9/~_-.").ok());
  const FakeRequest put = server_.requests().at(0);
  EXPECT_EQ(put.path, "/bucket/a%20b%2Bc%252F/d%3D%C3%A9/~_-.");
  EXPECT_THAT(put.Header("authorization"), HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"));
  EXPECT_EQ(put.Header("x-amz-content-sha256"), Sha256Hex(AsBytes("x")));
  EXPECT_EQ(store_->Get("a b+c%2F/d=\xc3\xa9/~_-.").value(), "x");
  EXPECT_EQ(store_->uri(), "s3://bucket");
}

TEST_F(S3StoreTest, AnswersHaveTheirErrors) {
  struct Case {
    int status;
    std::string code;
    StatusCode read;
    StatusCode write;
    StatusCode conditional;
  };
  const Case cases[] = {
      {404, "NoSuchBucket", StatusCode::kUnavailable, StatusCode::kUnavailable, StatusCode::kUnavailable},
      {403, "AccessDenied", StatusCode::kPermissionDenied, StatusCode::kPermissionDenied,
       StatusCode::kPermissionDenied},
      {429, "TooManyRequests", StatusCode::kUnavailable, StatusCode::kUnavailable, StatusCode::kUnavailable},
      {503, "SlowDown", StatusCode::kUnavailable, StatusCode::kUnavailable, StatusCode::kUnavailable},
      {503, "ServiceUnavailable", StatusCode::kUnavailable, StatusCode::kIndeterminate, StatusCode::kIndeterminate},
      {500, "InternalError", StatusCode::kUnavailable, StatusCode::kIndeterminate, StatusCode::kIndeterminate},
      {501, "NotImplemented", StatusCode::kUnsupported, StatusCode::kUnsupported, StatusCode::kUnsupported},
      {400, "ExpiredToken", StatusCode::kUnauthenticated, StatusCode::kUnauthenticated, StatusCode::kUnauthenticated},
      {400, "KeyTooLongError", StatusCode::kInvalidArgument, StatusCode::kInvalidArgument,
       StatusCode::kInvalidArgument},
      {400, "BadDigest", StatusCode::kInternal, StatusCode::kInternal, StatusCode::kInternal},
      {400, "RequestTimeout", StatusCode::kUnavailable, StatusCode::kUnavailable, StatusCode::kUnavailable},
  };
  for (const Case& c : cases) {
    server_.AnswerInstead([&](const FakeRequest&) { return FakeS3::Error(c.status, c.code); });
    EXPECT_EQ(store_->Get("k").status().code(), c.read) << c.code;
    EXPECT_EQ(store_->ListAll({}).status().code(), c.read) << c.code;
    EXPECT_EQ(Put("k").code(), c.write) << c.code;
    EXPECT_EQ(Put("k", Precondition::IfAbsent()).code(), c.conditional) << c.code;
    EXPECT_EQ(Put("k", Precondition::IfMatch("\"x\"")).code(), c.conditional) << c.code;
  }
}

TEST_F(S3StoreTest, MissingKeysAreNotAboutTheObject) {
  class Broken final : public CredentialSource {
   public:
    explicit Broken(StatusCode code) : code_(code) {}
    Result<std::optional<Credentials>> Load() override { return Status(code_, "no keys"); }

   private:
    const StatusCode code_;
  };
  Random random(1);
  const std::pair<StatusCode, StatusCode> cases[] = {{StatusCode::kNotFound, StatusCode::kUnauthenticated},
                                                     {StatusCode::kUnsupported, StatusCode::kUnauthenticated},
                                                     {StatusCode::kCorruption, StatusCode::kUnauthenticated},
                                                     {StatusCode::kIndeterminate, StatusCode::kUnavailable},
                                                     {StatusCode::kUnavailable, StatusCode::kUnavailable}};
  for (const auto& [failure, expected] : cases) {
    std::vector<std::unique_ptr<CredentialSource>> sources;
    sources.push_back(std::make_unique<Broken>(failure));
    const auto location = LocateBucket("bucket", {{"AWS_ENDPOINT_URL", server_.url()}}).value();
    const auto store = MakeS3Store(std::make_shared<S3Client>(
        location,
        S3Client::Seams{.http = MakeHttpClient({}, SystemClock()).value(),
                        .credentials = std::make_shared<CredentialProvider>(std::move(sources), SystemClock()),
                        .retry = {.max_attempts = 1},
                        .clock = &SystemClock(),
                        .random = &random}));
    EXPECT_EQ(store->Get("k").status().code(), expected) << StatusCodeName(failure);
    EXPECT_EQ(store->Put("k", AsBytes("x"), Precondition::IfAbsent()).status().code(), expected);
    EXPECT_EQ(store->ListAll({}).status().code(), expected);
  }
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(S3StoreTest, MessagesSayWhatAndWhereAndNoSecrets) {
  FakeReply reply = FakeS3::Error(403, "SignatureDoesNotMatch");
  reply.headers.emplace_back("x-amz-bucket-region", "eu-central-1");
  AnswerInstead("PUT", reply);
  EXPECT_EQ(Put("a/b").message(),
            "s3://bucket/a/b: PUT was answered 403 SignatureDoesNotMatch (said so); the bucket is in the region "
            "eu-central-1: set AWS_REGION, request R1");
  reply = FakeS3::Error(503, "SlowDown");
  reply.headers.emplace_back("Retry-After", "7");
  AnswerInstead("PUT", reply);
  EXPECT_THAT(Put("k").message(),
              AllOf(HasSubstr("retry after 7 s"), Not(HasSubstr("hidden")), Not(HasSubstr("AKID"))));
}

TEST_F(S3StoreTest, RepeatsWhatMayBeRepeated) {
  AnswerInstead("PUT", FakeS3::Error(503, "SlowDown"), 2);
  EXPECT_TRUE(Put("a", Precondition::IfAbsent()).ok());
  AnswerInstead("GET", FakeS3::Error(500, "InternalError"), 2);
  EXPECT_EQ(store_->Get("a").value(), "x");
  AnswerInstead("PUT", {.drop = true}, 2);
  EXPECT_TRUE(Put("b").ok());
  AnswerInstead("DELETE", {.drop = true}, 2);
  EXPECT_TRUE(store_->Delete("b").ok());
  // For good: as often as the policy says.
  AnswerInstead("GET", FakeS3::Error(500, "InternalError"));
  const size_t before = Count("GET");
  EXPECT_EQ(store_->Get("a").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Count("GET") - before, 5u);
}

TEST_F(S3StoreTest, AConditionalWriteIsNeverSentTwice) {
  for (const FakeReply& lost : {FakeReply{.drop = true}, FakeS3::Error(500, "InternalError")}) {
    const std::string key = "k" + std::to_string(lost.status);
    AnswerAfter("PUT", lost);
    const size_t before = Count("PUT");
    EXPECT_EQ(Put(key, Precondition::IfAbsent()).code(), StatusCode::kIndeterminate);
    EXPECT_EQ(Count("PUT") - before, 1u);
    server_.AnswerAfter(nullptr);
    EXPECT_EQ(store_->Get(key).value(), "x");
  }
}

TEST_F(S3StoreTest, AConflictOfRequestsIsTriedAgainAndNoVerdict) {
  AnswerInstead("PUT", FakeS3::Error(409, "ConditionalRequestConflict"), 2);
  EXPECT_TRUE(Put("k", Precondition::IfAbsent()).ok());
  EXPECT_EQ(Count("PUT"), 3u);
  AnswerInstead("PUT", FakeS3::Error(409, "ConditionalRequestConflict"));
  EXPECT_EQ(Put("other", Precondition::IfAbsent()).code(), StatusCode::kUnavailable);
}

TEST_F(S3StoreTest, LargerObjectsGoInPiecesThatAreRepeatedAndAborted) {
  const std::string piece(kPartBytes * 2 + 10, 'p');
  AnswerInstead("PUT", {.drop = true}, 1);
  {
    const auto writer = store_->OpenWriter("w", Precondition::IfAbsent()).value();
    ASSERT_TRUE(writer->Append(AsBytes(piece)).ok());
    EXPECT_EQ(server_.open_uploads(), 1u);
    EXPECT_EQ(writer->Finish().value().size_bytes, static_cast<int64_t>(piece.size()));
  }
  EXPECT_EQ(server_.open_uploads(), 0u);
  EXPECT_EQ(store_->Get("w").value(), piece);
  {
    const auto loser = store_->OpenWriter("w", Precondition::IfAbsent()).value();
    ASSERT_TRUE(loser->Append(AsBytes(piece)).ok());
    EXPECT_EQ(loser->Finish().status().code(), StatusCode::kAlreadyExists);
  }
  {
    ASSERT_TRUE(store_->OpenWriter("w", Precondition::None()).value()->Append(AsBytes(piece)).ok());
  }
  EXPECT_EQ(server_.open_uploads(), 0u);
  const auto exact = store_->OpenWriter("exact", Precondition::None()).value();
  ASSERT_TRUE(exact->Append(AsBytes(std::string(kPartBytes, 'e'))).ok());
  EXPECT_EQ(server_.open_uploads(), 0u);
  EXPECT_TRUE(exact->Finish().ok());
}

TEST_F(S3StoreTest, AFailedPieceFailsTheWriter) {
  const auto writer = store_->OpenWriter("w", Precondition::None()).value();
  AnswerInstead("PUT", FakeS3::Error(403, "AccessDenied"));
  EXPECT_EQ(writer->Append(AsBytes(std::string(3 * kPartBytes, 'p'))).code(), StatusCode::kPermissionDenied);
  server_.AnswerInstead(nullptr);
  EXPECT_EQ(writer->Append(AsBytes("more")).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(writer->Finish().status().code(), StatusCode::kPermissionDenied);
}

TEST_F(S3StoreTest, AnErrorWithinAnAnswerOfSuccessIsSeen) {
  const std::pair<std::string, StatusCode> cases[] = {{"InternalError", StatusCode::kIndeterminate},
                                                      {"PreconditionFailed", StatusCode::kAlreadyExists},
                                                      {"InvalidPart", StatusCode::kInternal}};
  for (const auto& [code, expected] : cases) {
    const auto writer = store_->OpenWriter("w", Precondition::IfAbsent()).value();
    ASSERT_TRUE(writer->Append(AsBytes(std::string(2 * kPartBytes, 'p'))).ok());
    server_.AnswerInstead([&](const FakeRequest& request) -> std::optional<FakeReply> {
      if (request.method != "POST") return std::nullopt;
      return FakeS3::Error(200, code);
    });
    EXPECT_EQ(writer->Finish().status().code(), expected) << code;
    server_.AnswerInstead(nullptr);
  }
}

TEST_F(S3StoreTest, ListingsAreReadStrictly) {
  const auto answer = [&](const std::string& body) {
    AnswerInstead("GET", {.body = body});
    return store_->ListAll({});
  };
  const auto entry = [](const std::string& key) {
    return "<Contents><Key>" + key +
           "</Key><LastModified>2026-11-21T21:10:37.123Z</LastModified><Size>1</Size></Contents>";
  };
  const auto list = [](const std::string& inside) { return "<ListBucketResult>" + inside + "</ListBucketResult>"; };
  std::vector<std::string> keys;
  const auto listed = answer(list(entry("a+b&amp;c") + entry("dir/") + entry("f//x") + entry("x/.tarn-tmp-1")));
  for (const ListEntry& found : listed.value()) keys.push_back(found.object.key);
  EXPECT_THAT(keys, ElementsAre("a+b&c"));
  for (const std::string& broken :
       {std::string("<Other/>"), std::string("<ListBucketResult>"), list("<IsTruncated>true</IsTruncated>"),
        list("<EncodingType>url</EncodingType><Contents><Key>%</Key></Contents>"),
        list("<Contents><Key>a</Key><Size>x</Size></Contents>"),
        list("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")}) {
    const Status status = answer(broken).status();
    EXPECT_FALSE(status.ok()) << broken;
    EXPECT_NE(status.code(), StatusCode::kInternal) << broken;
  }
  AnswerInstead("GET", {.body = list(entry("b"))});
  server_.AnswerInstead([&, first = true](const FakeRequest&) mutable -> std::optional<FakeReply> {
    const std::string more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
    return FakeReply{.body = list(std::exchange(first, false) ? more + entry("b") : entry("a"))};
  });
  EXPECT_EQ(store_->ListAll({}).status().code(), StatusCode::kUnsupported);
}

TEST(S3Location, IsSaidByTheEnvironment) {
  const auto locate = [](std::string_view bucket, Environment environment) {
    return LocateBucket(bucket, environment).value();
  };
  const S3Location plain = locate("my-bucket", {});
  EXPECT_EQ(plain.endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(plain.region, "us-east-1");
  EXPECT_TRUE(plain.virtual_host);
  EXPECT_FALSE(plain.anonymous);
  // A certificate for *.amazonaws.com does not cover two names.
  EXPECT_FALSE(locate("my.bucket", {}).virtual_host);
  EXPECT_EQ(locate("b", {{"AWS_REGION", "cn-north-1"}}).endpoint, "https://s3.cn-north-1.amazonaws.com.cn");
  const S3Location own = locate(
      "b", {{"AWS_ENDPOINT_URL", "https://host:443/"}, {"AWS_DEFAULT_REGION", "here"}, {"AWS_SKIP_SIGNATURE", "true"}});
  EXPECT_EQ(own.endpoint, "https://host");
  EXPECT_EQ(own.region, "here");
  EXPECT_FALSE(own.virtual_host);
  EXPECT_TRUE(own.anonymous);
  EXPECT_TRUE(
      locate("b", {{"AWS_ENDPOINT_URL_S3", "http://h:1"}, {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true"}}).virtual_host);
  EXPECT_EQ(LocateBucket("a b", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(LocateBucket("", {}).status().code(), StatusCode::kInvalidArgument);
  for (const char* endpoint : {"host:9000", "https://", "https://user@host", "https://host/path"}) {
    EXPECT_EQ(LocateBucket("b", {{"AWS_ENDPOINT_URL", endpoint}}).status().code(), StatusCode::kInvalidArgument)
        << endpoint;
  }
}

}  // namespace
}  // namespace tarn::storage::internal
