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
  /// Of a compacted file the first that it covers.
  int64_t version = 0;
  int64_t size_bytes = 0;
  int64_t modified_millis = 0;
  /// The last version that a compacted file covers; -1 for other files.
  int64_t compacted_to = -1;
  /// As the listing has it.
  std::string etag;

  bool is_compacted() const { return compacted_to >= 0; }
};

/// A complete checkpoint: one classic file, all parts of one set in order, or the one file of a v2 checkpoint. A v2
/// checkpoint, which may also bear a classic name, can hold its files in sidecars.
struct CheckpointFiles {
  int64_t version = 0;
  std::vector<LogFile> parts;

  /// Tells it from others of the same version.
  const std::string& key() const { return parts.front().key; }
};

/// The files from which one version of a table is rebuilt: the newest usable checkpoint and every commit behind it.
struct LogSegment {
  int64_t version = 0;
  std::optional<CheckpointFiles> checkpoint;
  /// Ascending, all newer than the checkpoint, without a gap. Compacted files stand for the commits that they cover;
  /// the segment's own version is there as a commit as well, for what a compacted file does not keep.
  std::vector<LogFile> commits;
  /// Of the version itself, where it has one.
  std::optional<LogFile> checksum;
  /// Modification time of the version's own commit; of the checkpoint where that commit is gone.
  int64_t modified_millis = 0;
};

struct SegmentOptions {
  /// nullopt for the newest version.
  std::optional<int64_t> version;
  /// Begin at the `_last_checkpoint` hint instead of the log's start.
  bool use_hint = true;
  /// Keys of checkpoints and compacted files that cannot be read; others are taken instead.
  std::set<std::string> broken;
};

/// Lists the log. NotFound without a log, or when it does not reach the version or was cleaned of it; Corruption names
/// the first missing version.
Result<LogSegment> ListSegment(storage::ObjectStore& store, const SegmentOptions& options);

/// All commits that the log still holds, ascending.
Result<std::vector<LogFile>> ListCommits(storage::ObjectStore& store, int64_t from_version = 0,
                                         int64_t to_version = std::numeric_limits<int64_t>::max());

/// All complete checkpoints that the log holds, ascending.
Result<std::vector<CheckpointFiles>> ListCheckpoints(storage::ObjectStore& store);

/// Modification times as time travel takes them: each later than the one before (PROTOCOL.md asks for monotone ones,
/// and stores keep them only to the second). A time that is not known (0) stays so.
void MakeMonotone(std::vector<LogFile>& commits);

}  // namespace tarn::delta
