#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"

namespace tarn::storage::testing {

struct FakeRequest {
  std::string method;
  /// As sent: still percent-encoded.
  std::string path;
  std::string query;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;

  std::string Header(const std::string& name) const;
};

struct FakeReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// The connection is closed without any answer.
  bool drop = false;
  /// Only so much of the body is sent before the connection is closed.
  size_t cut_at = SIZE_MAX;
  /// Nothing is sent, and the connection stays open until the client leaves.
  bool hang = false;
};

/// An HTTP/1.1 server on a free port of 127.0.0.1, one thread per connection, that answers what `handler` says; for
/// tests. The handler is called from several threads.
class FakeHttpServer {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;
  explicit FakeHttpServer(Handler handler);
  ~FakeHttpServer();
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  /// "http://127.0.0.1:1234".
  std::string url() const;
  int connections() const EXCLUDES(mutex_);
  /// Every request so far, in the order of arrival.
  std::vector<FakeRequest> requests() const EXCLUDES(mutex_);

 private:
  void Accept();
  void Serve(int socket);

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mutex_;
  std::vector<int> sockets_ GUARDED_BY(mutex_);
  std::vector<Thread> connections_ GUARDED_BY(mutex_);
  std::vector<FakeRequest> requests_ GUARDED_BY(mutex_);
  Thread acceptor_;
};

}  // namespace tarn::storage::testing
