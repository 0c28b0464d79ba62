#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "storage/segment_store.h"
#include "wal/wal.h"

namespace tarn::lake {

/// One WAL whose rows are in this lake's buffers: our own, or one adopted from a dead owner. Knows which positions are
/// visible and which are still needed. Thread-safe.
///
/// Appends finish in any order, so positions become visible in any order too. A flush may only take a set that is
/// closed downwards, because a table's `txn` version says "everything up to here": `visible_prefix` is the last
/// position below which nothing is missing.
class RowLog {
 public:
  RowLog(std::string node, std::unique_ptr<storage::FolderLock> lock, std::shared_ptr<storage::SegmentStore> segments)
      : node_(std::move(node)), segments_(std::move(segments)), lock_(std::move(lock)) {}

  /// Opens the WAL in the folder and visits what it holds. Before anything else is called.
  Status Open(const wal::WalOptions& options, Clock& clock, Random& random,
              const std::function<Status(const wal::ReplayedRecord&)>& replay);
  /// Visits a WAL that is only read.
  Status Read(const std::function<Status(const wal::ReplayedRecord&)>& replay);

  /// `txn.appId` of its flushes.
  std::string app_id() const { return "tarn/" + uuid_; }
  const std::string& uuid() const { return uuid_; }
  const std::string& node() const { return node_; }

  struct Range {
    wal::Position first = 0;
    wal::Position last = 0;
  };
  /// Appends and marks the positions as needed. Complete must follow once their rows are visible.
  Result<Range> Append(std::vector<wal::NewRecord> records) EXCLUDES(mutex_);
  void Complete(Range range) EXCLUDES(mutex_);

  /// Null once the log was ended; an Append will say so.
  std::shared_ptr<const wal::SchemaEntry> DefineSchema(std::string bytes) EXCLUDES(mutex_);

  /// Instead of Complete, when the rows are lost to this process: the log takes no more.
  void Abort(Range range) EXCLUDES(mutex_);
  /// Waits until every position given out so far is visible, or the log is broken.
  void AwaitVisible() EXCLUDES(mutex_);

  /// Replay: the record at `position` is now in a buffer, or did not need to be.
  void Replayed(wal::Position position, bool needed) EXCLUDES(mutex_);

  /// Rows at these positions are in committed files.
  void Covered(const std::vector<wal::Position>& positions) EXCLUDES(mutex_);
  /// Removes what nobody needs from storage.
  Status ReleaseCovered() EXCLUDES(mutex_);
  /// The same before the log is closed: when nobody needs anything, the next opening has nothing to replay.
  Status ReleaseAtEnd() EXCLUDES(mutex_);

  /// Whether the record's rows are in no committed version and not set aside yet.
  bool IsNeeded(wal::Position position) const EXCLUDES(mutex_) {
    MutexLock guard(mutex_);
    return needed_.contains(position);
  }
  wal::Position visible_prefix() const EXCLUDES(mutex_);
  /// The last position that may have been given to a record.
  wal::Position end() const;
  /// True once the WAL refused to go on; it must be replaced.
  bool broken() const EXCLUDES(mutex_);
  wal::WalStats stats() const;

  /// Gives the folder up after Read.
  void Unlock() EXCLUDES(folder_mutex_) {
    MutexLock guard(folder_mutex_);
    lock_.reset();
  }
  /// Ends the log for good if it is idle: its uuid is never used again, and its folder is free. False when it is not,
  /// or when storage fails; true also where another thread has ended it.
  bool TryAbandon(Random& random) EXCLUDES(folder_mutex_, mutex_);

 private:
  const std::string node_;
  const std::shared_ptr<storage::SegmentStore> segments_;
  std::string uuid_;
  std::shared_ptr<wal::Wal> wal() const EXCLUDES(mutex_) {
    MutexLock guard(mutex_);
    return wal_;
  }

  /// Everything up to here is in committed files.
  wal::Position CoveredUntil() const REQUIRES(mutex_) {
    return needed_.empty() ? prefix_ : std::min(prefix_, *needed_.begin() - 1);
  }

  /// One gives the folder up, since it may have another owner from then on. Taken before mutex_.
  Mutex folder_mutex_;
  bool abandoned_ GUARDED_BY(folder_mutex_) = false;
  mutable Mutex mutex_;
  CondVar advanced_;
  wal::Position prefix_ GUARDED_BY(mutex_) = 0;
  wal::Position released_ GUARDED_BY(mutex_) = 0;
  /// Visible ranges beyond the prefix, first to last.
  std::map<wal::Position, wal::Position> beyond_ GUARDED_BY(mutex_);
  std::set<wal::Position> needed_ GUARDED_BY(mutex_);
  int appending_ GUARDED_BY(mutex_) = 0;
  bool broken_ GUARDED_BY(mutex_) = false;
  // Last, so that the WAL is closed before its folder is given up.
  std::unique_ptr<storage::FolderLock> lock_ GUARDED_BY(folder_mutex_);
  /// Null before Open, after Read and once abandoned.
  std::shared_ptr<wal::Wal> wal_ GUARDED_BY(mutex_);
};

}  // namespace tarn::lake
