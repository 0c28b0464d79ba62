#include "storage/s3/credentials.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "storage/http/time_text.h"
#include "storage/s3/flat_json.h"
#include "storage/s3/xml.h"

namespace tarn::storage::internal {

namespace {

/// Keys are fetched anew so long before they expire.
constexpr int64_t kRefreshSeconds = 5 * 60;
constexpr int64_t kRetrySeconds = 30;
constexpr int64_t kMetadataTimeoutMicros = 2 * kMicrosPerSecond;
constexpr char kMetadataEndpoint[] = "http://169.254.169.254";
constexpr char kRolePath[] = "/latest/meta-data/iam/security-credentials/";

class EnvironmentSource final : public CredentialSource {
 public:
  explicit EnvironmentSource(const Environment& environment)
      : credentials_{.access_key_id = std::string(ValueOf(environment, "AWS_ACCESS_KEY_ID")),
                     .secret_access_key = std::string(ValueOf(environment, "AWS_SECRET_ACCESS_KEY")),
                     .session_token = std::string(ValueOf(environment, "AWS_SESSION_TOKEN"))} {}

  Result<std::optional<Credentials>> Load() override {
    if (credentials_.access_key_id.empty() && credentials_.secret_access_key.empty()) {
      return std::optional<Credentials>();
    }
    if (credentials_.access_key_id.empty() || credentials_.secret_access_key.empty()) {
      return Status::Unauthenticated("one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set without the other");
    }
    return std::optional(credentials_);
  }

 private:
  const Credentials credentials_;
};

class WebIdentitySource final : public CredentialSource {
 public:
  WebIdentitySource(const Environment& environment, const std::string& region, std::shared_ptr<HttpClient> http)
      : token_file_(ValueOf(environment, "AWS_WEB_IDENTITY_TOKEN_FILE")),
        role_(ValueOf(environment, "AWS_ROLE_ARN")),
        session_name_(ValueOf(environment, "AWS_ROLE_SESSION_NAME")),
        endpoint_(ValueOf(environment, "AWS_ENDPOINT_URL_STS")),
        http_(std::move(http)) {
    if (session_name_.empty()) session_name_ = "tarn";
    if (endpoint_.empty()) {
      endpoint_ = "https://sts." + region + ".amazonaws.com" + (region.starts_with("cn-") ? ".cn" : "");
    }
    while (endpoint_.ends_with('/')) endpoint_.pop_back();
  }

  Result<std::optional<Credentials>> Load() override {
    if (token_file_.empty() || role_.empty()) return std::optional<Credentials>();
    std::ifstream file(token_file_, std::ios::binary);
    std::string token{std::istreambuf_iterator<char>(file), {}};
    while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
    if (token.empty()) return Status::Unauthenticated("the web identity token in '" + token_file_ + "' cannot be read");
    const std::string form = EncodeQuery({{"Action", "AssumeRoleWithWebIdentity"},
                                          {"Version", "2011-06-15"},
                                          {"RoleArn", role_},
                                          {"RoleSessionName", session_name_},
                                          {"WebIdentityToken", token}});
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer,
                          http_->Send({.method = "POST",
                                       .url = endpoint_ + "/",
                                       .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                                       .body = AsBytes(form),
                                       .into = {}}));
    TARN_ASSIGN_OR_RETURN(Credentials credentials, FromAnswer(answer));
    return std::optional(std::move(credentials));
  }

 private:
  Result<Credentials> FromAnswer(const HttpResponse& answer) const {
    const auto root = ParseXml(answer.body);
    if (!answer.succeeded()) {
      const XmlElement* const error = root.ok() ? root->Child("Error") : nullptr;
      return Status::Unauthenticated(endpoint_ + " answered " + std::to_string(answer.status) + " to the role " +
                                     role_ + (error == nullptr ? "" : ": " + std::string(error->ChildText("Code"))));
    }
    if (!root.ok()) return root.status().WithContext(endpoint_);
    const XmlElement* const result = root->Child("AssumeRoleWithWebIdentityResult");
    const XmlElement* const keys = result == nullptr ? nullptr : result->Child("Credentials");
    if (keys == nullptr) return Status::Corruption(endpoint_ + " answered without credentials");
    const auto expires = ParseIsoTime(keys->ChildText("Expiration"));
    Credentials credentials{.access_key_id = std::string(keys->ChildText("AccessKeyId")),
                            .secret_access_key = std::string(keys->ChildText("SecretAccessKey")),
                            .session_token = std::string(keys->ChildText("SessionToken"))};
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() || !expires.has_value()) {
      return Status::Corruption(endpoint_ + " answered without credentials");
    }
    credentials.expires_at = *expires;
    return credentials;
  }

  const std::string token_file_;
  const std::string role_;
  std::string session_name_;
  std::string endpoint_;
  const std::shared_ptr<HttpClient> http_;
};

class InstanceSource final : public CredentialSource {
 public:
  InstanceSource(const Environment& environment, std::shared_ptr<HttpClient> http)
      : disabled_(ValueOf(environment, "AWS_EC2_METADATA_DISABLED") == "true"),
        endpoint_(ValueOf(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT")),
        http_(std::move(http)) {
    if (endpoint_.empty()) endpoint_ = kMetadataEndpoint;
    while (endpoint_.ends_with('/')) endpoint_.pop_back();
  }

  Result<std::optional<Credentials>> Load() override {
    if (disabled_) return std::optional<Credentials>();
    const auto token = Ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "300"});
    // Whatever this is, it is no EC2 instance.
    if (!token.ok() || token->status != 200) return std::optional<Credentials>();
    const HttpHeader proof{"X-aws-ec2-metadata-token", token->body};
    TARN_ASSIGN_OR_RETURN(const HttpResponse roles, Ask("GET", kRolePath, proof));
    const std::string role = roles.body.substr(0, roles.body.find('\n'));
    if (roles.status == 404 || role.empty()) return std::optional<Credentials>();
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, Ask("GET", kRolePath + EncodeS3Path(role), proof));
    if (answer.status != 200) {
      return Status::Unauthenticated(endpoint_ + " answered " + std::to_string(answer.status) +
                                     " to the instance's role " + role);
    }
    TARN_ASSIGN_OR_RETURN(Credentials credentials, FromJson(answer.body));
    return std::optional(std::move(credentials));
  }

 private:
  Result<HttpResponse> Ask(std::string method, const std::string& path, HttpHeader header) const {
    return http_->Send({.method = std::move(method),
                        .url = endpoint_ + path,
                        .headers = {std::move(header)},
                        .body = {},
                        .into = {},
                        .bypass_proxy = true,
                        .timeout_micros = kMetadataTimeoutMicros});
  }

  Result<Credentials> FromJson(const std::string& text) const {
    auto members = ParseFlatJson(text);
    if (!members.ok()) return members.status().WithContext(endpoint_);
    const auto member = [&](const char* name) { return std::move((*members)[name]); };
    Credentials credentials{.access_key_id = member("AccessKeyId"),
                            .secret_access_key = member("SecretAccessKey"),
                            .session_token = member("Token")};
    const auto expires = ParseIsoTime(member("Expiration"));
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() || !expires.has_value()) {
      return Status::Corruption(endpoint_ + " answered without credentials");
    }
    credentials.expires_at = *expires;
    return credentials;
  }

  const bool disabled_;
  std::string endpoint_;
  const std::shared_ptr<HttpClient> http_;
};

}  // namespace

std::unique_ptr<CredentialSource> EnvironmentCredentials(const Environment& environment) {
  return std::make_unique<EnvironmentSource>(environment);
}

std::unique_ptr<CredentialSource> WebIdentityCredentials(const Environment& environment, std::string region,
                                                         std::shared_ptr<HttpClient> http) {
  return std::make_unique<WebIdentitySource>(environment, region, std::move(http));
}

std::unique_ptr<CredentialSource> InstanceCredentials(const Environment& environment,
                                                      std::shared_ptr<HttpClient> http) {
  return std::make_unique<InstanceSource>(environment, std::move(http));
}

Result<Credentials> CredentialProvider::Get() {
  MutexLock lock(mutex_);
  while (true) {
    const int64_t now = clock_.WallMicros() / kMicrosPerSecond;
    const bool fresh =
        current_.has_value() && (current_->expires_at == 0 || now + kRefreshSeconds < current_->expires_at);
    const bool usable = current_.has_value() && (current_->expires_at == 0 || now < current_->expires_at);
    if (fresh || (usable && (fetching_ || now < retry_at_))) return *current_;
    if (fetching_) {
      fetched_.wait(mutex_);
      continue;
    }
    fetching_ = true;
    lock.Unlock();
    auto fetched = Fetch();
    lock.Lock();
    fetching_ = false;
    fetched_.notify_all();
    if (fetched.ok()) {
      current_ = *fetched;
      return fetched;
    }
    if (!usable) return fetched;
    retry_at_ = now + kRetrySeconds;
    Log(LogLevel::kWarning, "AWS credentials could not be refreshed", {{"why", fetched.status().ToString()}});
    return *current_;
  }
}

Result<Credentials> CredentialProvider::GetForSigning() {
  auto credentials = Get();
  if (credentials.ok()) return credentials;
  const Status& status = credentials.status();
  const bool may_pass = status.Is(StatusCode::kUnavailable) || status.Is(StatusCode::kIndeterminate);
  return Status(may_pass ? StatusCode::kUnavailable : StatusCode::kUnauthenticated, status.message());
}

Result<Credentials> CredentialProvider::Fetch() {
  for (const auto& source : sources_) {
    TARN_ASSIGN_OR_RETURN(std::optional<Credentials> found, source->Load());
    if (found.has_value()) return *std::move(found);
  }
  return Status::Unauthenticated(
      "no AWS credentials in the environment (AWS_ACCESS_KEY_ID), a profile (~/.aws/credentials), a web identity or "
      "instance metadata; AWS_SKIP_SIGNATURE=true reads public data without");
}

std::shared_ptr<CredentialProvider> DefaultCredentials(const Environment& environment, const std::string& region,
                                                       const std::shared_ptr<HttpClient>& http, Clock& clock) {
  std::vector<std::unique_ptr<CredentialSource>> sources;
  sources.push_back(EnvironmentCredentials(environment));
  sources.push_back(ProfileCredentials(environment, clock));
  sources.push_back(WebIdentityCredentials(environment, region, http));
  sources.push_back(InstanceCredentials(environment, http));
  return std::make_shared<CredentialProvider>(std::move(sources), clock);
}

}  // namespace tarn::storage::internal
