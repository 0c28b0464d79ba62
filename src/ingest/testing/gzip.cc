#include "ingest/testing/gzip.h"

#include <zlib.h>

#include <array>

#include "base/check.h"

namespace tarn::ingest::testing {
namespace {

// 16 asks zlib for gzip's header and trailer.
constexpr int kGzipWindowBits = MAX_WBITS + 16;

Bytef* Bytes(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

}  // namespace

std::string Gzip(std::string_view text, int level) {
  z_stream stream = {};
  TARN_CHECK(deflateInit2(&stream, level, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = Bytes(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = Bytes(out);
  stream.avail_out = static_cast<uInt>(out.size());
  TARN_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  TARN_CHECK(deflateEnd(&stream) == Z_OK);
  return out;
}

std::optional<std::string> Gunzip(std::string_view bytes, size_t max_bytes) {
  std::optional<std::string> out;
  if (bytes.empty()) return out;
  out.emplace();
  std::array<char, 4096> window;
  while (!bytes.empty() && out.has_value()) {
    z_stream stream = {};
    TARN_CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK);
    stream.next_in = Bytes(bytes);
    stream.avail_in = static_cast<uInt>(bytes.size());
    int code = Z_OK;
    while (code == Z_OK) {
      stream.next_out = Bytes({window.data(), window.size()});
      stream.avail_out = window.size();
      code = inflate(&stream, Z_NO_FLUSH);
      out->append(window.data(), window.size() - stream.avail_out);
      if (out->size() > max_bytes) code = Z_BUF_ERROR;
    }
    bytes.remove_prefix(bytes.size() - stream.avail_in);
    inflateEnd(&stream);
    if (code != Z_STREAM_END) out.reset();
  }
  return out;
}

}  // namespace tarn::ingest::testing
