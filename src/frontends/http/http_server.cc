#include "frontends/http/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <list>
#include <set>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "frontends/http/session.h"

namespace tarn::frontends {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Connections that are told that there are too many, each for as long as a session lingers.
constexpr size_t kTurnedAwayAtOnce = 64;

class TcpHttpServer final : public HttpServer {
 public:
  TcpHttpServer(const HttpServerOptions& options, HttpService& service, MemoryBudget& request_memory, Clock& clock,
                std::function<void(const HttpRecord&)> observe)
      : options_(options),
        acceptor_(io_),
        sweep_timer_(io_),
        query_pool_(ThreadPoolOptions{"tarn-query", options.query_threads, options.max_waiting}),
        write_pool_(ThreadPoolOptions{"tarn-write", options.write_threads, options.max_waiting}),
        watch_pool_(ThreadPoolOptions{"tarn-watch", 1, options.max_waiting}),
        context_{.options = options_,
                 .service = service,
                 .request_memory = request_memory,
                 .clock = clock,
                 .query_pool = query_pool_,
                 .write_pool = write_pool_,
                 .watch_pool = watch_pool_,
                 .observe = std::move(observe),
                 .closed = [this](const std::shared_ptr<Session>& session) { Forget(session); },
                 .idle = idle_} {}

  ~TcpHttpServer() override {
    asio::post(io_, [this] {
      CloseAcceptor();
      for (const auto& session : AllSessions()) session->Abort();
      stopping_ = true;
      if (open_connections_ == 0) io_.stop();
    });
    network_.Join();
  }

  Status Listen() {
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(options_.host, std::to_string(options_.port), tcp::resolver::passive, error);
    if (error || found.empty()) {
      return Status::InvalidArgument("'" + options_.host + "' is not an address to listen on: " + error.message());
    }
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    const std::string wanted = options_.host + ":" + std::to_string(options_.port);
    if (error == asio::error::address_in_use) {
      return Status::AlreadyExists("another process already listens on " + wanted +
                                   "; stop it, or choose another port with --addr-http");
    }
    if (error == asio::error::access_denied) {
      return Status::PermissionDenied("this user may not listen on " + wanted);
    }
    if (error) return Status::InvalidArgument("cannot listen on " + wanted + ": " + error.message());
    const tcp::endpoint bound = acceptor_.local_endpoint(error);
    const std::string host = bound.address().to_string();
    address_ = (bound.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(bound.port());
    Accept();
    Sweep();
    network_ = Thread("tarn-net", [this] { io_.run(); });
    return Status::Ok();
  }

  const std::string& address() const override { return address_; }

  bool Drain(int64_t timeout_micros) override {
    const int64_t deadline = context_.clock.MonotonicMicros() + timeout_micros;
    asio::post(io_, [this] {
      CloseAcceptor();
      for (const auto& session : AllSessions()) session->FinishUp();
    });
    // The posted work may find sessions to close, so that their number is only meaningful after it.
    MutexLock lock(mutex_);
    while (!(draining_ && open_connections_ == 0)) {
      if (!context_.clock.WaitUntil(changed_, mutex_, deadline)) break;
    }
    return draining_ && open_connections_ == 0;
  }

  HttpServerStats stats() const override { return {open_connections_, refused_}; }

 private:
  void Accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) {
        // Out of file descriptors, most likely: the sweep tries again.
        accept_failed_ = true;
        return;
      }
      OnAccept(std::move(socket));
      Accept();
    });
  }

  void OnAccept(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    auto session = std::make_shared<Session>(std::move(socket), context_);
    ++open_connections_;
    if (static_cast<int>(sessions_.size()) < options_.max_connections || CloseLongestIdle()) {
      sessions_.insert(session);
      return session->Start();
    }
    ++refused_;
    // Beyond the bound, but only for as long as it takes to be told so.
    if (turned_away_.size() >= kTurnedAwayAtOnce) turned_away_.front()->Abort();
    turned_away_.push_back(session);
    session->TurnAway();
  }

  /// Makes room for a newcomer; false when every connection has a request.
  bool CloseLongestIdle() {
    for (Session* session : idle_) {
      if (session->GiveWay()) return true;
    }
    return false;
  }

  /// A copy, because a session that closes is forgotten.
  std::vector<std::shared_ptr<Session>> AllSessions() const {
    std::vector<std::shared_ptr<Session>> all(sessions_.begin(), sessions_.end());
    all.insert(all.end(), turned_away_.begin(), turned_away_.end());
    return all;
  }

  void Forget(const std::shared_ptr<Session>& session) {
    if (sessions_.erase(session) + turned_away_.remove(session) == 0) return;
    {
      MutexLock lock(mutex_);
      --open_connections_;
    }
    changed_.notify_all();
    if (stopping_ && open_connections_ == 0) io_.stop();
  }

  void Sweep() {
    sweep_timer_.expires_after(std::chrono::microseconds(options_.sweep_interval_micros));
    sweep_timer_.async_wait([this](const error_code& error) {
      if (error) return;
      const int64_t now = context_.clock.MonotonicMicros();
      for (const auto& session : AllSessions()) session->CheckDeadline(now);
      if (std::exchange(accept_failed_, false) && acceptor_.is_open()) Accept();
      Sweep();
    });
  }

  void CloseAcceptor() {
    error_code ignored;
    acceptor_.close(ignored);
    MutexLock lock(mutex_);
    draining_ = true;
    changed_.notify_all();
  }

  const HttpServerOptions options_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer sweep_timer_;
  std::string address_;
  // On the network thread only.
  std::list<Session*> idle_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::list<std::shared_ptr<Session>> turned_away_;
  bool stopping_ = false;
  bool accept_failed_ = false;
  std::atomic<int64_t> open_connections_ = 0;
  std::atomic<int64_t> refused_ = 0;
  Mutex mutex_;
  CondVar changed_;
  bool draining_ GUARDED_BY(mutex_) = false;
  ThreadPool query_pool_;
  ThreadPool write_pool_;
  ThreadPool watch_pool_;
  SessionContext context_;
  Thread network_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, HttpService& service,
                                                      MemoryBudget& request_memory, Clock& clock,
                                                      std::function<void(const HttpRecord&)> observe) {
  auto server = std::make_unique<TcpHttpServer>(options, service, request_memory, clock, std::move(observe));
  TARN_RETURN_NOT_OK(server->Listen());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace tarn::frontends
