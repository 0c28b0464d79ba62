#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "columnar/delta_schema.h"

/// A schema that is read is written back to one that reads as the same, unless its names differ only in case.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto schema = tarn::columnar::SchemaFromDeltaJson(json);
  if (!schema.ok()) return 0;
  const auto written = tarn::columnar::SchemaToDeltaJson(**schema);
  if (!written.ok()) {
    TARN_CHECK(written.status().Is(tarn::StatusCode::kInvalidArgument));
    return 0;
  }
  const auto again = tarn::columnar::SchemaFromDeltaJson(*written);
  TARN_CHECK(again.ok());
  TARN_CHECK((*again)->Equals(**schema, /*check_metadata=*/true));
  TARN_CHECK(*tarn::columnar::SchemaToDeltaJson(**again) == *written);
  return 0;
}
