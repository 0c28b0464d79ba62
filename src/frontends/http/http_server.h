#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "frontends/http/http_service.h"

namespace tarn::frontends {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  /// 0 lets the operating system choose.
  uint16_t port = 8080;
  /// A newcomer beyond them takes the place of the connection that has been idle longest; when all have a request it is
  /// answered 503 at once.
  int max_connections = 2048;
  /// Requests of each kind that are worked on at once, and that may wait for it; /metrics has a thread of its own.
  int query_threads = 10;
  int write_threads = 8;
  size_t max_waiting = 512;
  size_t max_header_bytes = 32 << 10;
  /// From a request's first byte to the end of its header.
  int64_t header_timeout_micros = 10 * kMicrosPerSecond;
  /// Without a byte of the body received, or of the answer taken.
  int64_t body_timeout_micros = 30 * kMicrosPerSecond;
  int64_t write_timeout_micros = 30 * kMicrosPerSecond;
  /// Between two requests.
  int64_t idle_timeout_micros = 120 * kMicrosPerSecond;
  /// How often deadlines are looked at.
  int64_t sweep_interval_micros = 250 * kMicrosPerMilli;
  /// Encoded bytes per piece of a streamed answer; answers below it go out whole with their length.
  size_t chunk_bytes = 256 << 10;
};

/// One answered request, for metrics and logs.
struct HttpRecord {
  std::string_view route;
  int status = 0;
  int64_t micros = 0;
  size_t bytes_in = 0;
  size_t bytes_out = 0;
};

struct HttpServerStats {
  int64_t connections = 0;
  int64_t connections_refused = 0;
};

/// HTTP/1.1 over TCP: one thread for the network, bounded pools for what computes or waits. A request's bytes are
/// accounted before they are read; a streamed answer is made piece by piece as the client takes it. Thread-safe.
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  /// Listens at once. InvalidArgument for a bad host, AlreadyExists when the port is taken. All arguments outlive the
  /// server; `observe` may be called on any thread.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, HttpService& service,
                                                   MemoryBudget& request_memory, Clock& clock,
                                                   std::function<void(const HttpRecord&)> observe);

  /// "127.0.0.1:8080", with the port that was bound.
  virtual const std::string& address() const = 0;
  /// Takes no more connections or requests; those under way are finished. Returns once all are, or false at the
  /// deadline.
  virtual bool Drain(int64_t timeout_micros) = 0;
  virtual HttpServerStats stats() const = 0;
};

}  // namespace tarn::frontends
