#include "storage/http/http_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/mutex.h"
#include "storage/http/curl_library.h"

namespace tarn::storage {

namespace {

constexpr size_t kMaxHeaders = 200;
constexpr size_t kMaxHeaderBytes = 16 << 10;
constexpr long kMaxRedirects = 5;
constexpr long kTransferBufferBytes = 256 << 10;

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// One request on its way, as libcurl's callbacks see it.
struct Exchange {
  const HttpRequest& request;
  Clock& clock;
  int64_t stall_timeout_micros;
  HttpResponse response = {};
  size_t sent = 0;
  bool too_many_headers = false;
  curl_off_t moved_bytes = 0;
  int64_t moved_at_micros = 0;
  bool stalled = false;
};

size_t OnHeader(char* data, size_t, size_t bytes, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::string_view line(data, bytes);
  if (line.starts_with("HTTP/")) {
    // A further answer: the one before was a redirect or "100 Continue".
    exchange.response.headers.clear();
    const size_t space = line.find(' ');
    exchange.response.status = space == std::string_view::npos ? 0 : std::atoi(data + space);
    return bytes;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  if (exchange.response.headers.size() == kMaxHeaders || bytes > kMaxHeaderBytes) {
    exchange.too_many_headers = true;
    return 0;
  }
  exchange.response.headers.push_back(
      {LowerCase(Trimmed(line.substr(0, colon))), std::string(Trimmed(line.substr(colon + 1)))});
  return bytes;
}

size_t OnBody(char* data, size_t, size_t bytes, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  HttpResponse& response = exchange.response;
  const MutableByteSpan into = exchange.request.into;
  if (response.succeeded() && !into.empty()) {
    const size_t taken = std::min(bytes, into.size() - response.bytes_into);
    std::memcpy(into.data() + response.bytes_into, data, taken);
    response.bytes_into += taken;
    response.cut_off = taken < bytes;
  } else {
    const size_t taken = std::min(bytes, exchange.request.max_body_bytes - response.body.size());
    response.body.append(data, taken);
    response.cut_off = taken < bytes;
  }
  return response.cut_off ? 0 : bytes;
}

size_t OnSend(char* buffer, size_t, size_t room, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const ByteSpan rest = exchange.request.body.subspan(exchange.sent);
  const size_t count = std::min(room, rest.size());
  if (count > 0) std::memcpy(buffer, rest.data(), count);
  exchange.sent += count;
  return count;
}

/// Called whenever bytes moved, and about once a second.
int OnProgress(void* context, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  auto& exchange = *static_cast<Exchange*>(context);
  const int64_t now = exchange.clock.MonotonicMicros();
  if (received + sent != exchange.moved_bytes) {
    exchange.moved_bytes = received + sent;
    exchange.moved_at_micros = now;
  }
  exchange.stalled = now - exchange.moved_at_micros >= exchange.stall_timeout_micros;
  return exchange.stalled ? 1 : 0;
}

/// Curl handles, each with its connection.
class HandlePool {
 public:
  HandlePool(const CurlLibrary& curl, size_t limit) : curl_(curl), limit_(limit) {}
  ~HandlePool() {
    for (CURL* handle : idle_) curl_.easy_cleanup(handle);
  }
  HandlePool(const HandlePool&) = delete;
  HandlePool& operator=(const HandlePool&) = delete;

  /// Waits while all are in use. Null when libcurl cannot make one.
  CURL* Take() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (idle_.empty() && made_ == limit_) returned_.wait(mutex_);
    if (!idle_.empty()) {
      CURL* const handle = idle_.back();
      idle_.pop_back();
      return handle;
    }
    CURL* const handle = curl_.easy_init();
    if (handle != nullptr) ++made_;
    return handle;
  }

  void Return(CURL* handle) EXCLUDES(mutex_) {
    curl_.easy_reset(handle);
    MutexLock lock(mutex_);
    idle_.push_back(handle);
    returned_.notify_one();
  }

 private:
  const CurlLibrary& curl_;
  const size_t limit_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<CURL*> idle_ GUARDED_BY(mutex_);
  size_t made_ GUARDED_BY(mutex_) = 0;
};

class CurlClient final : public HttpClient {
 public:
  CurlClient(const CurlLibrary& curl, HttpClientOptions options, Clock& clock)
      : curl_(curl), options_(std::move(options)), clock_(clock), handles_(curl, options_.max_connections) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    TARN_RETURN_NOT_OK(CheckRequest(request));
    CURL* const handle = handles_.Take();
    if (handle == nullptr) return Status::ResourceExhausted("libcurl cannot make a connection");
    Exchange exchange{
        .request = request, .clock = clock_, .stall_timeout_micros = options_.stall_timeout_micros, .response = {}};
    exchange.moved_at_micros = clock_.MonotonicMicros();
    char detail[CURL_ERROR_SIZE] = "";
    curl_slist* const headers = Headers(request);
    Set(handle, CURLOPT_HTTPHEADER, headers);
    Set(handle, CURLOPT_ERRORBUFFER, detail);
    SetTarget(handle, request);
    SetLimits(handle, request);
    SetCallbacks(handle, exchange);
    const CURLcode code = curl_.easy_perform(handle);
    long request_bytes = 0;
    curl_.easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &request_bytes);
    handles_.Return(handle);
    curl_.slist_free_all(headers);
    if (code == CURLE_OK || exchange.response.cut_off) return std::move(exchange.response);
    const std::string why = exchange.stalled            ? "nothing moved for too long"
                            : exchange.too_many_headers ? "the answer has too many headers"
                            : detail[0] != '\0'         ? detail
                                                        : curl_.easy_strerror(code);
    return Failure(code, request_bytes > 0, std::string(HttpOrigin(request.url)) + ": " + why);
  }

 private:
  template <typename Value>
  void Set(CURL* handle, CURLoption option, Value value) const {
    curl_.easy_setopt(handle, option, value);
  }

  static Status CheckRequest(const HttpRequest& request) {
    if (!request.url.starts_with("http://") && !request.url.starts_with("https://")) {
      return Status::InvalidArgument("'" + std::string(HttpOrigin(request.url)) + "' is no http:// or https:// URL");
    }
    for (const HttpHeader& header : request.headers) {
      const std::string_view line_ends("\r\n\0", 3);
      if (header.name.find_first_of(line_ends) != std::string::npos ||
          header.value.find_first_of(line_ends) != std::string::npos) {
        return Status::InvalidArgument("the value of the header " + header.name + " has a line break");
      }
    }
    return Status::Ok();
  }

  curl_slist* Headers(const HttpRequest& request) const {
    // Without this curl waits a second for "100 Continue" before larger bodies.
    curl_slist* list = curl_.slist_append(nullptr, "Expect:");
    for (const HttpHeader& header : request.headers) {
      // curl's way to send a header without a value.
      const std::string line = header.name + (header.value.empty() ? ";" : ": " + header.value);
      list = curl_.slist_append(list, line.c_str());
    }
    return list;
  }

  void SetTarget(CURL* handle, const HttpRequest& request) const {
    Set(handle, CURLOPT_URL, request.url.c_str());
    Set(handle, CURLOPT_PATH_AS_IS, 1L);
    Set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    if (request.follow_redirects) {
      Set(handle, CURLOPT_FOLLOWLOCATION, 1L);
      Set(handle, CURLOPT_MAXREDIRS, kMaxRedirects);
      Set(handle, CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https:") ? "https" : "http,https");
    }
    if (request.bypass_proxy) Set(handle, CURLOPT_NOPROXY, "*");
    if (!options_.ca_file.empty()) {
      Set(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
      Set(handle, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    // Every handle has a connection of its own, over which several streams would gain nothing.
    Set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    if (request.method == "HEAD") {
      Set(handle, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      Set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
      if (request.method != "DELETE") {
        Set(handle, CURLOPT_UPLOAD, 1L);
        Set(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      }
    }
  }

  void SetLimits(CURL* handle, const HttpRequest& request) const {
    Set(handle, CURLOPT_NOSIGNAL, 1L);
    Set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_micros / kMicrosPerMilli));
    Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_micros / kMicrosPerMilli));
    Set(handle, CURLOPT_BUFFERSIZE, kTransferBufferBytes);
    Set(handle, CURLOPT_UPLOAD_BUFFERSIZE, kTransferBufferBytes);
    Set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  }

  void SetCallbacks(CURL* handle, Exchange& exchange) const {
    Set(handle, CURLOPT_HEADERFUNCTION, OnHeader);
    Set(handle, CURLOPT_HEADERDATA, &exchange);
    Set(handle, CURLOPT_WRITEFUNCTION, OnBody);
    Set(handle, CURLOPT_WRITEDATA, &exchange);
    // There is no way back to the body's beginning, on purpose: libcurl, too, repeats a request when an old connection
    // turns out to be dead, and a write that may have arrived is not its to repeat.
    Set(handle, CURLOPT_READFUNCTION, OnSend);
    Set(handle, CURLOPT_READDATA, &exchange);
    Set(handle, CURLOPT_NOPROGRESS, 0L);
    Set(handle, CURLOPT_XFERINFOFUNCTION, OnProgress);
    Set(handle, CURLOPT_XFERINFODATA, &exchange);
  }

  static Status Failure(CURLcode code, bool was_sent, std::string message) {
    switch (code) {
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        return Status::InvalidArgument(std::move(message));
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_ISSUER_ERROR:
        return Status::Unauthenticated(std::move(message));
      case CURLE_TOO_MANY_REDIRECTS:
        // Not NotFound: a login that leads to itself says nothing of what is there.
        return Status::Unsupported(std::move(message));
      default:
        return was_sent ? Status::Indeterminate(std::move(message)) : Status::Unavailable(std::move(message));
    }
  }

  const CurlLibrary& curl_;
  const HttpClientOptions options_;
  Clock& clock_;
  HandlePool handles_;
};

}  // namespace

std::string_view HttpResponse::Header(std::string_view lower_case_name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == lower_case_name) return header.value;
  }
  return {};
}

std::string_view HttpOrigin(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  return url.substr(0, url.find_first_of("/?#", host));
}

Result<std::shared_ptr<HttpClient>> MakeHttpClient(const HttpClientOptions& options, Clock& clock) {
  TARN_ASSIGN_OR_RETURN(const CurlLibrary* const curl, CurlLibrary::Load());
  return std::shared_ptr<HttpClient>(std::make_shared<CurlClient>(*curl, options, clock));
}

}  // namespace tarn::storage
