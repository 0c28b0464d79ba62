#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tarn::frontends {

/// A blocking TCP client that sends exactly the bytes it is given. Closed on destruction. Thread-compatible.
class RawClient {
 public:
  /// To "127.0.0.1:port".
  explicit RawClient(const std::string& address);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False once the server has closed.
  bool Send(std::string_view bytes);
  /// What the server sends next, empty at the end of the connection.
  std::string Receive();
  /// Everything until the end of the connection.
  std::string ReceiveAll();
  void Close();

  struct Reply {
    int status = 0;
    std::map<std::string, std::string> headers;
    std::string body;
    /// The body came to its declared end.
    bool complete = false;
  };
  /// One answer, its chunks put together. What follows it is kept for the next call.
  Reply ReceiveReply();

 private:
  bool Fill();

  int socket_ = -1;
  std::string buffer_;
};

/// The answer to one request on a connection of its own.
RawClient::Reply Ask(const std::string& address, std::string_view request);

}  // namespace tarn::frontends
