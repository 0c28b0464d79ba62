#include "ingest/body.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

constexpr size_t kWindowBytes = 128 << 10;
constexpr uint32_t kReservedFlags = 0xe0;
constexpr size_t kMinCapacity = 16 << 10;

Status TooLarge(std::string_view what, size_t limit) {
  return Status::ResourceExhausted("the body is longer than " + std::to_string(limit) + " bytes" + std::string(what));
}

}  // namespace

Result<ContentEncoding> ParseContentEncoding(std::string_view header) {
  const size_t begin = header.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return ContentEncoding::kIdentity;
  header = header.substr(begin, header.find_last_not_of(" \t") + 1 - begin);
  const std::string coding = FoldCase(header);
  if (coding == "identity") return ContentEncoding::kIdentity;
  // RFC 9110, section 8.4.1.3: both names mean the same.
  if (coding == "gzip" || coding == "x-gzip") return ContentEncoding::kGzip;
  return Status::Unsupported("content encoding '" + Excerpt(header, 64) + "' is neither gzip nor identity");
}

BodyDecoder::BodyDecoder(const BodyOptions& options) : options_(options) {
  if (options.encoding == ContentEncoding::kGzip) {
    inflate_ = std::make_unique<inflate_state>();
    window_ = std::make_unique_for_overwrite<char[]>(kWindowBytes);
    header_ = std::make_unique<isal_gzip_header>();
    isal_inflate_init(inflate_.get());
    BeginMember();
  }
  if (options.budget != nullptr) {
    auto reservation = options.budget->TryReserve(0);
    if (reservation.has_value()) body_.reservation = std::move(*reservation);
  }
}

BodyDecoder::~BodyDecoder() = default;

Status BodyDecoder::Fail(Status status) {
  failure_ = std::move(status);
  body_ = Body();
  return failure_;
}

Status BodyDecoder::Begin() {
  if (!failure_.ok() || !options_.content_length.has_value()) return failure_;
  if (*options_.content_length > options_.max_wire_bytes) return Fail(TooLarge("", options_.max_wire_bytes));
  if (options_.encoding == ContentEncoding::kGzip) return Status::Ok();
  if (*options_.content_length > options_.max_bytes) return Fail(TooLarge("", options_.max_bytes));
  return Grow(*options_.content_length);
}

Status BodyDecoder::Append(std::string_view bytes) {
  if (!failure_.ok()) return failure_;
  // wire_bytes_ is at most the limit.
  if (bytes.size() > options_.max_wire_bytes - wire_bytes_) return Fail(TooLarge("", options_.max_wire_bytes));
  wire_bytes_ += bytes.size();
  return options_.encoding == ContentEncoding::kGzip ? Inflate(bytes) : Keep(bytes);
}

Status BodyDecoder::Inflate(std::string_view bytes) {
  inflate_state& state = *inflate_;
  state.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
  state.avail_in = static_cast<uint32_t>(bytes.size());
  TARN_CHECK(state.avail_in == bytes.size());
  bool more_output = header_read_;
  while (state.avail_in > 0 || more_output) {
    in_member_ = true;
    if (!header_read_) {
      TARN_RETURN_NOT_OK(CheckMagic());
      if (!ReadHeader()) return Fail(Status::InvalidArgument("the body is damaged gzip"));
      more_output = header_read_;
      continue;
    }
    state.next_out = reinterpret_cast<uint8_t*>(window_.get());
    state.avail_out = kWindowBytes;
    if (isal_inflate(&state) != ISAL_DECOMP_OK) return Fail(Status::InvalidArgument("the body is damaged gzip"));
    TARN_RETURN_NOT_OK(Keep({window_.get(), kWindowBytes - state.avail_out}));
    more_output = state.avail_out == 0;
    if (state.block_state == ISAL_BLOCK_FINISH) {
      first_member_ = false;
      BeginMember();
      more_output = false;
    }
  }
  return Status::Ok();
}

void BodyDecoder::BeginMember() {
  isal_inflate_reset(inflate_.get());
  // The header is read apart, because isal_inflate forgets its flags when a header comes in several pieces.
  inflate_->crc_flag = ISAL_GZIP_NO_HDR_VER;
  isal_gzip_header_init(header_.get());
  magic_seen_ = 0;
  in_member_ = false;
  header_read_ = false;
}

// Tells what is no gzip from gzip that is damaged.
Status BodyDecoder::CheckMagic() {
  constexpr std::array<uint8_t, 2> kMagic = {0x1f, 0x8b};
  for (uint32_t i = 0; magic_seen_ < kMagic.size() && i < inflate_->avail_in; ++i, ++magic_seen_) {
    if (inflate_->next_in[i] == kMagic[magic_seen_]) continue;
    return Fail(Status::InvalidArgument(first_member_ ? "the body is not gzip, though it is declared to be"
                                                      : "something that is not gzip follows the gzip body"));
  }
  return Status::Ok();
}

// Reads on in a member's header; false when it is wrong.
bool BodyDecoder::ReadHeader() {
  const int code = isal_read_gzip_header(inflate_.get(), header_.get());
  if (code != ISAL_DECOMP_OK) return code == ISAL_END_INPUT;
  header_read_ = true;
  // Flags that RFC 1952 reserves may announce fields that would be taken for data.
  return (header_->flags & kReservedFlags) == 0;
}

Status BodyDecoder::Grow(size_t bytes) {
  if (bytes <= body_.text.capacity()) return Status::Ok();
  const size_t wanted = std::min(options_.max_bytes, std::max({bytes, 2 * body_.text.capacity(), kMinCapacity}));
  if (options_.budget != nullptr && !body_.reservation.TryGrow(wanted - std::min(wanted, body_.reservation.bytes()))) {
    return Fail(Status::Unavailable("the memory for request bodies is in use; try again later"));
  }
  body_.text.reserve(wanted);
  return Status::Ok();
}

Status BodyDecoder::Keep(std::string_view decoded) {
  if (decoded.size() > options_.max_bytes - body_.text.size()) {
    return Fail(TooLarge(inflate_ == nullptr ? "" : " when inflated", options_.max_bytes));
  }
  TARN_RETURN_NOT_OK(Grow(body_.text.size() + decoded.size()));
  body_.text.append(decoded);
  return Status::Ok();
}

Result<Body> BodyDecoder::Finish() {
  if (!failure_.ok()) return failure_;
  if (inflate_ != nullptr && (in_member_ || wire_bytes_ == 0)) {
    return Fail(Status::InvalidArgument("the gzip body is cut short"));
  }
  Body body = std::move(body_);
  (void)Fail(Status::Internal("the body was taken already"));
  return body;
}

Result<Body> DecodeBody(std::string_view bytes, const BodyOptions& options) {
  // In pieces, because the decoder counts each in 32 bits.
  constexpr size_t kPieceBytes = 1 << 30;
  BodyDecoder decoder(options);
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    TARN_RETURN_NOT_OK(decoder.Append(bytes.substr(at, kPieceBytes)));
  }
  return decoder.Finish();
}

}  // namespace tarn::ingest
