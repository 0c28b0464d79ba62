#include "frontends/http/message.h"

#include "base/error_table.h"
#include "base/uri.h"
#include "engine/query_service.h"
#include "frontends/encoding/value_text.h"

namespace tarn::frontends {

namespace {

/// Form encoding: '+' is a space.
Result<std::string> DecodeQueryPart(std::string_view part) {
  std::string text(part);
  for (char& c : text) {
    if (c == '+') c = ' ';
  }
  return PercentDecode(text);
}

}  // namespace

void CancelHook::Cancel() {
  std::function<void()> action;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    action = std::exchange(action_, nullptr);
  }
  if (action) action();
}

void CancelHook::Set(std::function<void()> action) {
  {
    MutexLock lock(mutex_);
    if (!cancelled_) {
      action_ = std::move(action);
      return;
    }
  }
  if (action) action();
}

bool CancelHook::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

Status ParseTarget(std::string_view target, HttpRequest& request) {
  // The absolute form, which proxies send, differs only by its scheme and authority.
  if (const size_t scheme = target.find("://"); scheme != std::string_view::npos && target.front() != '/') {
    const size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const size_t question = target.find('?');
  TARN_ASSIGN_OR_RETURN(request.path, PercentDecode(target.substr(0, question)));
  if (question == std::string_view::npos) return Status::Ok();
  std::string_view rest = target.substr(question + 1);
  if (const size_t fragment = rest.find('#'); fragment != std::string_view::npos) rest = rest.substr(0, fragment);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    TARN_ASSIGN_OR_RETURN(std::string name, DecodeQueryPart(pair.substr(0, equals)));
    std::string value;
    if (equals != std::string_view::npos) {
      TARN_ASSIGN_OR_RETURN(value, DecodeQueryPart(pair.substr(equals + 1)));
    }
    request.query.emplace(std::move(name), std::move(value));
  }
  return Status::Ok();
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status < 500 ? "Error" : "Internal Server Error";
  }
}

namespace {

HttpResponse MakeProblem(int http_status, std::string_view code, std::string_view detail,
                         std::optional<size_t> position, std::string_view query_id) {
  ByteBuffer json;
  json.Append("{\"type\":\"about:blank\",\"title\":");
  AppendJsonString(ReasonPhrase(http_status), json);
  json.Append(",\"status\":");
  AppendInt(http_status, json);
  json.Append(",\"detail\":");
  AppendJsonString(detail, json);
  json.Append(",\"code\":");
  AppendJsonString(code, json);
  if (position.has_value()) {
    json.Append(",\"position\":");
    AppendUint(*position, json);
  }
  if (!query_id.empty()) {
    json.Append(",\"query_id\":");
    AppendJsonString(query_id, json);
  }
  json.Append("}\n");
  HttpResponse response;
  response.status = http_status;
  response.content_type = "application/problem+json";
  response.body = json.view();
  if (http_status == 503 || http_status == 429) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

HttpResponse Problem(const Status& status, std::string_view query_id) {
  return MakeProblem(CodesOf(status.code()).http_status, StatusCodeName(status.code()), engine::SqlErrorText(status),
                     engine::SqlErrorPosition(status), query_id);
}

HttpResponse Problem(int http_status, std::string_view code, std::string_view detail) {
  return MakeProblem(http_status, code, detail, std::nullopt, {});
}

}  // namespace tarn::frontends
