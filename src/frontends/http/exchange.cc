#include "frontends/http/exchange.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <ctime>
#include <utility>

namespace tarn::frontends {

namespace {

/// Below this a compressed body saves no packet.
constexpr size_t kMinCompressedBytes = 1024;
/// "00040000\r\n": the length of a chunk is filled in once it is known.
constexpr size_t kChunkHeadBytes = 10;

void BeginChunk(ByteBuffer& wire) {
  wire.Clear();
  wire.Append("00000000\r\n");
}

void EndChunk(bool last, ByteBuffer& wire) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t length = wire.size() - kChunkHeadBytes;
  if (length == 0) {
    wire.Clear();
  } else {
    for (int i = 7; i >= 0; --i, length >>= 4) wire.data()[i] = kHex[length & 15];
    wire.Append("\r\n");
  }
  if (last) wire.Append("0\r\n\r\n");
}

std::string HttpDate(int64_t wall_micros) {
  const auto seconds = static_cast<std::time_t>(wall_micros / kMicrosPerSecond);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const size_t size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

}  // namespace

Exchange::Progress Exchange::Begin(HttpService& service) {
  HttpResponse response = service.Handle(request_);
  // The body is done with; a streamed answer may take long.
  request_.body = std::string();
  request_.memory = MemoryBudget::Reservation();
  return Answer(std::move(response));
}

Exchange::Progress Exchange::Answer(HttpResponse response) {
  response_ = std::move(response);
  keep_alive_ = options_.keep_alive;
  return Step();
}

Exchange::Progress Exchange::Step() {
  while (true) {
    if (!begun_) {
      begun_ = true;
      more_ = ProduceFirst();
    } else if (more_) {
      more_ = ProduceNext();
    }
    const Progress progress = Flush();
    if (progress != Progress::kDone || !more_) return progress;
  }
}

void Exchange::WriteHead(bool chunked, std::optional<size_t> length) {
  head_ = "HTTP/1.1 " + std::to_string(response_.status) + " ";
  head_ += ReasonPhrase(response_.status);
  head_ += "\r\nDate: " + HttpDate(clock_.WallMicros());
  if (!response_.content_type.empty()) head_ += "\r\nContent-Type: " + response_.content_type;
  for (const auto& [name, value] : response_.headers) head_ += "\r\n" + name + ": " + value;
  if (coding_ != ContentCoding::kIdentity) head_ += "\r\nContent-Encoding: " + std::string(CodingName(coding_));
  if (length.has_value() && response_.status != 204) head_ += "\r\nContent-Length: " + std::to_string(*length);
  if (chunked) head_ += "\r\nTransfer-Encoding: chunked";
  if (!keep_alive_) {
    head_ += "\r\nConnection: close";
  } else if (!options_.http_1_1) {
    head_ += "\r\nConnection: keep-alive";
  }
  head_ += "\r\n\r\n";
}

bool Exchange::ProduceFirst() {
  bool more = false;
  plain_.Clear();
  if (response_.source != nullptr) {
    Result<bool> filled = response_.source->Fill(options_.chunk_bytes, plain_);
    if (!filled.ok()) {
      // Nothing was sent yet, so the failure can still be told as it should.
      HttpResponse problem = Problem(filled.status(), response_.query_id);
      response_ = std::move(problem);
    } else {
      more = *filled;
    }
  }
  if (response_.source == nullptr) {
    plain_.Clear();
    plain_.Append(response_.body);
  }
  if (more || plain_.size() >= kMinCompressedBytes) {
    // Parquet is compressed inside already.
    const bool worth_it = response_.content_type != FormatMediaType(ResultFormat::kParquet);
    if (worth_it) coding_ = NegotiateCoding(request_.Header("accept-encoding"));
    compressor_ = BodyCompressor::Make(coding_);
  }
  wire_.Clear();
  chunked_ = more && options_.http_1_1;
  // Without chunks the end of a body of unknown length is the end of the connection.
  if (more && !chunked_) keep_alive_ = false;
  if (chunked_) BeginChunk(wire_);
  if (compressor_ != nullptr) {
    if (!compressor_->Compress(plain_.view(), !more, wire_).ok()) broken_ = true;
  } else if (chunked_) {
    wire_.Append(plain_.view());
  } else {
    std::swap(wire_, plain_);
  }
  WriteHead(chunked_, more ? std::nullopt : std::optional<size_t>(wire_.size()));
  if (chunked_) EndChunk(/*last=*/false, wire_);
  if (options_.header_only) {
    wire_.Clear();
    more = false;
  }
  return more;
}

bool Exchange::ProduceNext() {
  ByteBuffer& target = compressor_ != nullptr ? plain_ : wire_;
  plain_.Clear();
  if (chunked_) {
    BeginChunk(wire_);
  } else {
    wire_.Clear();
  }
  Result<bool> more = response_.source->Fill(target.size() + options_.chunk_bytes, target);
  if (!more.ok()) broken_ = true;
  const bool last = more.ok() && !*more;
  if (compressor_ != nullptr && !compressor_->Compress(plain_.view(), last, wire_).ok()) broken_ = true;
  // A broken body ends without its last chunk: that is how the client knows.
  if (chunked_) EndChunk(last && !broken_, wire_);
  return !broken_ && !last;
}

void Exchange::MarkSent(size_t bytes) {
  bytes_out_ += bytes;
  const size_t of_head = std::min(bytes, head_.size() - head_sent_);
  head_sent_ += of_head;
  wire_sent_ += bytes - of_head;
}

void Exchange::Send() {
  while (pending().size() > 0) {
    const Pending rest = pending();
    iovec pieces[2] = {{const_cast<char*>(rest.head.data()), rest.head.size()},
                       {const_cast<char*>(rest.body.data()), rest.body.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    const ssize_t sent = sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) peer_gone_ = true;
      return;
    }
    MarkSent(static_cast<size_t>(sent));
  }
}

Exchange::Progress Exchange::Flush() {
  wire_sent_ = 0;
  Send();
  if (peer_gone_) {
    Cancel();
    return Progress::kBroken;
  }
  if (pending().size() > 0) return Progress::kBlocked;
  head_.clear();
  head_sent_ = 0;
  return broken_ ? Progress::kBroken : Progress::kDone;
}

}  // namespace tarn::frontends
