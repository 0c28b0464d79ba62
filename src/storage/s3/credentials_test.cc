#include "storage/s3/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "base/executor.h"
#include "storage/http/time_text.h"
#include "storage/testing/fake_http_server.h"
#include "storage/testing/temp_folder.h"

namespace tarn::storage::internal {
namespace {

using testing::FakeHttpServer;
using testing::FakeReply;
using testing::FakeRequest;
using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  /// So many seconds from now.
  std::string In(int64_t seconds) {
    std::string date = FormatAmzDate(clock_.WallMicros() / kMicrosPerSecond + seconds);
    return date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6, 5) + ":" + date.substr(11, 2) + ":" +
           date.substr(13, 2) + "Z";
  }
  Result<Credentials> Get(const Environment& environment) {
    return DefaultCredentials(environment, "eu-central-1", http_, clock_)->Get();
  }

  testing::TempFolder folder_;
  FakeClock clock_;
  std::shared_ptr<HttpClient> http_ = MakeHttpClient({}, SystemClock()).value();
};

TEST_F(CredentialsTest, TheEnvironmentComesFirst) {
  const Credentials found =
      Get({{"AWS_ACCESS_KEY_ID", "id"},
           {"AWS_SECRET_ACCESS_KEY", "secret"},
           {"AWS_SESSION_TOKEN", "token"},
           {"AWS_SHARED_CREDENTIALS_FILE", File("c", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n")}})
          .value();
  EXPECT_EQ(found.access_key_id, "id");
  EXPECT_EQ(found.secret_access_key, "secret");
  EXPECT_EQ(found.session_token, "token");
  EXPECT_EQ(Get({{"AWS_ACCESS_KEY_ID", "id"}}).status().code(), StatusCode::kUnauthenticated);
  const Status none = Get({{"AWS_EC2_METADATA_DISABLED", "true"}}).status();
  EXPECT_EQ(none.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(none.message(), HasSubstr("AWS_ACCESS_KEY_ID"));
}

TEST_F(CredentialsTest, ProfilesAreReadFromBothFilesAndAnew) {
  Environment environment = {
      {"AWS_EC2_METADATA_DISABLED", "true"},
      {"AWS_CONFIG_FILE", File("config", "[default]\nregion = r1\n[profile other]\nregion=r2\ns3 =\n  region = no\n")},
      {"AWS_SHARED_CREDENTIALS_FILE", File("credentials",
                                           "# keys\n[default]\naws_access_key_id = d\naws_secret_access_key = ds\n"
                                           "[ other ]\naws_access_key_id=o\naws_secret_access_key=os=+/\n"
                                           "aws_session_token = t\n")}};
  EXPECT_EQ(Get(environment)->access_key_id, "d");
  EXPECT_EQ(LoadProfile(environment)->at("region"), "r1");
  environment["AWS_PROFILE"] = "other";
  EXPECT_EQ(Get(environment)->secret_access_key, "os=+/");
  EXPECT_EQ(Get(environment)->session_token, "t");
  EXPECT_EQ(LoadProfile(environment)->at("region"), "r2");
  environment["AWS_PROFILE"] = "missing";
  EXPECT_EQ(Get(environment).status().code(), StatusCode::kNotFound);

  environment.erase("AWS_PROFILE");
  const auto provider = DefaultCredentials(environment, "r", http_, clock_);
  EXPECT_EQ(provider->Get()->access_key_id, "d");
  File("credentials", "[default]\naws_access_key_id = new\naws_secret_access_key = ns\n");
  EXPECT_EQ(provider->Get()->access_key_id, "d");
  clock_.Advance(301 * kMicrosPerSecond);
  EXPECT_EQ(provider->Get()->access_key_id, "new");
}

TEST_F(CredentialsTest, AProfileWhoseWayIsNotBuiltIsNamed) {
  const Status refused =
      Get({{"AWS_CONFIG_FILE", File("config", "[default]\ncredential_process = /bin/true\n")}}).status();
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_THAT(refused.message(), HasSubstr("credential_process"));
}

TEST_F(CredentialsTest, AWebIdentityBecomesARole) {
  std::string expiration = In(3600);
  int status = 200;
  FakeHttpServer sts([&](const FakeRequest&) -> FakeReply {
    if (status != 200) {
      return {.status = status,
              .body = "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>"};
    }
    return {.body =
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId>"
                "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>" +
                expiration +
                "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"};
  });
  const Environment environment = {{"AWS_WEB_IDENTITY_TOKEN_FILE", File("token", "to+ken\n")},
                                   {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                                   {"AWS_ENDPOINT_URL_STS", sts.url()}};
  const auto provider = DefaultCredentials(environment, "r", http_, clock_);
  EXPECT_EQ(provider->Get()->access_key_id, "ASIA");
  EXPECT_EQ(provider->Get()->session_token, "t");
  EXPECT_EQ(sts.requests().size(), 1u);
  EXPECT_EQ(sts.requests()[0].body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=tarn&"
            "Version=2011-06-15&WebIdentityToken=to%2Bken");

  // Five minutes before they expire new ones are fetched; while that fails, the old ones do.
  clock_.Advance(3301 * kMicrosPerSecond);
  status = 400;
  EXPECT_TRUE(provider->Get().ok());
  EXPECT_TRUE(provider->Get().ok());
  EXPECT_EQ(sts.requests().size(), 2u);
  clock_.Advance(31 * kMicrosPerSecond);
  status = 200;
  expiration = In(3600);
  EXPECT_TRUE(provider->Get().ok());
  EXPECT_EQ(sts.requests().size(), 3u);
  clock_.Advance(3601 * kMicrosPerSecond);
  status = 400;
  const Status refused = provider->Get().status();
  EXPECT_EQ(refused.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(refused.message(), HasSubstr("ExpiredTokenException"));
}

TEST_F(CredentialsTest, AnInstanceHasItsRole) {
  std::string role = "my role";
  FakeHttpServer metadata([&](const FakeRequest& request) -> FakeReply {
    if (request.path == "/latest/api/token") {
      const bool right = request.method == "PUT" && !request.Header("x-aws-ec2-metadata-token-ttl-seconds").empty();
      return {.status = right ? 200 : 400, .body = "session"};
    }
    if (request.Header("x-aws-ec2-metadata-token") != "session") return {.status = 401};
    if (request.path == "/latest/meta-data/iam/security-credentials/") {
      return {.status = role.empty() ? 404 : 200, .body = role};
    }
    if (request.path != "/latest/meta-data/iam/security-credentials/my%20role") return {.status = 404};
    return {.body = R"({"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":")" +
                    In(3600) + "\"}"};
  });
  const Environment environment = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url()}};
  const Credentials found = Get(environment).value();
  EXPECT_EQ(found.access_key_id, "ASIA");
  EXPECT_EQ(found.secret_access_key, "s");
  EXPECT_EQ(found.session_token, "t");
  role.clear();
  EXPECT_THAT(Get(environment).status().message(), HasSubstr("no AWS credentials"));
}

TEST_F(CredentialsTest, OneThreadFetchesForAll) {
  class SlowSource final : public CredentialSource {
   public:
    Result<std::optional<Credentials>> Load() override {
      ++loads;
      return std::optional(Credentials{.access_key_id = "id"});
    }
    std::atomic<int> loads = 0;
  };
  auto source = std::make_unique<SlowSource>();
  SlowSource& counted = *source;
  std::vector<std::unique_ptr<CredentialSource>> sources;
  sources.push_back(std::move(source));
  CredentialProvider provider(std::move(sources), clock_);
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back("asker", [&] { EXPECT_TRUE(provider.Get().ok()); });
  }
  EXPECT_EQ(counted.loads, 1);
}

}  // namespace
}  // namespace tarn::storage::internal
