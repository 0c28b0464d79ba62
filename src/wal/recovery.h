#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/segment_store.h"
#include "wal/identity.h"
#include "wal/wal.h"

namespace tarn::wal::internal {

/// A segment that is written no more.
struct SealedSegment {
  std::string name;
  Position last = 0;
  int64_t bytes = 0;
};

/// What a log holds.
struct RecoveredLog {
  std::vector<SealedSegment> segments;
  /// Segments without a record that is still held: released ones, and such as a crash left unfinished.
  std::vector<std::string> removable;
  /// The last position, of records or of what was released.
  Position end = 0;
  uint32_t max_schema_id = 0;
};

enum class Access {
  /// Nobody else writes.
  kExclusive,
  /// An owner may append to, begin and remove segments meanwhile.
  kShared,
};

using ReplayVisitor = std::function<Status(const ReplayedRecord&)>;

/// Reads all segments in order, one piece at a time, and visits every complete Append's records. Changes nothing.
///
/// Every position from the first segment's on must be there: a segment that is not the last must reach the first
/// position of the next. Behind the last valid record of the last segment, bytes are taken for the remains of a crash
/// unless a later record proves that they had been synced; what an unfinished Append left there is not visited.
Result<RecoveredLog> Recover(storage::SegmentStore& segments, const Identity& identity, Access access,
                             const ReplayVisitor& visit);

}  // namespace tarn::wal::internal
