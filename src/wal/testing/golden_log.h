#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/segment_store.h"

namespace tarn::wal::testing {

/// Writes the log that tests/fixtures/wal holds: two segments, two schemas, keys, an append of several records, empty
/// and larger payloads, and a released beginning. Always the same bytes.
Status WriteGoldenLog(std::shared_ptr<storage::SegmentStore> segments);

/// What that log replays, as Replayed keeps it.
std::vector<std::string> GoldenRecords();

}  // namespace tarn::wal::testing
