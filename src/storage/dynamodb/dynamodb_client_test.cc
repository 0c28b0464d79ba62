#include "storage/dynamodb/dynamodb_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "storage/s3/sigv4.h"
#include "storage/testing/fake_http_server.h"

namespace tarn::storage {
namespace {

using testing::FakeReply;
using testing::FakeRequest;
using ::testing::HasSubstr;
using ::testing::Not;

using Repeat = DynamoDbClient::Repeat;

FakeReply Refuse(int status, const std::string& type) {
  return {.status = status,
          .headers = {{"x-amzn-RequestId", "R1"}},
          .body = R"({"__type":"com.amazonaws.dynamodb.v20120810#)" + type + R"(","message":"said so"})"};
}

class DynamoDbClientTest : public ::testing::Test {
 protected:
  Result<std::string> Call(Repeat repeat, const std::string& secret = "wJalrXUtnFEMI") {
    const Environment environment = {{"AWS_ACCESS_KEY_ID", "AKID"},
                                     {"AWS_SECRET_ACCESS_KEY", secret},
                                     {"AWS_SESSION_TOKEN", "TOKEN"},
                                     {"AWS_EC2_METADATA_DISABLED", "true"}};
    EXPECT_TRUE(internal::LoadCrypto().ok());
    const auto http = MakeHttpClient({}, SystemClock()).value();
    const DynamoDbClient client(
        {.name = "delta_log", .region = "eu-central-1", .endpoint = server_.url()},
        {.http = http,
         .credentials = internal::DefaultCredentials(environment, "eu-central-1", http, SystemClock()),
         .retry = {.first_wait_micros = 0},
         .clock = &SystemClock(),
         .random = &random_});
    return client.Call("GetItem", R"({"TableName":"delta_log"})", repeat);
  }

  std::function<FakeReply(int)> answer_ = [](int) { return FakeReply{.body = "{}"}; };
  std::atomic<int> asked_ = 0;
  Random random_{1};
  testing::FakeHttpServer server_{[this](const FakeRequest&) { return answer_(asked_++); }};
};

TEST_F(DynamoDbClientTest, RequestsAreSigned) {
  EXPECT_EQ(Call(Repeat::kNever).value(), "{}");
  const FakeRequest request = server_.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/");
  EXPECT_EQ(request.body, R"({"TableName":"delta_log"})");
  EXPECT_EQ(request.Header("x-amz-target"), "DynamoDB_20120810.GetItem");
  EXPECT_EQ(request.Header("content-type"), "application/x-amz-json-1.0");
  EXPECT_THAT(request.Header("authorization"), HasSubstr("/eu-central-1/dynamodb/aws4_request"));
  EXPECT_THAT(request.Header("authorization"),
              HasSubstr("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;"
                        "x-amz-target,"));
}

TEST_F(DynamoDbClientTest, AnswersHaveTheirErrors) {
  struct Case {
    int status;
    const char* type;
    StatusCode once;
    StatusCode repeated;
  };
  const Case cases[] = {
      {400, "ConditionalCheckFailedException", StatusCode::kConflict, StatusCode::kConflict},
      {400, "ResourceNotFoundException", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {400, "ProvisionedThroughputExceededException", StatusCode::kUnavailable, StatusCode::kUnavailable},
      {400, "AccessDeniedException", StatusCode::kPermissionDenied, StatusCode::kPermissionDenied},
      {400, "UnrecognizedClientException", StatusCode::kUnauthenticated, StatusCode::kUnauthenticated},
      {400, "ValidationException", StatusCode::kInternal, StatusCode::kInternal},
      {500, "InternalServerError", StatusCode::kIndeterminate, StatusCode::kUnavailable},
      {503, "ServiceUnavailable", StatusCode::kIndeterminate, StatusCode::kUnavailable},
  };
  for (const Case& c : cases) {
    answer_ = [&](int) { return Refuse(c.status, c.type); };
    EXPECT_EQ(Call(Repeat::kNever).status().code(), c.once) << c.type;
    EXPECT_EQ(Call(Repeat::kWhenLost).status().code(), c.repeated) << c.type;
  }
}

TEST_F(DynamoDbClientTest, ErrorsNameTheTableAndNoSecret) {
  answer_ = [](int) { return Refuse(400, "ResourceNotFoundException"); };
  const std::string missing = Call(Repeat::kNever).status().ToString();
  EXPECT_THAT(missing, HasSubstr("'delta_log' in eu-central-1"));
  EXPECT_THAT(missing, HasSubstr("there is no such table"));
  answer_ = [](int) { return Refuse(400, "AccessDeniedException"); };
  const std::string denied = Call(Repeat::kNever).status().ToString();
  EXPECT_THAT(denied, HasSubstr("AccessDeniedException (said so), request R1"));
  EXPECT_THAT(denied, Not(HasSubstr("wJalrXUtnFEMI")));
}

TEST_F(DynamoDbClientTest, ThrottledRequestsAreRepeatedAFewTimes) {
  answer_ = [](int asked) { return asked < 3 ? Refuse(400, "ThrottlingException") : FakeReply{.body = "{}"}; };
  EXPECT_TRUE(Call(Repeat::kNever).ok());
  EXPECT_EQ(asked_, 4);
  answer_ = [](int) { return Refuse(400, "ThrottlingException"); };
  asked_ = 0;
  EXPECT_FALSE(Call(Repeat::kNever).ok());
  EXPECT_EQ(asked_, RetryPolicy().max_attempts);
}

TEST_F(DynamoDbClientTest, OnlyWhatMayBeRepeatedIsSentAgainWhenItsAnswerIsLost) {
  answer_ = [](int asked) { return asked == 0 ? FakeReply{.drop = true} : FakeReply{.body = "{}"}; };
  EXPECT_EQ(Call(Repeat::kNever).status().code(), StatusCode::kIndeterminate);
  asked_ = 0;
  EXPECT_EQ(Call(Repeat::kWhenLost).value(), "{}");
}

TEST(OpenDynamoDb, IsWhereTheSettingsSay) {
  Random random(1);
  const auto place = [&](const DynamoDbTable& table, const Environment& environment) {
    const DynamoDbTable found = OpenDynamoDb(table, environment, random).value()->table();
    return found.region + " " + found.endpoint;
  };
  EXPECT_EQ(place({.name = "t"}, {}), "us-east-1 https://dynamodb.us-east-1.amazonaws.com");
  EXPECT_EQ(place({.name = "t"}, {{"AWS_REGION", "cn-north-1"}}),
            "cn-north-1 https://dynamodb.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(place({.name = "t", .region = "eu-west-1"}, {{"AWS_REGION", "us-east-2"}}),
            "eu-west-1 https://dynamodb.eu-west-1.amazonaws.com");
  EXPECT_EQ(place({.name = "t"}, {{"AWS_ENDPOINT_URL", "http://both:1"}, {"AWS_ENDPOINT_URL_S3", "http://s3:1"}}),
            "us-east-1 http://both:1");
  EXPECT_EQ(place({.name = "t", .endpoint = "https://own:443/"}, {{"AWS_ENDPOINT_URL_DYNAMODB", "http://other:1"}}),
            "us-east-1 https://own");
  const auto wrong = OpenDynamoDb({.name = "t", .endpoint = "own:443"}, {}, random);
  EXPECT_EQ(wrong.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(wrong.status().message(), HasSubstr("AWS_ENDPOINT_URL_DYNAMODB"));
}

}  // namespace
}  // namespace tarn::storage
