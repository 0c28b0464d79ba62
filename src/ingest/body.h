#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/memory_budget.h"
#include "base/status.h"

struct inflate_state;
struct isal_gzip_header;

namespace tarn::ingest {

enum class ContentEncoding : uint8_t { kIdentity, kGzip };

/// Reads a Content-Encoding header; empty is identity. Unsupported for any other coding, or for several at once.
Result<ContentEncoding> ParseContentEncoding(std::string_view header);

/// What a body may have, as sent and again when inflated, where nobody says less. The clients' libraries send batches
/// of some megabytes; what is larger is better sent in parts, which are acknowledged one by one.
inline constexpr size_t kMaxBodyBytes = size_t{64} << 20;

struct BodyOptions {
  ContentEncoding encoding = ContentEncoding::kIdentity;
  /// As sent, and after decoding.
  size_t max_wire_bytes = kMaxBodyBytes;
  size_t max_bytes = kMaxBodyBytes;
  /// From the Content-Length header: what is too long is then refused before it is read.
  std::optional<size_t> content_length;
  /// Holds the decoded bytes; null for no accounting. Must outlive the Body.
  MemoryBudget* budget = nullptr;
};

/// A decoded request body and the memory it is accounted for.
struct Body {
  std::string text;
  MemoryBudget::Reservation reservation;
};

/// Decodes one request body as it arrives. gzip may have several members (RFC 1952, section 2.2); their checksums are
/// verified, and bytes after the last member or a cut one are errors. Memory never exceeds the limits, whatever the
/// body would inflate to. Thread-compatible. After an error every call returns it again.
///
/// Errors: InvalidArgument (not what the encoding says), ResourceExhausted (a limit on size; HTTP answers 413),
/// Unavailable (the budget is short for now; HTTP answers 503).
class BodyDecoder {
 public:
  explicit BodyDecoder(const BodyOptions& options);
  ~BodyDecoder();
  BodyDecoder(const BodyDecoder&) = delete;
  BodyDecoder& operator=(const BodyDecoder&) = delete;

  /// Checks content_length; call it before asking the client to send.
  Status Begin();
  Status Append(std::string_view bytes);
  /// The whole body; the decoder is used up.
  Result<Body> Finish();

 private:
  Status Fail(Status status);
  Status Inflate(std::string_view bytes);
  void BeginMember();
  Status CheckMagic();
  bool ReadHeader();
  Status Keep(std::string_view decoded);
  Status Grow(size_t bytes);

  const BodyOptions options_;
  Status failure_;
  size_t wire_bytes_ = 0;
  Body body_;
  // gzip only.
  std::unique_ptr<inflate_state> inflate_;
  std::unique_ptr<char[]> window_;
  std::unique_ptr<isal_gzip_header> header_;
  bool first_member_ = true;
  /// Bytes of the member's magic number seen.
  size_t magic_seen_ = 0;
  bool in_member_ = false;
  bool header_read_ = false;
};

/// All at once.
Result<Body> DecodeBody(std::string_view bytes, const BodyOptions& options);

}  // namespace tarn::ingest
