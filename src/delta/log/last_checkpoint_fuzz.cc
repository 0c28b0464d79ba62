// The `_last_checkpoint` hint and names of log files: any bytes give a value or nothing.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/table_path.h"
#include "storage/stores.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)tarn::delta::ParseLastCheckpoint(text);
  (void)tarn::delta::ParseLogName(text);
  static const auto kStore = tarn::storage::OpenLocalStore("/lake/table");
  (void)tarn::delta::KeyOfPath(text, **kStore).ok();
  return 0;
}
