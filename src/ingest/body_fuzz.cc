// Any bytes as a gzip body, in any pieces: never a crash or a limit passed, and what zlib says comes out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "ingest/body.h"
#include "ingest/testing/gzip.h"

namespace {

using namespace tarn;          // NOLINT(google-build-using-namespace)
using namespace tarn::ingest;  // NOLINT(google-build-using-namespace)

constexpr size_t kMaxBytes = 1 << 20;

Result<Body> Decode(std::string_view bytes, size_t piece) {
  BodyOptions options;
  options.encoding = ContentEncoding::kGzip;
  options.max_bytes = kMaxBytes;
  BodyDecoder decoder(options);
  for (size_t at = 0; at < bytes.size(); at += piece) {
    TARN_RETURN_NOT_OK(decoder.Append(bytes.substr(at, piece)));
  }
  return decoder.Finish();
}

void CheckAgainstZlib(std::string_view bytes, size_t piece) {
  const Result<Body> ours = Decode(bytes, piece);
  const std::optional<std::string> theirs = testing::Gunzip(bytes, kMaxBytes);
  TARN_CHECK(ours.ok() == theirs.has_value());
  if (!ours.ok()) return;
  TARN_CHECK(ours->text == *theirs);
  TARN_CHECK(ours->text.size() <= kMaxBytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = size_t{data[0]} + 1;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckAgainstZlib(input, piece);
  // The input as text, compressed and then damaged in one place, goes deeper than bytes made up.
  std::string bytes = testing::Gzip(input, data[0] % 10);
  CheckAgainstZlib(bytes, piece);
  bytes[data[1] * size_t{257} % bytes.size()] ^= static_cast<char>(data[0]);
  CheckAgainstZlib(bytes, piece);
  return 0;
}
