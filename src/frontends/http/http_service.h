#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"
#include "engine/query_service.h"
#include "frontends/http/message.h"
#include "ingest/body.h"
#include "ingest/write_service.h"

namespace tarn::frontends {

/// What HTTP is a door to. Everything outlives the service.
struct HttpBackend {
  engine::QueryService* queries = nullptr;
  /// ingest::WriteService::WriteLines.
  std::function<ingest::WriteOutcome(const std::string& database, std::string_view body,
                                     const ingest::WriteOptions& options)>
      write_lines;
};

struct HttpServiceOptions {
  std::string version;
  std::string commit;
  /// Bodies larger than this are refused with 413, as they arrive and as they decode.
  size_t max_body_bytes = ingest::kMaxBodyBytes;
  /// The text of /metrics.
  std::function<std::string()> metrics_text;
};

/// Where a request is worked on.
enum class WorkKind : uint8_t {
  /// At once: it neither waits nor computes.
  kInline,
  /// Computes a little, and must answer however busy the others are.
  kWatch,
  kQuery,
  kWrite,
};

/// Requests in, answers out, without sockets: routes, parameters, bodies and errors of the HTTP interface.
/// Thread-safe.
class HttpService {
 public:
  HttpService(HttpServiceOptions options, Random& random);

  /// Until then the service answers 503 to everything that needs data, and /ready says so.
  void Attach(HttpBackend backend);
  /// Back to not ready; what is in flight goes on.
  void Detach() { ready_ = false; }

  struct Route {
    /// For metrics and logs: the path, or "other".
    std::string_view name;
    WorkKind work = WorkKind::kInline;
    size_t max_body_bytes = 0;
  };
  Route Find(std::string_view method, std::string_view path) const;

  HttpResponse Handle(HttpRequest& request);
  /// The answer to a request that fails before Handle, in the shape that clients of its path expect.
  HttpResponse Fault(std::string_view path, int http_status, std::string_view code, std::string_view detail) const;
  HttpResponse Fault(std::string_view path, const Status& status) const;

  const HttpServiceOptions& options() const { return options_; }
  Random& random() { return random_; }

 private:
  HttpResponse HandleSql(HttpRequest& request);
  HttpResponse HandleWrite(HttpRequest& request, int api_version);
  HttpResponse HandleInfluxQuery(const HttpRequest& request);
  HttpResponse HandleHealth() const;
  HttpResponse HandlePing();
  HttpResponse HandleReady() const;
  HttpResponse HandleMetrics() const;

  const HttpServiceOptions options_;
  Random& random_;
  // Written once, before ready_ is set.
  HttpBackend backend_;
  std::atomic<bool> ready_ = false;
};

/// The body without its Content-Encoding, within `max_bytes`; grows the request's memory before it decodes.
/// InvalidArgument for broken data, Unsupported for a coding that we lack, ResourceExhausted beyond `max_bytes`,
/// Unavailable when memory is short.
Status DecodeBody(HttpRequest& request, size_t max_bytes);
/// The HTTP status of what DecodeBody returns.
int BodyFaultStatus(const Status& status);

/// The SQL request in a body: JSON when `content_type` says so, else the text itself.
Status ParseSqlRequest(std::string_view content_type, std::string_view body, engine::QueryRequest& query);

/// A write's answer in the shape of its API version (1, 2 or 3).
HttpResponse WriteAnswer(int api_version, const ingest::WriteOutcome& outcome, bool accept_partial = true);
HttpResponse WriteError(int api_version, int http_status, std::string_view message);

}  // namespace tarn::frontends
