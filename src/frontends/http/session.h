#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/executor.h"
#include "frontends/http/exchange.h"
#include "frontends/http/http_server.h"
#include "frontends/http/request_body.h"

namespace tarn::frontends {

class Session;

/// What all sessions of one server share. Used on the network thread only, except the pools and `observe`.
struct SessionContext {
  const HttpServerOptions& options;
  HttpService& service;
  MemoryBudget& request_memory;
  Clock& clock;
  Executor& query_pool;
  Executor& write_pool;
  Executor& watch_pool;
  std::function<void(const HttpRecord&)> observe;
  std::function<void(const std::shared_ptr<Session>&)> closed;
  /// Sessions before their first byte or between two requests, the one that has been so longest first.
  std::list<Session*>& idle;
};

/// One connection. All of it runs on the network thread; only an Exchange's steps run elsewhere, and while one is
/// under way the socket stays open.
///
/// Reading never stops while a request is worked on, so that a client that goes away is noticed; what a pipelining
/// client sends meanwhile waits, within a bound, for its turn.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::ip::tcp::socket socket, const SessionContext& context);

  void Start();
  /// Instead of Start: says that there are too many connections, whatever the client asks for.
  void TurnAway();
  /// Closes for the sake of a newcomer; false for a session that has a request, be its first byte only waiting to be
  /// read.
  bool GiveWay();
  /// Closes when a deadline has passed.
  void CheckDeadline(int64_t now_micros);
  /// No further request is taken; an idle connection closes at once.
  void FinishUp();
  /// Breaks off whatever is under way.
  void Abort();

 private:
  enum class State : uint8_t {
    kIdle,
    kHeader,
    kBody,
    kWorking,
    /// The answer is out and our side is shut; what the client still sends is thrown away for a while, because a closed
    /// socket would take the answer back with a reset.
    kLingering,
    kClosed,
  };
  using Parser = boost::beast::http::request_parser<RequestBody>;

  /// The only way to a state, so that the list of idle sessions stays true.
  void Enter(State state);
  void Read();
  void OnReadable(boost::system::error_code error);
  void Parse();
  void BeginRequest();
  bool OnHeader();
  /// False when the request was refused for what its header says of where it comes from, goes to or ends.
  bool CheckFraming();
  void OnParseError(const boost::system::error_code& error);
  /// Makes room for the announced body and answers `Expect`; false when the request was refused.
  bool PrepareBody();
  void Dispatch();
  Executor& Pool();
  void Run(const std::shared_ptr<Exchange>& exchange, bool first);
  /// Answers a request that was not read to its end; the connection cannot go on after it.
  void Refuse(HttpResponse response);
  void Refuse(int http_status, std::string_view code, std::string_view detail) {
    Refuse(context_.service.Fault(request_.path, http_status, code, detail));
  }
  void Refuse(const Status& status) { Refuse(context_.service.Fault(request_.path, status)); }
  void RefuseBody(RequestBody::Fault fault);
  void OnProgress(const std::shared_ptr<Exchange>& exchange, Exchange::Progress progress);
  void Write(const std::shared_ptr<Exchange>& exchange);
  void OnAnswered(const std::shared_ptr<Exchange>& exchange, bool keep_alive);
  void Observe(const Exchange& exchange);
  void Linger();
  void Close();
  void SetDeadline(int64_t micros_from_now) { deadline_micros_ = context_.clock.MonotonicMicros() + micros_from_now; }

  const SessionContext& context_;
  boost::asio::ip::tcp::socket socket_;
  /// Bytes that arrived and are not parsed yet.
  boost::beast::flat_buffer input_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  HttpService::Route route_;
  std::shared_ptr<Exchange> exchange_;
  State state_ = State::kIdle;
  std::optional<std::list<Session*>::iterator> idle_place_;
  bool reading_ = false;
  bool peer_closed_ = false;
  bool finishing_ = false;
  bool aborted_ = false;
  /// On the monotonic clock; 0 for none.
  int64_t deadline_micros_ = 0;
  int64_t request_began_micros_ = 0;
  size_t request_bytes_ = 0;
};

}  // namespace tarn::frontends
