#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "server/config.h"

namespace tarn::server {

struct ServerOptions {
  Config config;
  /// Listen where others can reach it, although there is no authentication yet.
  bool insecure_listen = false;
  std::string version;
  std::string commit;
};

/// All parts of one server, wired together: store, lake, engine, compaction, HTTP. Thread-compatible.
class Server {
 public:
  virtual ~Server() = default;
  /// Listens: /health answers from here on. `clock` and `random` outlive the server.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options, Clock& clock, Random& random);

  /// Opens the lake, which replays the write-ahead log, and everything above it; then the server is ready.
  virtual Status OpenLake() = 0;
  /// Takes no more requests, finishes those under way within `drain_micros`, and commits every buffered row. What was
  /// not finished is broken off by the destructor, which waits as long as a query needs to notice.
  virtual Status Shutdown(int64_t drain_micros) = 0;

  virtual const std::string& address() const = 0;
};

}  // namespace tarn::server
