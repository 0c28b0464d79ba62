// The configuration's YAML, and what values look like.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // yaml-cpp's own cost grows fast with depth; files of a few kilobytes are what people write.
  if (size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tarn::server::Config config;
  const tarn::Status status = tarn::server::ApplyYaml(text, "fuzz.yaml", config);
  if (status.ok()) {
    TARN_CHECK(config.flush_max_age_micros > 0 && config.flush_max_rows > 0 && config.flush_max_bytes > 0);
    TARN_CHECK(tarn::server::ParseAddress(config.addr_http).ok());
  } else {
    TARN_CHECK(status.message().starts_with("fuzz.yaml:"));
  }
  for (const auto& parsed : {tarn::server::ParseDuration(text), tarn::server::ParseSize(text)}) {
    TARN_CHECK(!parsed.ok() || *parsed >= 0);
  }
  return 0;
}
