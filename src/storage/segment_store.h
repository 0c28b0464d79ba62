#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace tarn::storage {

/// One append-only segment being written. Thread-compatible.
///
/// After Append without Sync a crash may keep all, some or none of the bytes, torn at any place. A failed Append or
/// Sync is fatal to the segment: every later call returns the same error, and what was not synced before must be taken
/// as lost. Destroying a writer gives back what was preallocated and not used.
class SegmentWriter {
 public:
  virtual ~SegmentWriter() = default;
  virtual Status Append(ByteSpan bytes) = 0;
  /// Appends the pieces one after the other, as one call would.
  virtual Status AppendPieces(std::span<const ByteSpan> pieces);
  /// Makes all appended bytes durable, the segment's name included. Unavailable when the segment was removed: OK means
  /// that a later List shows it.
  virtual Status Sync() = 0;
  /// Bytes appended so far.
  virtual int64_t size_bytes() const = 0;
};

struct SegmentInfo {
  std::string name;
  int64_t size_bytes = 0;
};

/// A local folder of append-only segments and small whole files; the storage below the write-ahead log. Names are one
/// path part. Thread-safe, except that one segment has one writer.
class SegmentStore {
 public:
  virtual ~SegmentStore() = default;
  /// Creates an empty segment and reserves room for it; AlreadyExists, ResourceExhausted for a full disk. Preallocated
  /// bytes that were never appended read as zeros or not at all.
  virtual Result<std::unique_ptr<SegmentWriter>> Create(std::string_view name, int64_t preallocate_bytes) = 0;
  /// The whole content, trailing zeros of preallocation included.
  virtual Result<std::string> Read(std::string_view name) = 0;
  /// A part of the content; shorter only at its end.
  virtual Result<std::string> ReadRange(std::string_view name, int64_t offset, int64_t length) = 0;
  /// Makes durable what an earlier writer, perhaps of a process that died, appended to a segment.
  virtual Status Sync(std::string_view name) = 0;
  /// All segments and whole files, by name; locks and temporary files of the store itself are not shown.
  virtual Result<std::vector<SegmentInfo>> List() = 0;
  /// Durable on return; removing what does not exist is OK.
  virtual Status Remove(std::string_view name) = 0;
  /// Writes a small file whole, durably, replacing an older one atomically.
  virtual Status WriteFile(std::string_view name, ByteSpan bytes) = 0;
};

/// Exclusive ownership of a folder among processes, released when destroyed or when the process ends.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

/// Takes the lock of a local folder (flock on "<folder>/LOCK", the folder is created when missing); Conflict when
/// another live process holds it.
Result<std::unique_ptr<FolderLock>> LockFolder(const std::string& folder);
/// For whoever only reads: keeps owners away, other readers not, and creates nothing. NotFound when the folder never
/// had an owner, Conflict while it has one.
Result<std::unique_ptr<FolderLock>> LockFolderForReading(const std::string& folder);

}  // namespace tarn::storage
