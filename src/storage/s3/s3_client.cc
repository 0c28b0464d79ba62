#include "storage/s3/s3_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "storage/http/printable.h"
#include "storage/s3/xml.h"

namespace tarn::storage::internal {

namespace {

/// A server may not hold us up for longer than this by Retry-After.
constexpr int64_t kMaxRetryAfterSeconds = 20;

struct S3Error {
  std::string code;
  std::string message;
  std::string request_id;
};

/// Only these three parts: S3 sends the key id and what was signed along.
S3Error ErrorOf(const HttpResponse& answer) {
  S3Error error;
  if (const auto root = ParseXml(answer.body); root.ok()) {
    error.code = Printable(root->ChildText("Code"));
    error.message = Printable(root->ChildText("Message"));
    error.request_id = Printable(root->ChildText("RequestId"));
  }
  if (error.request_id.empty()) error.request_id = Printable(answer.Header("x-amz-request-id"));
  return error;
}

int64_t RetryAfterSeconds(const HttpResponse& answer) {
  const std::string_view text = answer.Header("retry-after");
  int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed != std::errc() || end != text.data() + text.size() || seconds < 0) return 0;
  return std::min(seconds, kMaxRetryAfterSeconds);
}

StatusCode RefusedPrecondition(Precondition::Kind kind) {
  return kind == Precondition::Kind::kIfAbsent ? StatusCode::kAlreadyExists : StatusCode::kConflict;
}

/// Of a request that S3 calls a bad one (400 and its like). Only what is about the names is the caller's fault, so that
/// a body that was garbled on the way is never taken for rows that can never be stored.
StatusCode CodeOfRefusal(const S3Error& error) {
  static constexpr std::array<std::string_view, 3> kNames = {"InvalidBucketName", "InvalidURI", "KeyTooLongError"};
  static constexpr std::array<std::string_view, 4> kKeys = {"AuthorizationHeaderMalformed", "ExpiredToken",
                                                            "InvalidToken", "TokenRefreshRequired"};
  if (std::ranges::find(kNames, error.code) != kNames.end()) return StatusCode::kInvalidArgument;
  if (std::ranges::find(kKeys, error.code) != kKeys.end()) return StatusCode::kUnauthenticated;
  return StatusCode::kInternal;
}

StatusCode CodeOf(const S3Request& request, int http_status, const S3Error& error) {
  // Said before anything is done.
  if (http_status == 429 || error.code.starts_with("SlowDown") || error.code == "RequestTimeout") {
    return StatusCode::kUnavailable;
  }
  switch (http_status) {
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      // Without the bucket nothing is known of the object: were it called missing, tables would count as dropped.
      if (error.code == "NoSuchBucket") return StatusCode::kUnavailable;
      // What is not there has no version that could match.
      return request.precondition == Precondition::Kind::kIfMatch ? StatusCode::kConflict : StatusCode::kNotFound;
    case 405:
    case 501:
      return StatusCode::kUnsupported;
    case 409:
      // Another write to the key is under way, which may or may not succeed; nobody has won yet.
      return error.code == "ConditionalRequestConflict" || error.code == "OperationAborted" ? StatusCode::kUnavailable
                                                                                            : StatusCode::kConflict;
    case 412:
      return RefusedPrecondition(request.precondition);
    case 507:
      return StatusCode::kResourceExhausted;
    default:
      return http_status >= 500 ? StatusCode::kIndeterminate : CodeOfRefusal(error);
  }
}

}  // namespace

S3Client::S3Client(S3Location location, Seams seams) : location_(std::move(location)), seams_(std::move(seams)) {
  const size_t host = location_.endpoint.find("://") + 3;
  scheme_ = location_.endpoint.substr(0, host);
  host_ = (location_.virtual_host ? location_.bucket + "." : "") + location_.endpoint.substr(host);
}

std::string S3Client::Shown(std::string_view key) const {
  return "s3://" + location_.bucket + (key.empty() ? "" : "/" + std::string(key));
}

Result<HttpResponse> S3Client::Send(const S3Request& request) {
  Backoff backoff(seams_.retry, *seams_.clock, *seams_.random);
  while (true) {
    int64_t retry_after_micros = 0;
    auto answer = SendOnce(request, retry_after_micros);
    const StatusCode code = answer.status().code();
    const bool conflict = request.precondition != Precondition::Kind::kNone && !request.repeat_conflicts;
    const bool again =
        (code == StatusCode::kUnavailable && !conflict) || (code == StatusCode::kIndeterminate && request.repeatable);
    if (again && backoff.Wait(retry_after_micros)) continue;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && code == StatusCode::kIndeterminate) return Status::Unavailable(answer.status().message());
    return answer;
  }
}

Result<HttpResponse> S3Client::SendOnce(const S3Request& request, int64_t& retry_after_micros) {
  TARN_ASSIGN_OR_RETURN(const HttpRequest signed_request, Signed(request));
  auto answer = seams_.http->Send(signed_request);
  if (!answer.ok()) return answer.status().WithContext(Shown(request.key) + ": " + request.method);
  if (answer->succeeded() || answer->status == 416) return answer;
  retry_after_micros = RetryAfterSeconds(*answer) * kMicrosPerSecond;
  return StatusOf(request, *answer, answer->status);
}

Status S3Client::ErrorInside(const S3Request& request, const HttpResponse& answer) const {
  const std::string code = ErrorOf(answer).code;
  const int http_status = code == "PreconditionFailed" ? 412 : code == "InternalError" || code.empty() ? 500 : 400;
  return StatusOf(request, answer, http_status);
}

Status S3Client::StatusOf(const S3Request& request, const HttpResponse& answer, int http_status) const {
  const S3Error error = ErrorOf(answer);
  const StatusCode code = CodeOf(request, http_status, error);
  std::string message = Shown(request.key) + ": " + request.method + " was answered " + std::to_string(http_status);
  if (!error.code.empty()) message += " " + error.code;
  if (!error.message.empty()) message += " (" + error.message + ")";
  if (const auto region = answer.Header("x-amz-bucket-region");
      !region.empty() && region != location_.region && http_status >= 300 && http_status < 500) {
    message += "; the bucket is in the region " + Printable(region) + ": set AWS_REGION";
  }
  if (const int64_t seconds = RetryAfterSeconds(answer); seconds > 0) {
    message += ", retry after " + std::to_string(seconds) + " s";
  }
  if (!error.request_id.empty()) message += ", request " + error.request_id;
  return {code, std::move(message)};
}

Result<HttpRequest> S3Client::Signed(const S3Request& request) const {
  std::string path = "/";
  if (!location_.virtual_host) path += location_.bucket + (request.key.empty() ? "" : "/");
  path += EncodeS3Path(request.key);
  const std::string query = EncodeQuery(request.query);
  HttpRequest out{.method = request.method,
                  .url = scheme_ + host_ + path + (query.empty() ? "" : "?" + query),
                  .headers = request.headers,
                  .body = request.body,
                  .into = request.into,
                  .max_body_bytes = request.max_body_bytes};
  if (location_.anonymous) return out;
  TARN_ASSIGN_OR_RETURN(const Credentials credentials, seams_.credentials->GetForSigning());
  const std::string hash = scheme_ == "https://" ? std::string(kUnsignedPayload) : Sha256Hex(request.body);
  const auto headers = SignedHeaders(
      {.method = request.method, .path = path, .query = query, .headers = {{"host", host_}}, .payload_hash = hash},
      {.region = location_.region, .service = "s3"}, credentials, seams_.clock->WallMicros() / kMicrosPerSecond);
  out.headers.insert(out.headers.end(), headers.begin(), headers.end());
  return out;
}

}  // namespace tarn::storage::internal
