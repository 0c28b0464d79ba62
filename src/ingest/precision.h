#pragma once

#include <string_view>

#include "base/status.h"
#include "ingest/line_protocol.h"

namespace tarn::ingest {

/// The three write endpoints: `/write`, `/api/v2/write`, `/api/v3/write_lp`.
enum class WriteApi : uint8_t { kV1, kV2, kV3 };

/// Reads the value of the `precision` query parameter; empty means the API's default (nanoseconds, in v3 auto).
/// InvalidArgument lists what is understood.
Result<Precision> ParsePrecision(std::string_view text, WriteApi api);

}  // namespace tarn::ingest
