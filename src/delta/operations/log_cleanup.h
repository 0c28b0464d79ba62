#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "delta/table.h"

namespace tarn::delta {

struct LogCleanupOptions {
  /// Deletes nothing.
  bool dry_run = false;
  /// Called with the key of each file that goes.
  std::function<void(const std::string&)> explain;
};

struct LogCleanupResult {
  /// The version of the checkpoint that the log begins with now; nullopt when nothing may go.
  std::optional<int64_t> first_version;
  /// Why nothing may go; empty otherwise.
  std::string why_not;
  /// Deleted, or to be deleted in a dry run.
  int64_t files = 0;
  int64_t bytes = 0;
};

/// Log files up to this time may go: midnight UTC less the table's `delta.logRetentionDuration`, so that the answer
/// changes once a day. InvalidArgument when the property cannot be read.
Result<int64_t> LogCleanupCutoffMillis(const Metadata& metadata, Clock& clock);

/// Deletes what the log no longer needs (PROTOCOL.md, "Metadata Cleanup"): everything older than the newest checkpoint
/// that is complete, can be read, and is not newer than the newest commit before the cutoff. Without one nothing goes.
/// Commits, checksums and checkpoints before it go, and compacted files that begin at or before it; its own commit
/// stays. Of sidecars go those that no checkpoint names which stays, once they are a day old. Versions before it cannot
/// be read afterwards.
///
/// The oldest go first, so that what is left hangs together wherever it ends; it may be repeated after any failure.
/// Does nothing where `delta.enableExpiredLogCleanup` is false. Unsupported names a feature that this program does not
/// know.
Result<LogCleanupResult> CleanUpLog(const TableContext& table, const Snapshot& newest,
                                    const LogCleanupOptions& options = {});

}  // namespace tarn::delta
