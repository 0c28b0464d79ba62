#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "storage/posix_file.h"

namespace tarn::storage::internal {

struct BlockFolderStats {
  int64_t stored = 0;
  int64_t stored_bytes = 0;
  /// Of a full disk, say. The block is fetched again when it is wanted again.
  int64_t store_failures = 0;
  int64_t evicted_bytes = 0;
  /// Files that were torn, or are of something else, and were removed.
  int64_t damaged = 0;
  /// As of the last look at the folder, and what was stored since.
  int64_t held_bytes = 0;
};

/// Named blocks in files of one folder that only its owner may enter, bounded in bytes: the blocks used longest ago go
/// first. Several processes may share it; each may exceed the bound by a sixteenth between two looks at what is there.
/// A block is served only when its file holds the whole name and has the checksum of name and content, so that files
/// may be torn, exchanged or removed at any time. Nothing is read, written or removed behind a symbolic link in the
/// folder. Nothing is synced. Thread-safe.
///
/// File: "TARNBLK1", u32 CRC-32C of all that follows, u32 length of the name, u64 length of the content, both.
class BlockFolder {
 public:
  /// Creates the folder. PermissionDenied where another user owns it or others may enter it.
  static Result<std::unique_ptr<BlockFolder>> Open(const std::string& path, int64_t max_bytes, Clock& clock);

  /// The content of exactly `size` bytes that was stored under the name; nullopt when it is not there.
  std::optional<std::string> Load(std::string_view name, size_t size);
  /// Failures are counted, not told: the folder only saves work.
  void Store(std::string_view name, std::string_view content) EXCLUDES(mutex_);

  BlockFolderStats stats() const;

 private:
  BlockFolder(std::string path, Fd folder, int64_t max_bytes, Clock& clock)
      : path_(std::move(path)), folder_(std::move(folder)), max_bytes_(max_bytes), clock_(clock) {}

  /// One of the 256 that the blocks are spread over.
  Result<Fd> OpenPart(const std::string& part) const;
  Status StoreFile(std::string_view name, std::string_view content);
  /// Looks at all files and removes the oldest while there are too many bytes.
  void Sweep() REQUIRES(mutex_);

  const std::string path_;
  const Fd folder_;
  const int64_t max_bytes_;
  Clock& clock_;
  /// Held while the folder is swept; other threads go on without.
  Mutex mutex_;
  std::atomic<int64_t> held_bytes_ = 0;
  std::atomic<int64_t> stored_since_sweep_ = 0;
  std::atomic<int64_t> stored_ = 0;
  std::atomic<int64_t> stored_bytes_ = 0;
  std::atomic<int64_t> store_failures_ = 0;
  std::atomic<int64_t> evicted_bytes_ = 0;
  std::atomic<int64_t> damaged_ = 0;
};

}  // namespace tarn::storage::internal
