#include "storage/http/http_store.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "storage/http/printable.h"
#include "storage/http/ranged_reader.h"
#include "storage/uri_path.h"

namespace tarn::storage {

namespace {

/// What an answer that is no success means for a read.
Status StatusOfAnswer(int status, const std::string& shown) {
  const std::string message = shown + ": the server answered " + std::to_string(status);
  switch (status) {
    case 401:
      return Status::Unauthenticated(message);
    case 403:
      return Status::PermissionDenied(message);
    case 404:
    case 410:
      return Status::NotFound(shown + " does not exist");
    case 412:
      return Status::Conflict(shown + " changed while it was read");
    case 408:
    case 429:
      return Status::Unavailable(message);
    default:
      return status >= 500 ? Status::Unavailable(message) : Status::Unsupported(message);
  }
}

/// Whoever sends less than this, by and large, is not waited for.
constexpr int64_t kLeastBytesPerSecond = 4 << 10;
constexpr int64_t kLongestAnswerMicros = 60 * kMicrosPerSecond;

int64_t TimeFor(const HttpRequest& request) {
  return kLongestAnswerMicros + static_cast<int64_t>(request.into.size()) * kMicrosPerSecond / kLeastBytesPerSecond;
}

bool IsPlain(std::string_view encoding) { return encoding.empty() || encoding == "identity"; }

bool IsUrlText(char c) { return c > ' ' && c < 0x7f; }

/// The URL as it is sent, for one that is written as people read it: what is encoded in it stays so.
std::string AsSent(std::string_view url) {
  const std::string_view origin = HttpOrigin(url);
  std::string sent(origin);
  const auto scheme_end = sent.begin() + static_cast<ptrdiff_t>(sent.find("://"));
  std::transform(sent.begin(), scheme_end, sent.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view rest = url.substr(origin.size());
  for (size_t escape = rest.find('%'); escape != rest.npos; escape = rest.find('%')) {
    sent += internal::EncodeUriPath(rest.substr(0, escape)) + "%";
    rest.remove_prefix(escape + 1);
  }
  return sent + internal::EncodeUriPath(rest);
}

/// Shared with the readers, which may outlive the store.
class Site {
 public:
  Site(std::string url, std::shared_ptr<HttpClient> client) : url_(std::move(url)), client_(std::move(client)) {}

  const std::string& url() const { return url_; }
  std::string UrlOf(std::string_view key) const { return url_ + "/" + internal::EncodeUriPath(key); }

  /// Reads may be repeated, so that a lost answer is no more than Unavailable.
  Result<HttpResponse> Fetch(HttpRequest request) const {
    request.timeout_micros = TimeFor(request);
    auto answer = client_->Send(request);
    if (answer.status().Is(StatusCode::kIndeterminate)) return Status::Unavailable(answer.status().message());
    if (answer.ok() && answer->succeeded() && !IsPlain(answer->Header("content-encoding"))) {
      return Status::Unsupported(request.url + ": the server sends it compressed (Content-Encoding: " +
                                 internal::Printable(answer->Header("content-encoding")) +
                                 "), which was not asked for");
    }
    if (!answer.ok() || answer->succeeded() || answer->status == 416) return answer;
    return StatusOfAnswer(answer->status, request.url);
  }

 private:
  const std::string url_;
  const std::shared_ptr<HttpClient> client_;
};

class HttpStore final : public ObjectStore {
 public:
  explicit HttpStore(std::shared_ptr<const Site> site) : site_(std::move(site)) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, site_->Fetch({.method = "HEAD",
                                                                   .url = site_->UrlOf(key),
                                                                   .headers = {},
                                                                   .body = {},
                                                                   .into = {},
                                                                   .follow_redirects = true}));
    return internal::InfoOfAnswer(std::string(key), answer);
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    const std::string url = site_->UrlOf(key);
    const auto fetch = [site = site_, url](std::vector<HttpHeader> headers, MutableByteSpan into) {
      return site->Fetch(
          {.url = url, .headers = std::move(headers), .body = {}, .into = into, .follow_redirects = true});
    };
    return internal::OpenByRanges(std::string(key), url, fetch, [&] { return Head(key); });
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan, const Precondition&) override { return Refuse("write", key); }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition&) override {
    return Refuse("write", key);
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>&) override {
    return Status::Unsupported("files on a web server cannot be listed: " + site_->UrlOf(options.prefix));
  }
  Status Delete(std::string_view key) override { return Refuse("delete", key); }

  std::string uri() const override { return site_->url(); }
  std::optional<std::string> LocalPath(std::string_view) const override { return std::nullopt; }

 private:
  Status Refuse(std::string_view what, std::string_view key) const {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return Status::Unsupported("cannot " + std::string(what) + " over HTTP: " + site_->UrlOf(key));
  }

  const std::shared_ptr<const Site> site_;
};

}  // namespace

Result<std::shared_ptr<ObjectStore>> MakeHttpStore(std::string_view url, std::shared_ptr<HttpClient> client) {
  const std::string_view origin = HttpOrigin(url);
  if (url.find_first_of("?#") != std::string_view::npos || origin.find('@') != std::string_view::npos) {
    return Status::InvalidArgument("a URL of a folder has no user, query or fragment: " +
                                   std::string(origin.substr(0, origin.find("://"))) + "://…");
  }
  const std::string_view host = origin.substr(std::min(origin.find("://") + 3, origin.size()));
  if (host.empty() || std::any_of(host.begin(), host.end(), [](char c) { return !IsUrlText(c); })) {
    return Status::InvalidArgument("'" + internal::Printable(url) + "' names no host");
  }
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::shared_ptr<ObjectStore>(
      std::make_shared<HttpStore>(std::make_shared<const Site>(AsSent(url), std::move(client))));
}

}  // namespace tarn::storage
