#include "cli/remote.h"

#include <curl/curl.h>
#include <simdjson.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/error_table.h"
#include "base/uri.h"

namespace tarn::cli {

namespace {

constexpr size_t kMaxErrorBytes = 1 << 20;

struct Reply {
  CURL* curl = nullptr;
  ResultOutput* output = nullptr;
  std::string error_body;
  Status write_status;
};

size_t Receive(char* data, size_t, size_t bytes, void* context) {
  auto& reply = *static_cast<Reply*>(context);
  long status = 0;
  curl_easy_getinfo(reply.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) {
    if (reply.output == nullptr) return bytes;
    reply.write_status = reply.output->Write({data, bytes});
    return reply.write_status.ok() ? bytes : 0;
  }
  if (reply.error_body.size() + bytes <= kMaxErrorBytes) reply.error_body.append(data, bytes);
  return bytes;
}

std::optional<StatusCode> CodeByName(std::string_view name) {
  for (int i = 1; i < kStatusCodeCount; ++i) {
    if (StatusCodeName(static_cast<StatusCode>(i)) == name) return static_cast<StatusCode>(i);
  }
  return std::nullopt;
}

StatusCode CodeByHttpStatus(long http_status) {
  if (http_status == 413) return StatusCode::kResourceExhausted;
  for (int i = 1; i < kStatusCodeCount; ++i) {
    if (CodesOf(static_cast<StatusCode>(i)).http_status == http_status) return static_cast<StatusCode>(i);
  }
  return http_status >= 400 && http_status < 500 ? StatusCode::kInvalidArgument : StatusCode::kInternal;
}

/// Whatever shape the error has: problem+json or one of the write endpoints'.
Status ErrorOf(long http_status, const std::string& body) {
  StatusCode code = CodeByHttpStatus(http_status);
  std::string message = "the server answered " + std::to_string(http_status);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(body).get(root) == simdjson::SUCCESS && root.is_object()) {
    std::string_view text;
    for (const char* key : {"detail", "message", "error"}) {
      if (root[key].get(text) == simdjson::SUCCESS) message = text;
    }
    if (root["code"].get(text) == simdjson::SUCCESS) code = CodeByName(text).value_or(code);
  }
  return {code, std::move(message)};
}

struct CurlGlobal {
  CurlGlobal() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlGlobal() { curl_global_cleanup(); }
};

}  // namespace

std::string EncodeParameter(std::string_view text) {
  // A leading '_' or '.' need not be encoded here, but may.
  return EncodePathPart(text);
}

Status Post(const RemoteRequest& request, ResultOutput* output) {
  static const CurlGlobal kGlobal;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return Status::Internal("libcurl does not start");
  std::string server = request.server;
  while (server.ends_with('/')) server.pop_back();
  if (server.find("://") == std::string::npos) server = "http://" + server;
  const std::string url = server + request.path;
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  list = curl_slist_append(list, "Expect:");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, curl_slist_free_all);
  Reply reply{.curl = curl.get(), .output = output};
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Receive);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 10L);
  const CURLcode code = curl_easy_perform(curl.get());
  if (!reply.write_status.ok()) return reply.write_status;
  if (code != CURLE_OK) {
    return Status::Unavailable(request.server + ": " + (detail[0] != '\0' ? detail : curl_easy_strerror(code)));
  }
  long http_status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &http_status);
  if (http_status >= 200 && http_status < 300) return Status::Ok();
  return ErrorOf(http_status, reply.error_body);
}

}  // namespace tarn::cli
