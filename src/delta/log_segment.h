#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::delta {

struct LogFile {
  std::string key;
  int64_t version = 0;
  int64_t size_bytes = 0;
  int64_t modified_millis = 0;
};

/// A complete classic checkpoint: one file or all parts of one set, in order.
struct CheckpointFiles {
  int64_t version = 0;
  std::vector<LogFile> parts;
};

/// The files from which one version of a table is rebuilt: the newest usable checkpoint and every commit behind it.
struct LogSegment {
  int64_t version = 0;
  std::optional<CheckpointFiles> checkpoint;
  /// Contiguous, ascending, all newer than the checkpoint.
  std::vector<LogFile> commits;
  /// Modification time of the version's own commit; of the checkpoint where that commit is gone.
  int64_t modified_millis = 0;
};

struct SegmentOptions {
  /// nullopt for the newest version.
  std::optional<int64_t> version;
  /// Begin at the `_last_checkpoint` hint instead of the log's start.
  bool use_hint = true;
  /// Checkpoints found to be broken; older ones are taken instead.
  std::set<int64_t> broken_checkpoints;
};

/// Lists the log. NotFound without a log, or when it does not reach the version or was cleaned of it; Corruption names
/// the first missing version; Unsupported names v2Checkpoint when only a checkpoint of that kind would make the log
/// complete.
Result<LogSegment> ListSegment(storage::ObjectStore& store, const SegmentOptions& options);

/// All commits that the log still holds, ascending.
Result<std::vector<LogFile>> ListCommits(storage::ObjectStore& store, int64_t from_version = 0,
                                         int64_t to_version = std::numeric_limits<int64_t>::max());

}  // namespace tarn::delta
