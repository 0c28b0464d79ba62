#include "frontends/http/session.h"

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <utility>

namespace tarn::frontends {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr size_t kReadBytes = 4 << 10;
constexpr size_t kBodyReadBytes = 256 << 10;
/// What a client may send ahead while its last request is worked on.
constexpr size_t kMaxAheadBytes = 64 << 10;
constexpr int64_t kLingerMicros = 2 * kMicrosPerSecond;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

void CopyHeaders(const http::fields& fields, HttpRequest& request) {
  for (const auto& field : fields) {
    std::string& value = request.headers[Lower({field.name_string().data(), field.name_string().size()})];
    if (!value.empty()) value += ", ";
    value.append(field.value().data(), field.value().size());
  }
}

/// Whether a page at this origin was served by this very machine. A browser names the origin of a page with whatever
/// the page sends elsewhere; without authentication its user's position is all that it takes to read and write here.
bool IsLoopbackOrigin(std::string_view origin) {
  const size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return false;
  std::string_view host = origin.substr(scheme_end + 3);
  if (host.starts_with("[::1]")) return true;
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

}  // namespace

Session::Session(asio::ip::tcp::socket socket, const SessionContext& context)
    : context_(context), socket_(std::move(socket)) {
  input_.max_size(kBodyReadBytes + kMaxAheadBytes + context.options.max_header_bytes);
}

void Session::Start() {
  Enter(State::kIdle);
  SetDeadline(context_.options.idle_timeout_micros);
  Read();
}

void Session::TurnAway() {
  BeginRequest();
  Refuse(Status::Unavailable("all " + std::to_string(context_.options.max_connections) +
                             " connections are in the middle of a request; try again"));
}

bool Session::GiveWay() {
  error_code error;
  if (state_ != State::kIdle || socket_.available(error) > 0) return false;
  Close();
  return true;
}

void Session::Enter(State state) {
  if (idle_place_.has_value()) context_.idle.erase(*std::exchange(idle_place_, std::nullopt));
  state_ = state;
  if (state == State::kIdle) idle_place_ = context_.idle.insert(context_.idle.end(), this);
}

void Session::Read() {
  if (reading_ || peer_closed_ || state_ == State::kClosed) return;
  if (state_ == State::kWorking && input_.size() >= kMaxAheadBytes) return;
  reading_ = true;
  // Bytes stay with the system until they are looked at: a connection that is waited for needs no memory for them, and
  // GiveWay sees them.
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const error_code& error) { self->OnReadable(error); });
}

void Session::OnReadable(error_code error) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (!error) {
    const auto room = input_.prepare(state_ == State::kBody ? kBodyReadBytes : kReadBytes);
    input_.commit(socket_.read_some(room, error));
  }
  if (error == asio::error::would_block) return Read();
  if (error) {
    peer_closed_ = true;
    // While a request is worked on its end closes the connection.
    if (state_ == State::kWorking) {
      exchange_->Cancel();
    } else {
      Close();
    }
    return;
  }
  if (state_ == State::kLingering) {
    input_.consume(input_.size());
  } else if (state_ != State::kWorking) {
    Parse();
  }
  Read();
}

void Session::BeginRequest() {
  Enter(State::kHeader);
  request_ = HttpRequest();
  request_bytes_ = 0;
  request_began_micros_ = context_.clock.MonotonicMicros();
  SetDeadline(context_.options.header_timeout_micros);
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(context_.options.max_header_bytes));
  // PrepareBody sets it, as it depends on the route.
  parser_->body_limit(boost::none);
}

void Session::Parse() {
  while (input_.size() > 0 && (state_ == State::kIdle || state_ == State::kHeader || state_ == State::kBody)) {
    if (state_ == State::kIdle) BeginRequest();
    error_code error;
    const size_t used = parser_->put(input_.data(), error);
    input_.consume(used);
    request_bytes_ += used;
    if (error && error != http::error::need_more) return OnParseError(error);
    if (state_ == State::kHeader && parser_->is_header_done()) {
      if (!OnHeader()) return;
      Enter(State::kBody);
      SetDeadline(context_.options.body_timeout_micros);
      parser_->eager(true);
    } else if (used > 0 && state_ == State::kBody) {
      SetDeadline(context_.options.body_timeout_micros);
    }
    if (parser_->is_done()) return Dispatch();
    if (used == 0) break;
  }
  // The parser keeps none of it before its end: the size line of a chunk, or the trailers.
  if (state_ == State::kBody && input_.size() > context_.options.max_header_bytes) {
    Refuse(431, "ResourceExhausted",
           "a chunk's header or the trailers are larger than " + std::to_string(context_.options.max_header_bytes) +
               " bytes");
  }
}

void Session::OnParseError(const error_code& error) {
  const RequestBody::Fault fault = parser_->is_header_done() ? parser_->get().body().fault : RequestBody::Fault::kNone;
  if (fault != RequestBody::Fault::kNone) return RefuseBody(fault);
  if (error == http::error::header_limit) {
    return Refuse(431, "ResourceExhausted",
                  "the header is larger than " + std::to_string(context_.options.max_header_bytes) + " bytes");
  }
  if (error == http::error::body_limit) return RefuseBody(RequestBody::Fault::kTooLarge);
  if (error == http::error::bad_version) return Refuse(505, "Unsupported", "this is an HTTP/1.1 server");
  Refuse(400, "InvalidArgument", "malformed request: " + error.message());
}

void Session::RefuseBody(RequestBody::Fault fault) {
  if (fault == RequestBody::Fault::kNoMemory) {
    return Refuse(Status::Unavailable("the memory for requests is in use; try again"));
  }
  Refuse(413, "ResourceExhausted", "the body is larger than " + std::to_string(route_.max_body_bytes) + " bytes");
}

bool Session::PrepareBody() {
  auto& message = parser_->get();
  RequestBody::value_type& body = message.body();
  body.budget = &context_.request_memory;
  body.max_bytes = route_.max_body_bytes;
  // A chunk is refused for the size that its first line tells; RequestBody counts what arrives.
  parser_->body_limit(route_.max_body_bytes);
  if (const auto length = parser_->content_length(); length.has_value() && !body.Admit(*length)) {
    RefuseBody(body.fault);
    return false;
  }
  const std::string_view expect = request_.Header("expect");
  if (expect.empty()) return true;
  if (Lower(expect) != "100-continue") {
    Refuse(417, "Unsupported", "only 'Expect: 100-continue' is known");
    return false;
  }
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (message.version() >= 11 && !parser_->is_done() && input_.size() == 0) {
    // Nothing else is on its way out, so that so few bytes always fit.
    if (send(socket_.native_handle(), kContinue.data(), kContinue.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) Abort();
  }
  return true;
}

bool Session::CheckFraming() {
  const auto& message = parser_->get();
  // RFC 9112, section 3.2: a proxy before us and we must not disagree about whom a request is for …
  if (const auto hosts = message.count(http::field::host); hosts > 1 || (hosts == 0 && message.version() >= 11)) {
    Refuse(400, "InvalidArgument", hosts == 0 ? "the request has no Host" : "the request has more than one Host");
    return false;
  }
  // … nor about where it ends (section 6.1). Any other coding would leave the body to be taken for the next request.
  const auto codings = message.count(http::field::transfer_encoding);
  if (codings > 1 || (codings == 1 && (message.version() < 11 || request_.Header("transfer-encoding") != "chunked"))) {
    Refuse(400, "InvalidArgument", "the only Transfer-Encoding taken is 'chunked'");
    return false;
  }
  if (const std::string_view origin = request_.Header("origin"); !origin.empty() && !IsLoopbackOrigin(origin)) {
    Refuse(403, "PermissionDenied", "web pages from elsewhere may not use this server");
    return false;
  }
  return true;
}

bool Session::OnHeader() {
  auto& message = parser_->get();
  request_.method = std::string(message.method_string());
  CopyHeaders(message, request_);
  const Status target = ParseTarget({message.target().data(), message.target().size()}, request_);
  route_ = context_.service.Find(request_.method, request_.path);
  if (!target.ok()) {
    Refuse(target);
    return false;
  }
  return CheckFraming() && PrepareBody() && state_ == State::kHeader;
}

void Session::Dispatch() {
  RequestBody::value_type& body = parser_->get().body();
  request_.body = std::move(body.text);
  request_.budget = &context_.request_memory;
  request_.memory = std::move(body.memory);
  Exchange::Options options;
  options.chunk_bytes = context_.options.chunk_bytes;
  options.http_1_1 = parser_->get().version() >= 11;
  options.keep_alive = parser_->get().keep_alive() && !finishing_;
  options.header_only = request_.method == "HEAD";
  parser_.reset();
  Enter(State::kWorking);
  deadline_micros_ = 0;
  if (input_.size() == 0 && input_.capacity() > kMaxAheadBytes) input_.shrink_to_fit();
  auto exchange = std::make_shared<Exchange>(std::move(request_), options, socket_.native_handle(), context_.clock);
  exchange_ = exchange;
  if (route_.work == WorkKind::kInline) return OnProgress(exchange, exchange->Begin(context_.service));
  Run(exchange, /*first=*/true);
}

Executor& Session::Pool() {
  if (route_.work == WorkKind::kWatch) return context_.watch_pool;
  return route_.work == WorkKind::kWrite ? context_.write_pool : context_.query_pool;
}

void Session::Run(const std::shared_ptr<Exchange>& exchange, bool first) {
  deadline_micros_ = 0;
  const Status submitted = Pool().Submit([self = shared_from_this(), exchange, first] {
    const auto progress = first ? exchange->Begin(self->context_.service) : exchange->Step();
    asio::post(self->socket_.get_executor(), [self, exchange, progress] { self->OnProgress(exchange, progress); });
  });
  if (submitted.ok()) return;
  if (!first) {
    exchange->Cancel();
    return OnProgress(exchange, Exchange::Progress::kBroken);
  }
  const Status busy = Status::Unavailable("the server is busy: " + submitted.message());
  OnProgress(exchange, exchange->Answer(context_.service.Fault(exchange->request().path, busy)));
}

void Session::Refuse(HttpResponse response) {
  Exchange::Options options;
  options.keep_alive = false;
  options.header_only = request_.method == "HEAD";
  request_.body = std::string();
  request_.memory = MemoryBudget::Reservation();
  parser_.reset();
  Enter(State::kWorking);
  deadline_micros_ = 0;
  auto exchange = std::make_shared<Exchange>(std::move(request_), options, socket_.native_handle(), context_.clock);
  exchange_ = exchange;
  OnProgress(exchange, exchange->Answer(std::move(response)));
}

void Session::OnProgress(const std::shared_ptr<Exchange>& exchange, Exchange::Progress progress) {
  if (aborted_ || progress == Exchange::Progress::kBroken) return OnAnswered(exchange, /*keep_alive=*/false);
  if (progress == Exchange::Progress::kBlocked) {
    SetDeadline(context_.options.write_timeout_micros);
    return Write(exchange);
  }
  OnAnswered(exchange, exchange->keep_alive());
}

void Session::Write(const std::shared_ptr<Exchange>& exchange) {
  const Exchange::Pending rest = exchange->pending();
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(rest.head), asio::buffer(rest.body)};
  socket_.async_write_some(buffers, [self = shared_from_this(), exchange](const error_code& error, size_t bytes) {
    if (error || self->aborted_) {
      exchange->Cancel();
      return self->OnAnswered(exchange, /*keep_alive=*/false);
    }
    exchange->MarkSent(bytes);
    if (exchange->pending().size() > 0) {
      self->SetDeadline(self->context_.options.write_timeout_micros);
      return self->Write(exchange);
    }
    if (exchange->more()) return self->Run(exchange, /*first=*/false);
    self->OnAnswered(exchange, exchange->keep_alive());
  });
}

void Session::Observe(const Exchange& exchange) {
  if (!context_.observe) return;
  context_.observe({.route = route_.name.empty() ? std::string_view("other") : route_.name,
                    .status = exchange.status(),
                    .micros = context_.clock.MonotonicMicros() - request_began_micros_,
                    .bytes_in = request_bytes_,
                    .bytes_out = exchange.bytes_out()});
}

void Session::OnAnswered(const std::shared_ptr<Exchange>& exchange, bool keep_alive) {
  Observe(*exchange);
  exchange_.reset();
  route_ = {};
  if (peer_closed_ || aborted_) return Close();
  if (!keep_alive || finishing_) return Linger();
  Enter(State::kIdle);
  SetDeadline(context_.options.idle_timeout_micros);
  Parse();
  Read();
}

void Session::Linger() {
  Enter(State::kLingering);
  SetDeadline(kLingerMicros);
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  input_.consume(input_.size());
  Read();
}

void Session::Close() {
  if (state_ == State::kClosed) return;
  Enter(State::kClosed);
  deadline_micros_ = 0;
  error_code ignored;
  socket_.close(ignored);
  context_.closed(shared_from_this());
}

void Session::CheckDeadline(int64_t now_micros) {
  if (deadline_micros_ == 0 || now_micros < deadline_micros_) return;
  deadline_micros_ = 0;
  if (state_ == State::kHeader || state_ == State::kBody) {
    return Refuse(408, "DeadlineExceeded", "the request did not arrive in time");
  }
  Abort();
}

void Session::FinishUp() {
  finishing_ = true;
  if (state_ == State::kIdle) Close();
}

void Session::Abort() {
  if (state_ == State::kClosed) return;
  aborted_ = true;
  if (state_ != State::kWorking) return Close();
  // The socket's number must stay ours while a step may write to it; shutting it down wakes whatever waits on it.
  exchange_->Cancel();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
}

}  // namespace tarn::frontends
