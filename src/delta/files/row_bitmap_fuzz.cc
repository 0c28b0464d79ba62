// Any bytes give a bitmap that answers as its own serialization does, or Corruption.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "delta/files/row_bitmap.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tarn::delta::RowBitmap;
  const auto bitmap = RowBitmap::Parse(std::string_view(reinterpret_cast<const char*>(data), size), 3);
  if (!bitmap.ok()) {
    TARN_CHECK(bitmap.status().Is(tarn::StatusCode::kCorruption));
    return 0;
  }
  const auto again = RowBitmap::Parse(bitmap->Serialize());
  TARN_CHECK(again.ok() && again->count() == bitmap->count());
  // A long bitmap is compared in part.
  std::vector<int64_t> rows;
  std::vector<int64_t> same;
  bitmap->AppendRange(0, 1 << 20, rows);
  again->AppendRange(0, 1 << 20, same);
  TARN_CHECK(rows == same && static_cast<int64_t>(rows.size()) <= bitmap->count());
  return 0;
}
