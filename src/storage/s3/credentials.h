#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/environment.h"
#include "base/mutex.h"
#include "base/status.h"
#include "storage/http/http_client.h"
#include "storage/s3/sigv4.h"

namespace tarn::storage::internal {

/// One place where keys may come from. Thread-safe.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// nullopt when this place is not in use here; an error when it is and does not give keys.
  virtual Result<std::optional<Credentials>> Load() = 0;
};

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
std::unique_ptr<CredentialSource> EnvironmentCredentials(const Environment& environment);
/// The keys of a profile in the files ~/.aws/credentials and ~/.aws/config, read again every five minutes.
std::unique_ptr<CredentialSource> ProfileCredentials(const Environment& environment, Clock& clock);
/// AssumeRoleWithWebIdentity at the STS of `region`, with the token in AWS_WEB_IDENTITY_TOKEN_FILE.
std::unique_ptr<CredentialSource> WebIdentityCredentials(const Environment& environment, std::string region,
                                                         std::shared_ptr<HttpClient> http);
/// The role of this EC2 instance (IMDSv2).
std::unique_ptr<CredentialSource> InstanceCredentials(const Environment& environment, std::shared_ptr<HttpClient> http);

/// The keys to sign with, from the first of several places that has some; fetched when first asked for, and again
/// before they expire. One thread fetches; the others go on with the keys at hand or wait. Thread-safe.
class CredentialProvider {
 public:
  CredentialProvider(std::vector<std::unique_ptr<CredentialSource>> sources, Clock& clock)
      : sources_(std::move(sources)), clock_(clock) {}

  /// Unauthenticated when no place has keys.
  Result<Credentials> Get() EXCLUDES(mutex_);
  /// The same for a request about to be sent: whatever is wrong with the keys says nothing of what it asks for, so that
  /// a missing profile does not look like a missing object. Unavailable where it may pass, else Unauthenticated.
  Result<Credentials> GetForSigning() EXCLUDES(mutex_);

 private:
  Result<Credentials> Fetch();

  const std::vector<std::unique_ptr<CredentialSource>> sources_;
  Clock& clock_;
  Mutex mutex_;
  CondVar fetched_;
  bool fetching_ GUARDED_BY(mutex_) = false;
  std::optional<Credentials> current_ GUARDED_BY(mutex_);
  /// After a failure, while there still are keys.
  int64_t retry_at_ GUARDED_BY(mutex_) = 0;
};

/// All of the above places, in that order.
std::shared_ptr<CredentialProvider> DefaultCredentials(const Environment& environment, const std::string& region,
                                                       const std::shared_ptr<HttpClient>& http, Clock& clock);

/// The settings of the profile AWS_PROFILE, or "default", out of AWS_CONFIG_FILE (~/.aws/config) and
/// AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), which wins. Missing files are empty; NotFound when AWS_PROFILE
/// names a profile that no file has.
Result<std::map<std::string, std::string>> LoadProfile(const Environment& environment);

}  // namespace tarn::storage::internal
