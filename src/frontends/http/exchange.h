#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "frontends/http/compression.h"
#include "frontends/http/http_service.h"

namespace tarn::frontends {

/// One request on its way to an answer, made in steps: each step produces bytes, sends what the socket takes at once
/// and leaves the rest in `pending`. Steps run on one thread at a time; Cancel on any.
class Exchange {
 public:
  struct Options {
    size_t chunk_bytes = 0;
    bool http_1_1 = true;
    bool keep_alive = true;
    /// HEAD: the header of the answer alone.
    bool header_only = false;
  };
  enum class Progress : uint8_t {
    /// Bytes wait in `pending`; after they are sent, call Step again when `more`.
    kBlocked,
    /// All is sent.
    kDone,
    /// The peer is gone or the answer broke off: the connection must be closed.
    kBroken,
  };

  Exchange(HttpRequest request, const Options& options, int socket, Clock& clock)
      : request_(std::move(request)), options_(options), socket_(socket), clock_(clock) {
    request_.cancel = cancel_;
  }

  /// Works on the request, then as Step.
  Progress Begin(HttpService& service);
  /// Answers without working on the request.
  Progress Answer(HttpResponse response);
  Progress Step();
  void Cancel() { cancel_->Cancel(); }

  /// What the socket has not taken yet.
  struct Pending {
    std::string_view head;
    std::string_view body;
    size_t size() const { return head.size() + body.size(); }
  };
  Pending pending() const { return {std::string_view(head_).substr(head_sent_), wire_.view().substr(wire_sent_)}; }
  void MarkSent(size_t bytes);
  /// True when Step has more to produce.
  bool more() const { return more_; }
  /// True when the answer broke off: no further step, and the connection must be closed once `pending` is sent.
  bool broken() const { return broken_; }
  bool keep_alive() const { return keep_alive_ && !broken_; }

  const HttpRequest& request() const { return request_; }
  int status() const { return response_.status; }
  size_t bytes_out() const { return bytes_out_; }

 private:
  bool ProduceFirst();
  bool ProduceNext();
  void WriteHead(bool chunked, std::optional<size_t> length);
  void Send();
  Progress Flush();

  const std::shared_ptr<CancelHook> cancel_ = std::make_shared<CancelHook>();
  HttpRequest request_;
  const Options options_;
  const int socket_;
  Clock& clock_;
  HttpResponse response_;
  std::unique_ptr<BodyCompressor> compressor_;
  ContentCoding coding_ = ContentCoding::kIdentity;
  std::string head_;
  size_t head_sent_ = 0;
  ByteBuffer plain_;
  ByteBuffer wire_;
  size_t wire_sent_ = 0;
  size_t bytes_out_ = 0;
  bool keep_alive_ = true;
  bool begun_ = false;
  bool chunked_ = false;
  bool more_ = false;
  bool broken_ = false;
  bool peer_gone_ = false;
};

}  // namespace tarn::frontends
