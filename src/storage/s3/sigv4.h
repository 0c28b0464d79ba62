#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "storage/http/http_client.h"

/// AWS Signature Version 4, in the Authorization header.
namespace tarn::storage::internal {

/// Loads OpenSSL, without which the functions below cannot be called; Unavailable when it is not installed.
Status LoadCrypto();

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  /// Empty for keys that do not expire.
  std::string session_token;
  /// Seconds since 1970; 0 for never.
  int64_t expires_at = 0;
};

/// In place of a body's hash where TLS protects the body already.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SigningRequest {
  std::string_view method;
  /// As sent: EncodeS3Path.
  std::string_view path;
  /// As sent: EncodeQuery.
  std::string_view query;
  /// All of them are signed; names in lower case, `host` and `x-amz-date` among them.
  std::vector<HttpHeader> headers;
  std::string_view payload_hash;
};

struct SigningScope {
  std::string_view region;
  std::string_view service;
};

/// The value of the header Authorization. The time is the one of the header x-amz-date.
std::string Authorization(const SigningRequest& request, const SigningScope& scope, const Credentials& credentials);

/// The headers of the request and those that prove who sends it and when, Authorization among them.
std::vector<HttpHeader> SignedHeaders(SigningRequest request, const SigningScope& scope, const Credentials& credentials,
                                      int64_t now_seconds);

/// SHA-256 in lower-case hex.
std::string Sha256Hex(ByteSpan bytes);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
/// Names and values percent-encoded as AWS has it, sorted, joined: "a=1&b=%2F".
std::string EncodeQuery(const QueryParameters& parameters);
/// Everything but letters, digits, "-_.~" and '/' percent-encoded.
std::string EncodeS3Path(std::string_view path);

}  // namespace tarn::storage::internal
