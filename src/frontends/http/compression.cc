#include "frontends/http/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

namespace tarn::frontends {

namespace {

class GzipCompressor final : public BodyCompressor {
 public:
  GzipCompressor() {
    constexpr int kGzipWindow = 15 + 16;
    TARN_CHECK(deflateInit2(&stream_, /*level=*/3, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~GzipCompressor() override { deflateEnd(&stream_); }

  Status Compress(std::string_view in, bool last, ByteBuffer& out) override {
    do {
      const auto piece = static_cast<uInt>(std::min<size_t>(in.size(), std::numeric_limits<uInt>::max() / 2));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = piece;
      in.remove_prefix(piece);
      const int flush = !in.empty() ? Z_NO_FLUSH : last ? Z_FINISH : Z_SYNC_FLUSH;
      do {
        constexpr size_t kRoom = 32 << 10;
        char* room = out.Reserve(kRoom);
        stream_.next_out = reinterpret_cast<Bytef*>(room);
        stream_.avail_out = kRoom;
        const int code = deflate(&stream_, flush);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return Status::Internal("gzip failed");
        out.Commit(room + (kRoom - stream_.avail_out));
      } while (stream_.avail_out == 0);
    } while (!in.empty());
    return Status::Ok();
  }

 private:
  z_stream stream_{};
};

class ZstdCompressor final : public BodyCompressor {
 public:
  ZstdCompressor() : stream_(ZSTD_createCCtx()) {
    TARN_CHECK(stream_ != nullptr);
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_compressionLevel, 1);
    // Clients need not spend more than 1 MiB on decoding.
    ZSTD_CCtx_setParameter(stream_, ZSTD_c_windowLog, 20);
  }
  ~ZstdCompressor() override { ZSTD_freeCCtx(stream_); }

  Status Compress(std::string_view in, bool last, ByteBuffer& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    size_t left = 0;
    do {
      const size_t room_bytes = ZSTD_CStreamOutSize();
      char* room = out.Reserve(room_bytes);
      ZSTD_outBuffer output{room, room_bytes, 0};
      left = ZSTD_compressStream2(stream_, &output, &input, last ? ZSTD_e_end : ZSTD_e_flush);
      if (ZSTD_isError(left) != 0) return Status::Internal(std::string("zstd: ") + ZSTD_getErrorName(left));
      out.Commit(room + output.pos);
    } while (left > 0 || input.pos < input.size);
    return Status::Ok();
  }

 private:
  ZSTD_CCtx* stream_;
};

}  // namespace

std::unique_ptr<BodyCompressor> BodyCompressor::Make(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return std::make_unique<GzipCompressor>();
    case ContentCoding::kZstd:
      return std::make_unique<ZstdCompressor>();
    case ContentCoding::kIdentity:
      return nullptr;
  }
  return nullptr;
}

std::string_view CodingName(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kZstd:
      return "zstd";
    case ContentCoding::kIdentity:
      return "identity";
  }
  return "identity";
}

}  // namespace tarn::frontends
