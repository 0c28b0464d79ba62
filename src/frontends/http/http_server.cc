#include "frontends/http/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <set>
#include <utility>

#include "base/executor.h"
#include "base/mutex.h"
#include "frontends/http/session.h"

namespace tarn::frontends {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

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
                 .closed = [this](const std::shared_ptr<Session>& session) { Forget(session); }} {}

  ~TcpHttpServer() override {
    asio::post(io_, [this] {
      CloseAcceptor();
      const std::set<std::shared_ptr<Session>> sessions = sessions_;
      for (const auto& session : sessions) session->Abort();
      stopping_ = true;
      if (sessions_.empty()) io_.stop();
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
      const std::set<std::shared_ptr<Session>> sessions = sessions_;
      for (const auto& session : sessions) session->FinishUp();
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
    if (static_cast<int>(sessions_.size()) >= options_.max_connections) {
      ++refused_;
      constexpr std::string_view kRefusal =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      socket.non_blocking(true, ignored);
      socket.send(asio::buffer(kRefusal), 0, ignored);
      return;
    }
    auto session = std::make_shared<Session>(std::move(socket), context_);
    sessions_.insert(session);
    ++open_connections_;
    session->Start();
  }

  void Forget(const std::shared_ptr<Session>& session) {
    if (sessions_.erase(session) == 0) return;
    {
      MutexLock lock(mutex_);
      --open_connections_;
    }
    changed_.notify_all();
    if (stopping_ && sessions_.empty()) io_.stop();
  }

  void Sweep() {
    sweep_timer_.expires_after(std::chrono::microseconds(options_.sweep_interval_micros));
    sweep_timer_.async_wait([this](const error_code& error) {
      if (error) return;
      const int64_t now = context_.clock.MonotonicMicros();
      // A copy, because a session that closes leaves the set.
      const std::vector<std::shared_ptr<Session>> sessions(sessions_.begin(), sessions_.end());
      for (const auto& session : sessions) session->CheckDeadline(now);
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
  std::set<std::shared_ptr<Session>> sessions_;
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
