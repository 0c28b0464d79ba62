#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "storage/segment_store.h"
#include "wal/format.h"
#include "wal/wal.h"

namespace tarn::wal::internal {

/// Bytes of one segment, read in pieces of bounded size.
class SegmentBytes {
 public:
  SegmentBytes(storage::SegmentStore& segments, std::string name) : segments_(segments), name_(std::move(name)) {}
  /// `length` bytes at `offset`, or as many as there are; valid until the next call.
  Result<ByteSpan> View(int64_t offset, int64_t length);
  /// Reads anew from now on: the owner of a live log may have written since.
  void Forget();
  const std::string& name() const { return name_; }

 private:
  storage::SegmentStore& segments_;
  const std::string name_;
  std::string buffer_;
  int64_t buffer_offset_ = 0;
};

/// A rows record in place; views live until the reader moves on.
struct RowsRecord {
  RecordHeader header;
  ByteSpan payload;
  std::string_view key;
};

/// Reads one segment from its header on. Thread-compatible.
class SegmentReader {
 public:
  SegmentReader(storage::SegmentStore& segments, std::string name) : bytes_(segments, std::move(name)) {}

  enum class HeaderState {
    kValid,
    /// The segment was being created when its writer died: nothing was ever written behind the header.
    kUnfinished,
  };
  /// Checks the header against the segment's name and the log's identity. NotFound when the segment is gone,
  /// Corruption when the header is broken and records may follow, Unsupported for a newer format.
  Result<HeaderState> ReadHeader(const std::string& uuid);

  enum class Step {
    kRecord,
    /// No valid record follows: zeros, the end of the file, or a record that does not check.
    kEnd,
  };
  /// Moves to the next rows record. Corruption for a record that checks but cannot stand here.
  Result<Step> Next();
  /// Goes back to the first record.
  void Rewind();
  void Forget() { bytes_.Forget(); }

  const RowsRecord& record() const { return record_; }
  /// The schema of the current record.
  const SchemaEntry& schema() const { return *schema_; }
  /// The position that the next record must have, and where it must begin.
  Position expected() const { return expected_; }
  int64_t offset() const { return offset_; }
  uint32_t max_schema_id() const { return max_schema_id_; }

  /// True when a valid record behind offset() proves that the bytes there had been synced, so that they are damaged
  /// and not the torn remains of a crash.
  Result<bool> DamageIsProven();

  /// Corruption that names the segment and offset().
  Status Broken(std::string_view what) const;

 private:
  /// Reads and checks the record at offset(); nothing when it does not check.
  Result<bool> ReadRecord();
  Result<bool> AllZeroFrom(int64_t offset);
  Status CheckSequence() const;

  SegmentBytes bytes_;
  SegmentHeader header_;
  int64_t offset_ = 0;
  Position expected_ = 0;
  /// Rows records of the current group so far.
  uint32_t group_index_ = 0;
  RowsRecord record_;
  const SchemaEntry* schema_ = nullptr;
  std::map<uint32_t, SchemaEntry> schemas_;
  uint32_t max_schema_id_ = 0;
};

}  // namespace tarn::wal::internal
