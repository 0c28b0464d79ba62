#include <arrow/record_batch.h>

#include <algorithm>
#include <string_view>

#include "lake/wal_rows.h"

// The first two bytes say how long the schema entry is; the rest is a payload for it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t split = std::min<size_t>(input.size(), data[0] | static_cast<size_t>(data[1]) << 8);
  const auto schema = tarn::lake::DecodeRowsSchema(input.substr(0, split));
  if (!schema.ok()) return 0;
  const auto rows = tarn::lake::DecodeRows(schema->schema, tarn::AsBytes(input.substr(split)));
  if (rows.ok() && !(*rows)->ValidateFull().ok()) __builtin_trap();
  return 0;
}
