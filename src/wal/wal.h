#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "storage/segment_store.h"

namespace tarn::wal {

/// Records are numbered 1, 2, 3, … for the life of one log; 0 means "before the first".
using Position = uint64_t;

/// Of one record.
inline constexpr int64_t kMaxPayloadBytes = 64 << 20;

/// A schema that row records refer to. The log treats it as opaque bytes and repeats it at the head of each segment
/// that needs it, so that every segment can be read alone and older ones can be removed.
struct SchemaEntry {
  uint32_t id = 0;
  std::string bytes;
};

/// What kinds of records the log carries; the numbers are part of format 1 (docs/formats/wal.md).
enum class RecordKind : uint8_t { kSchema = 1, kRows = 2 };

/// A rows record to be appended.
struct NewRecord {
  std::shared_ptr<const SchemaEntry> schema;
  /// Empty, or the client's key under which a retry is recognised.
  std::string idempotency_key;
  /// Pieces are written one after the other, so that Arrow buffers need not be copied together first. They must live
  /// until Append returns.
  std::vector<ByteSpan> payload;
};

/// A rows record found on recovery; the views live only during the call.
struct ReplayedRecord {
  Position position = 0;
  const SchemaEntry& schema;
  std::string_view idempotency_key;
  ByteSpan payload;
};

struct WalOptions {
  int64_t segment_bytes = 64 << 20;
  /// Records that wait for one sync together; more make Append wait its turn.
  int64_t max_group_bytes = 16 << 20;
  /// Everything the log may occupy; ResourceExhausted beyond it, before anything is written.
  int64_t max_total_bytes = int64_t{16} << 30;
};

struct WalStats {
  int64_t segments = 0;
  int64_t bytes = 0;
  int64_t records_appended = 0;
  int64_t bytes_appended = 0;
  int64_t syncs = 0;
  int64_t sync_micros_total = 0;
};

/// A write-ahead log: records are durable, in order and numbered, before Append returns. Knows no tables. Thread-safe.
///
/// Recovery tolerates a torn tail (the bytes behind the last valid record of the last segment, never acknowledged) and
/// reports anything else that does not check as Corruption naming segment and offset. A failed write or sync stops the
/// log: this and every later Append returns Unavailable, and the caller must open it anew.
class Wal {
 public:
  virtual ~Wal() = default;

  /// Opens the log in `segments`, creating it with a fresh uuid when there is none, and visits every record still held,
  /// in order. A status from the visitor ends opening with that status. The caller holds the folder's lock
  /// (storage::LockFolder); `clock` and `random` must outlive the log.
  static Result<std::unique_ptr<Wal>> Open(std::shared_ptr<storage::SegmentStore> segments, const WalOptions& options,
                                           Clock& clock, Random& random,
                                           const std::function<Status(const ReplayedRecord&)>& replay);

  /// Reads a log that another process may own, without changing anything: what is durable at some moment during the
  /// call. NotFound when there is no log. `uuid` receives the log's identity.
  static Status ReadOnly(storage::SegmentStore& segments, std::string* uuid,
                         const std::function<Status(const ReplayedRecord&)>& replay);

  /// Appends records with consecutive positions and returns the last one once all are durable. Concurrent calls share a
  /// sync. After a crash the records of one call are replayed all or not at all. InvalidArgument for no records, a
  /// payload over kMaxPayloadBytes or a key over 65535 bytes; ResourceExhausted for a full disk or log, after which a
  /// later call may succeed; neither has written anything.
  virtual Result<Position> Append(std::vector<NewRecord> records) = 0;

  /// Declares that no record up to `position` is needed any more; whole segments are removed.
  virtual Status Release(Position position) = 0;

  /// Release by an owner that will hardly append again. When nothing is needed any more, the segment being written goes
  /// as well, however small, so that the next opening has nothing to replay. Later appends work, in a new segment.
  virtual Status ReleaseAtEnd(Position position) = 0;

  /// A schema entry with the next free id of this log.
  virtual std::shared_ptr<const SchemaEntry> DefineSchema(std::string bytes) = 0;

  virtual const std::string& uuid() const = 0;
  /// The position of the last durable record.
  virtual Position end() const = 0;
  virtual WalStats stats() const = 0;
};

/// Abandons a log whose identity must not be used again (it was rolled back): removes all segments and begins a new
/// uuid.
Status Reset(storage::SegmentStore& segments, Random& random);

/// Whether a folder holds no segment: nothing was ever logged there, or Reset ended the log.
Result<bool> IsEmpty(storage::SegmentStore& segments);

}  // namespace tarn::wal
