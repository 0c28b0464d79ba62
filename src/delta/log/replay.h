#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/log/log_segment.h"
#include "delta/table_state.h"
#include "storage/object_store.h"

namespace tarn::delta {

struct ReplayOptions {
  /// Threads that read and parse, the caller's included.
  int max_threads = 4;
  /// A larger commit is split into parts of this many bytes, each read and parsed on its own.
  int64_t window_bytes = 2 << 20;
  /// Statistics of commits larger than this are read again when needed instead of being held.
  int64_t held_stats_commit_bytes = 8 << 20;
};

/// Rebuilds the state of a segment's version. Corruption names the file and place of what cannot be read;
/// `*broken_key` is the key of the checkpoint or compacted file that failed, or that the rest does not fit, which
/// others can stand in for, or empty.
Result<TableState> ReplaySegment(const std::shared_ptr<storage::ObjectStore>& store, const LogSegment& segment,
                                 const ReplayOptions& options, std::string* broken_key);

class ParsedActions;

/// Takes the newest protocol, metaData, txn and domainMetadata of `units`, which are in the order of the log.
/// Corruption when one version has two of a kind.
Status TakeSmallActions(const std::vector<const ParsedActions*>& units, TableState& state);

/// The state after one more commit, whose text is given; costs O(its actions).
Result<TableState> ApplyCommit(const TableState& base, const std::shared_ptr<storage::ObjectStore>& store,
                               std::string_view text, int64_t version, int64_t modified_millis,
                               const ReplayOptions& options);

}  // namespace tarn::delta
