#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wal/wal.h"

/// Format 1 of the log as bytes; docs/formats/wal.md is its specification. All integers are little-endian.
///
///   segment := segment_header record*             then zeros or nothing
///   segment_header (64 bytes) :=
///     magic[8] version:u32 salt:u32 first_position:u64 uuid[36] crc:u32       crc over what precedes it
///   record (a multiple of 8 bytes) := record_header payload key zeros
///   record_header (32 bytes) :=
///     header_crc:u32 body_crc:u32 position:u64 payload_bytes:u32 schema_id:u32
///     key_bytes:u16 kind:u8 flags:u8 group_index:u32
///
/// header_crc covers the 28 bytes behind it, body_crc all behind the header; both are seeded with the salt, so that
/// bytes that came from elsewhere, a client's payload among them, never pass for a record.
namespace tarn::wal::internal {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr int64_t kSegmentHeaderBytes = 64;
inline constexpr int64_t kRecordHeaderBytes = 32;
inline constexpr int64_t kAlignment = 8;
inline constexpr size_t kMaxKeyBytes = 0xffff;
inline constexpr size_t kUuidBytes = 36;

/// The next record belongs to the same Append: both are replayed, or neither.
inline constexpr uint8_t kFlagContinues = 1;

struct SegmentHeader {
  uint32_t version = kFormatVersion;
  /// Random for each segment and shown to nobody.
  uint32_t salt = 0;
  Position first_position = 0;
  std::string uuid;
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
/// Nothing when the bytes are no intact header, of whatever version.
std::optional<SegmentHeader> DecodeSegmentHeader(ByteSpan bytes);

struct RecordHeader {
  uint32_t body_crc = 0;
  /// A schema record has that of the rows record behind it.
  Position position = 0;
  uint32_t payload_bytes = 0;
  uint32_t schema_id = 0;
  uint16_t key_bytes = 0;
  uint8_t kind = 0;
  uint8_t flags = 0;
  /// How many rows records of the same group, which is written and synced as one, precede this one. So everything
  /// below `position - group_index` was durable before this record was written.
  uint32_t group_index = 0;

  int64_t body_bytes() const;
  int64_t record_bytes() const { return kRecordHeaderBytes + body_bytes(); }
};

/// Bytes of zeros that follow `payload_bytes + key_bytes` so that the next record is aligned.
int64_t PaddingOf(int64_t unpadded_bytes);

using EncodedRecordHeader = std::array<std::byte, kRecordHeaderBytes>;
EncodedRecordHeader EncodeRecordHeader(const RecordHeader& header, uint32_t salt);
/// Nothing when the checksum does not hold. `bytes` has at least kRecordHeaderBytes.
std::optional<RecordHeader> DecodeRecordHeader(ByteSpan bytes, uint32_t salt);

/// "00000000000000000001.wal"
std::string SegmentName(Position first_position);
/// Nothing for a file that is no segment.
std::optional<Position> ParseSegmentName(std::string_view name);

}  // namespace tarn::wal::internal
