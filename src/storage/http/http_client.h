#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"

namespace tarn::storage {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "GET";
  /// http:// or https://; the path is sent as it stands.
  std::string url;
  std::vector<HttpHeader> headers;
  /// Sent by PUT and POST. Must outlive the call.
  ByteSpan body;
  /// Where the body of an answer with a status of 200 to 299 goes; into HttpResponse::body when empty.
  MutableByteSpan into;
  /// How much HttpResponse::body may take.
  size_t max_body_bytes = 64 << 10;
  /// Up to five, never from https to http.
  bool follow_redirects = false;
  /// Talks to the host itself, whatever proxies the environment names.
  bool bypass_proxy = false;
  /// For the whole exchange; 0 for no other limit than the client's.
  int64_t timeout_micros = 0;
};

struct HttpResponse {
  int status = 0;
  /// Names in lower case; of the last answer where redirects were followed.
  std::vector<HttpHeader> headers;
  std::string body;
  /// How much of HttpRequest::into was filled.
  size_t bytes_into = 0;
  /// The body was longer than there was room; the rest was not read.
  bool cut_off = false;

  bool succeeded() const { return status >= 200 && status < 300; }
  /// Empty without such a header.
  std::string_view Header(std::string_view lower_case_name) const;
};

struct HttpClientOptions {
  /// PEM file with the authorities to trust in place of the system's.
  std::string ca_file;
  int64_t connect_timeout_micros = 10 * kMicrosPerSecond;
  /// An exchange in which nothing moves for so long is broken off.
  int64_t stall_timeout_micros = 30 * kMicrosPerSecond;
  /// Exchanges at a time; further ones wait for their turn.
  size_t max_connections = 64;
};

/// One request, one answer, over connections that are kept and used again. Servers must prove who they are; proxies are
/// those of the usual variables (https_proxy, http_proxy, all_proxy, no_proxy). Thread-safe.
///
/// Any answer of a server is a HttpResponse, whatever its status. Errors: Unavailable when the request was not sent, so
/// that nothing can have happened; Indeterminate when it was sent, at least partly, and no whole answer came back;
/// Unauthenticated when the server's certificate is not trusted; InvalidArgument for what is no URL or header.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

/// Unavailable when libcurl is not installed. `clock` measures stalls and must outlive the client.
Result<std::shared_ptr<HttpClient>> MakeHttpClient(const HttpClientOptions& options, Clock& clock);

/// "https://host:1" of "https://host:1/a/b"; what messages show of a URL, whose path and query may be secret.
std::string_view HttpOrigin(std::string_view url);

}  // namespace tarn::storage
