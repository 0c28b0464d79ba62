#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ingest/line_protocol.h"
#include "ingest/testing/points.h"

namespace tarn::ingest::testing {

struct ReferenceResult {
  std::vector<Point> points;
  /// Numbers of the lines that are not kept.
  std::vector<int64_t> bad_lines;
};

/// A slow parser written from docs/formats/line_protocol.md alone, to compare the fast one with: it cuts the body into
/// lines first, then reads each byte by byte into strings and maps. Knows no limits on size and ignores `schema_of`.
ReferenceResult ParseByReference(const std::string& body, const LineProtocolOptions& options);

}  // namespace tarn::ingest::testing
