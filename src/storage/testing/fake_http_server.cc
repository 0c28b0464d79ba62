#include "storage/testing/fake_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "base/check.h"

namespace tarn::storage::testing {

namespace {

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

bool Receive(int socket, std::string& buffer) {
  char bytes[65536];
  const ssize_t got = recv(socket, bytes, sizeof(bytes), 0);
  if (got <= 0) return false;
  buffer.append(bytes, static_cast<size_t>(got));
  return true;
}

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

/// The next request of a connection, taken out of `buffer`; nullopt when the client is gone.
std::optional<FakeRequest> ReadRequest(int socket, std::string& buffer) {
  size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive(socket, buffer)) return std::nullopt;
  }
  FakeRequest request;
  const std::string head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  size_t line_end = head.find("\r\n");
  const std::string first = head.substr(0, line_end);
  const size_t space = first.find(' ');
  request.method = first.substr(0, space);
  const std::string target = first.substr(space + 1, first.rfind(' ') - space - 1);
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  while (line_end + 2 < head.size()) {
    const size_t begin = line_end + 2;
    line_end = head.find("\r\n", begin);
    const std::string line = head.substr(begin, line_end - begin);
    const size_t colon = line.find(':');
    const size_t value = line.find_first_not_of(' ', colon + 1);
    request.headers[LowerCase(line.substr(0, colon))] = value == std::string::npos ? "" : line.substr(value);
  }
  const auto length = static_cast<size_t>(std::atoll(request.Header("content-length").c_str()));
  while (buffer.size() < length) {
    if (!Receive(socket, buffer)) return std::nullopt;
  }
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return request;
}

}  // namespace

std::string FakeRequest::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

FakeHttpServer::FakeHttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  TARN_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  TARN_CHECK(listen(listener_, 128) == 0);
  TARN_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = Thread("fake-http", [this] { Accept(); });
}

FakeHttpServer::~FakeHttpServer() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.Join();
  close(listener_);
  std::vector<Thread> connections;
  {
    MutexLock lock(mutex_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
    connections = std::move(connections_);
  }
  for (Thread& connection : connections) connection.Join();
  MutexLock lock(mutex_);
  for (const int socket : sockets_) close(socket);
}

std::string FakeHttpServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

int FakeHttpServer::connections() const {
  MutexLock lock(mutex_);
  return static_cast<int>(sockets_.size());
}

std::vector<FakeRequest> FakeHttpServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

void FakeHttpServer::Accept() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    MutexLock lock(mutex_);
    sockets_.push_back(socket);
    connections_.emplace_back("fake-http", [this, socket] { Serve(socket); });
  }
}

void FakeHttpServer::Serve(int socket) {
  std::string buffer;
  while (auto request = ReadRequest(socket, buffer)) {
    {
      MutexLock lock(mutex_);
      requests_.push_back(*request);
    }
    const FakeReply reply = handler_(*request);
    if (reply.hang) {
      while (Receive(socket, buffer)) {
      }
      return;
    }
    if (reply.drop) break;
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Said\r\n";
    for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
    // An answer to HEAD says how long its body would be.
    if (reply.status != 204) text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    text += "\r\n";
    if (request->method != "HEAD") text += reply.body.substr(0, reply.cut_at);
    if (!SendAll(socket, text) || reply.cut_at < reply.body.size()) break;
  }
  shutdown(socket, SHUT_RDWR);
}

}  // namespace tarn::storage::testing
