#include "frontends/http/http_service.h"

#include <array>
#include <span>
#include <utility>

#include "base/error_table.h"
#include "frontends/encoding/value_text.h"

namespace tarn::frontends {

namespace {

enum class Handler : uint8_t { kSql, kWriteV1, kWriteV2, kWriteV3, kInfluxQuery, kHealth, kReady, kPing, kMetrics };

struct RouteEntry {
  std::string_view path;
  /// As in the Allow header.
  std::string_view methods;
  WorkKind work;
  Handler handler;
};

constexpr std::array<RouteEntry, 9> kRoutes = {{
    {"/api/sql", "POST", WorkKind::kQuery, Handler::kSql},
    {"/api/v2/write", "POST", WorkKind::kWrite, Handler::kWriteV2},
    {"/write", "POST", WorkKind::kWrite, Handler::kWriteV1},
    {"/api/v3/write_lp", "POST", WorkKind::kWrite, Handler::kWriteV3},
    {"/query", "GET, POST", WorkKind::kInline, Handler::kInfluxQuery},
    {"/health", "GET, HEAD", WorkKind::kInline, Handler::kHealth},
    {"/ready", "GET, HEAD", WorkKind::kInline, Handler::kReady},
    {"/ping", "GET, HEAD, POST", WorkKind::kInline, Handler::kPing},
    {"/metrics", "GET, HEAD", WorkKind::kWatch, Handler::kMetrics},
}};

const RouteEntry* FindRoute(std::string_view path) {
  for (const RouteEntry& route : kRoutes) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

/// 0 for what is no write endpoint.
int WriteApiVersion(const RouteEntry* route) {
  if (route == nullptr) return 0;
  switch (route->handler) {
    case Handler::kWriteV1:
      return 1;
    case Handler::kWriteV2:
      return 2;
    case Handler::kWriteV3:
      return 3;
    default:
      return 0;
  }
}

bool Allows(std::string_view methods, std::string_view method) {
  size_t begin = 0;
  while (begin < methods.size()) {
    const size_t end = std::min(methods.find(", ", begin), methods.size());
    if (methods.substr(begin, end - begin) == method) return true;
    begin = end + 2;
  }
  return false;
}

}  // namespace

HttpService::HttpService(HttpServiceOptions options, Random& random) : options_(std::move(options)), random_(random) {}

void HttpService::Attach(HttpBackend backend) {
  TARN_CHECK(!ready_);
  backend_ = std::move(backend);
  ready_ = true;
}

HttpService::Route HttpService::Find(std::string_view method, std::string_view path) const {
  constexpr size_t kSmallBody = 64 << 10;
  const RouteEntry* route = FindRoute(path);
  if (route == nullptr) return {"other", WorkKind::kInline, kSmallBody};
  if (!Allows(route->methods, method)) return {route->path, WorkKind::kInline, kSmallBody};
  return {route->path, route->work, method == "POST" ? options_.max_body_bytes : kSmallBody};
}

HttpResponse HttpService::Handle(HttpRequest& request) {
  const RouteEntry* route = FindRoute(request.path);
  if (route == nullptr) {
    std::string paths;
    for (const RouteEntry& entry : kRoutes) paths += (paths.empty() ? "" : ", ") + std::string(entry.path);
    return Problem(404, "NotFound", "there is nothing at '" + request.path + "'; there are " + paths);
  }
  if (!Allows(route->methods, request.method)) {
    HttpResponse response = Fault(request.path, 405, "InvalidArgument",
                                  request.path + " takes " + std::string(route->methods) + ", not " + request.method);
    response.headers.emplace_back("Allow", std::string(route->methods));
    return response;
  }
  switch (route->handler) {
    case Handler::kSql:
      return HandleSql(request);
    case Handler::kWriteV1:
      return HandleWrite(request, 1);
    case Handler::kWriteV2:
      return HandleWrite(request, 2);
    case Handler::kWriteV3:
      return HandleWrite(request, 3);
    case Handler::kInfluxQuery:
      return HandleInfluxQuery(request);
    case Handler::kHealth:
      return HandleHealth();
    case Handler::kReady:
      return HandleReady();
    case Handler::kPing:
      return HandlePing();
    case Handler::kMetrics:
      return HandleMetrics();
  }
  return Problem(Status::Internal("a route without a handler"));
}

HttpResponse HttpService::Fault(std::string_view path, int http_status, std::string_view code,
                                std::string_view detail) const {
  const int version = WriteApiVersion(FindRoute(path));
  return version != 0 ? WriteError(version, http_status, detail) : Problem(http_status, code, detail);
}

HttpResponse HttpService::Fault(std::string_view path, const Status& status) const {
  return Fault(path, CodesOf(status.code()).http_status, StatusCodeName(status.code()), status.message());
}

HttpResponse HttpService::HandleHealth() const {
  // As the influx clients expect it; the process answers, so it is alive, ready or not.
  ByteBuffer json;
  json.Append(R"({"name":"tarn","message":"ready for queries and writes","status":"pass","checks":[],"version":)");
  AppendJsonString(options_.version, json);
  json.Append(",\"commit\":");
  AppendJsonString(options_.commit, json);
  json.Append("}\n");
  HttpResponse response;
  response.content_type = "application/json";
  response.body = json.view();
  return response;
}

HttpResponse HttpService::HandleReady() const {
  if (!ready_) return Problem(Status::Unavailable("the write-ahead log is being replayed, or the server is stopping"));
  HttpResponse response;
  response.content_type = "application/json";
  response.body = "{\"status\":\"ready\"}\n";
  return response;
}

HttpResponse HttpService::HandlePing() {
  HttpResponse response;
  response.status = 204;
  const std::string id = random_.Uuid();
  response.headers = {{"X-Influxdb-Version", "tarn-" + options_.version},
                      {"X-Influxdb-Build", "tarn"},
                      {"Request-Id", id},
                      {"X-Request-Id", id}};
  return response;
}

HttpResponse HttpService::HandleMetrics() const {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  if (options_.metrics_text) response.body = options_.metrics_text();
  return response;
}

}  // namespace tarn::frontends
