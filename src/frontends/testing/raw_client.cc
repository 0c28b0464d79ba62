#include "frontends/testing/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace tarn::frontends {

RawClient::RawClient(const std::string& address) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  TARN_CHECK(connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
}

RawClient::~RawClient() { Close(); }

void RawClient::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawClient::Fill() {
  char bytes[16384];
  const ssize_t received = recv(socket_, bytes, sizeof(bytes), 0);
  if (received <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(received));
  return true;
}

std::string RawClient::Receive() {
  if (buffer_.empty()) Fill();
  return std::exchange(buffer_, {});
}

std::string RawClient::ReceiveAll() {
  while (Fill()) {
  }
  return std::exchange(buffer_, {});
}

RawClient::Reply RawClient::ReceiveReply() {
  Reply reply;
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return reply;
  }
  std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  reply.status = std::atoi(head.c_str() + 9);
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    const size_t line_end = head.find("\r\n", at);
    const size_t colon = head.find(": ", at);
    reply.headers[head.substr(at, colon - at)] = head.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  if (reply.headers.contains("Transfer-Encoding")) {
    while (true) {
      while ((end = buffer_.find("\r\n")) == std::string::npos) {
        if (!Fill()) return reply;
      }
      const size_t length = std::strtoul(buffer_.c_str(), nullptr, 16);
      while (buffer_.size() < end + 2 + length + 2) {
        if (!Fill()) return reply;
      }
      reply.body += buffer_.substr(end + 2, length);
      buffer_.erase(0, end + 2 + length + 2);
      if (length == 0) break;
    }
  } else if (reply.headers.contains("Content-Length")) {
    const size_t length = std::stoul(reply.headers["Content-Length"]);
    while (buffer_.size() < length) {
      if (!Fill()) return reply;
    }
    reply.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
  } else if (reply.status != 204 && reply.status != 100) {
    reply.body = ReceiveAll();
  }
  reply.complete = true;
  return reply;
}

RawClient::Reply Ask(const std::string& address, std::string_view request) {
  RawClient client(address);
  client.Send(request);
  return client.ReceiveReply();
}

}  // namespace tarn::frontends
