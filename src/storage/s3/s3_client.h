#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/environment.h"
#include "base/random.h"
#include "base/status.h"
#include "storage/backoff.h"
#include "storage/http/http_client.h"
#include "storage/object_store.h"
#include "storage/s3/credentials.h"
#include "storage/s3/sigv4.h"

namespace tarn::storage::internal {

/// Where a bucket is and how it is addressed.
struct S3Location {
  std::string bucket;
  std::string region;
  /// "https://s3.eu-central-1.amazonaws.com", without path and default port.
  std::string endpoint;
  /// https://bucket.host/key rather than https://host/bucket/key.
  bool virtual_host = false;
  /// Requests are not signed.
  bool anonymous = false;
};

/// As LocateService has it, and by AWS_VIRTUAL_HOSTED_STYLE_REQUEST and AWS_SKIP_SIGNATURE. InvalidArgument names the
/// setting or the bucket.
Result<S3Location> LocateBucket(std::string_view bucket, const Environment& environment);

struct S3Request {
  std::string method = "GET";
  /// Empty for the bucket itself.
  std::string key;
  QueryParameters query;
  /// Names in lower case.
  std::vector<HttpHeader> headers;
  ByteSpan body;
  MutableByteSpan into;
  size_t max_body_bytes = 64 << 10;
  /// What the headers ask for, by which a refusal is called.
  Precondition::Kind precondition = Precondition::Kind::kNone;
  /// Whether the request may be sent again when it is not known what became of it.
  bool repeatable = true;
  /// Whether it may be sent again when another write to the key was under way.
  bool repeat_conflicts = true;
};

/// Signs requests to one bucket, sends them, repeats what may be repeated, and says in our words what went wrong.
/// Thread-safe.
class S3Client {
 public:
  struct Seams {
    std::shared_ptr<HttpClient> http;
    /// Null where requests are not signed.
    std::shared_ptr<CredentialProvider> credentials;
    RetryPolicy retry;
    Clock* clock = nullptr;
    Random* random = nullptr;
  };
  S3Client(S3Location location, Seams seams);

  /// Answers with a status of 200 to 299, and 416. Else NotFound (404), PermissionDenied (403), Unauthenticated (401,
  /// keys that expired), AlreadyExists or Conflict (412), Unavailable (throttled, busy, not sent, no such bucket:
  /// nothing happened, or a read that may be repeated), Indeterminate (a write was sent and there is no answer, or one
  /// with 5xx), Unsupported (501), InvalidArgument (a name that S3 does not take), Internal (any other refusal: nothing
  /// happened); the message has S3's own code and request id, and never a secret.
  Result<HttpResponse> Send(const S3Request& request);

  /// The same words for an error that arrives within an answer of success.
  Status ErrorInside(const S3Request& request, const HttpResponse& answer) const;

  const std::string& bucket() const { return location_.bucket; }
  /// "s3://bucket/key".
  std::string Shown(std::string_view key) const;

 private:
  Result<HttpResponse> SendOnce(const S3Request& request, int64_t& retry_after_micros);
  Result<HttpRequest> Signed(const S3Request& request) const;
  Status StatusOf(const S3Request& request, const HttpResponse& answer, int http_status) const;

  const S3Location location_;
  const Seams seams_;
  std::string host_;
  std::string scheme_;
};

}  // namespace tarn::storage::internal
