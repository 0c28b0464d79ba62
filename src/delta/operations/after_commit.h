#pragma once

#include <cstdint>

#include "delta/snapshot.h"
#include "delta/table.h"

namespace tarn::delta {

/// Versions from one checkpoint to the next where the table does not say.
inline constexpr int64_t kDefaultCheckpointInterval = 100;

/// Whether a checkpoint's turn came between version `before`, -1 for a table that is new, and the snapshot's: each
/// version that `delta.checkpointInterval` divides has one, or `otherwise` where the table has no such property.
bool CheckpointIsDue(const Snapshot& snapshot, int64_t before, int64_t otherwise = kDefaultCheckpointInterval);

/// What a writer leaves behind its commits since version `before` for those who read: the checksum of the snapshot's
/// version, and a checkpoint where one is due. No commit depends on either, so that what cannot be written is logged.
void WriteAfterCommit(const TableContext& table, const Snapshot& snapshot, int64_t before);

}  // namespace tarn::delta
