#include "wal/segment_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace tarn::wal::internal {

namespace {

constexpr int64_t kChunkBytes = 4 << 20;

bool AllZero(ByteSpan bytes) {
  // Every byte equals its neighbour, which the library compares in wide steps.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

Result<ByteSpan> SegmentBytes::View(int64_t offset, int64_t length) {
  const int64_t buffer_end = buffer_offset_ + static_cast<int64_t>(buffer_.size());
  if (offset < buffer_offset_ || offset + length > buffer_end) {
    TARN_ASSIGN_OR_RETURN(buffer_, segments_.ReadRange(name_, offset, std::max(length, kChunkBytes)));
    buffer_offset_ = offset;
  }
  const size_t begin = static_cast<size_t>(offset - buffer_offset_);
  const size_t count = std::min(static_cast<size_t>(length), buffer_.size() - begin);
  return AsBytes(buffer_).subspan(begin, count);
}

void SegmentBytes::Forget() {
  buffer_.clear();
  buffer_offset_ = 0;
}

Status SegmentReader::Broken(std::string_view what) const {
  return Status::Corruption("WAL segment " + bytes_.name() + " at offset " + std::to_string(offset_) + ": " +
                            std::string(what));
}

Result<SegmentReader::HeaderState> SegmentReader::ReadHeader(const std::string& uuid) {
  offset_ = 0;
  TARN_ASSIGN_OR_RETURN(const ByteSpan bytes, bytes_.View(0, kSegmentHeaderBytes));
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(bytes);
  if (!header.has_value()) {
    // The header is synced before the first record is written.
    TARN_ASSIGN_OR_RETURN(const bool unfinished, AllZeroFrom(kSegmentHeaderBytes));
    if (unfinished) return HeaderState::kUnfinished;
    return Broken("the segment header is damaged");
  }
  if (header->version > kFormatVersion) {
    return Status::Unsupported("WAL segment " + bytes_.name() + " has format " + std::to_string(header->version) +
                               ", this program reads up to " + std::to_string(kFormatVersion));
  }
  if (SegmentName(header->first_position) != bytes_.name()) {
    return Broken("the header is that of segment " + SegmentName(header->first_position));
  }
  if (header->uuid != uuid) return Broken("the segment belongs to log " + header->uuid + ", this is " + uuid);
  header_ = *header;
  Rewind();
  return HeaderState::kValid;
}

void SegmentReader::Rewind() {
  offset_ = kSegmentHeaderBytes;
  expected_ = header_.first_position;
  group_index_ = 0;
  schemas_.clear();
}

Result<SegmentReader::Step> SegmentReader::Next() {
  while (true) {
    TARN_ASSIGN_OR_RETURN(const bool valid, ReadRecord());
    if (!valid) return Step::kEnd;
    TARN_RETURN_NOT_OK(CheckSequence());
    const RecordHeader& header = record_.header;
    if (header.kind == static_cast<uint8_t>(RecordKind::kRows)) {
      const auto schema = schemas_.find(header.schema_id);
      if (schema == schemas_.end()) return Broken("no schema " + std::to_string(header.schema_id) + " precedes");
      schema_ = &schema->second;
      group_index_ = header.group_index + 1;
      ++expected_;
      offset_ += header.record_bytes();
      return Step::kRecord;
    }
    schemas_.insert_or_assign(header.schema_id, SchemaEntry{header.schema_id, std::string(AsText(record_.payload))});
    max_schema_id_ = std::max(max_schema_id_, header.schema_id);
    offset_ += header.record_bytes();
  }
}

Result<bool> SegmentReader::ReadRecord() {
  TARN_ASSIGN_OR_RETURN(ByteSpan bytes, bytes_.View(offset_, kRecordHeaderBytes));
  if (bytes.size() < kRecordHeaderBytes) return false;
  const std::optional<RecordHeader> header = DecodeRecordHeader(bytes, header_.salt);
  if (!header.has_value() || header->payload_bytes > kMaxPayloadBytes) return false;
  TARN_ASSIGN_OR_RETURN(bytes, bytes_.View(offset_, header->record_bytes()));
  if (static_cast<int64_t>(bytes.size()) < header->record_bytes()) return false;
  const ByteSpan body = bytes.subspan(kRecordHeaderBytes);
  if (Crc32c(body, header_.salt) != header->body_crc) return false;
  record_ = {*header, body.subspan(0, header->payload_bytes),
             AsText(body.subspan(header->payload_bytes, header->key_bytes))};
  return true;
}

Status SegmentReader::CheckSequence() const {
  const RecordHeader& header = record_.header;
  const bool known_kind = header.kind == static_cast<uint8_t>(RecordKind::kSchema) ||
                          header.kind == static_cast<uint8_t>(RecordKind::kRows);
  if (!known_kind || (header.flags & ~kFlagContinues) != 0) {
    return Status::Unsupported("WAL segment " + bytes_.name() + " at offset " + std::to_string(offset_) +
                               " has a record of kind " + std::to_string(header.kind) + " with flags " +
                               std::to_string(header.flags) + ", unknown to this program");
  }
  if (header.position != expected_) {
    return Broken("position " + std::to_string(header.position) + " where " + std::to_string(expected_) +
                  " must stand");
  }
  if (header.group_index != 0 && header.group_index != group_index_) return Broken("the record is out of its group");
  return Status::Ok();
}

Result<bool> SegmentReader::AllZeroFrom(int64_t offset) {
  while (true) {
    TARN_ASSIGN_OR_RETURN(const ByteSpan bytes, bytes_.View(offset, kChunkBytes));
    if (bytes.empty()) return true;
    if (!AllZero(bytes)) return false;
    offset += static_cast<int64_t>(bytes.size());
  }
}

Result<bool> SegmentReader::DamageIsProven() {
  for (int64_t from = offset_ + kAlignment;;) {
    TARN_ASSIGN_OR_RETURN(const ByteSpan bytes, bytes_.View(from, kChunkBytes));
    int64_t at = 0;
    for (; at + kRecordHeaderBytes <= static_cast<int64_t>(bytes.size()); at += kAlignment) {
      const std::byte* candidate = bytes.data() + at;
      // Most of what is looked at are zeros, and no position is 0.
      const auto position = GetFixed<uint64_t>(candidate + 8);
      if (position <= expected_) continue;
      const std::optional<RecordHeader> header = DecodeRecordHeader(bytes.subspan(at), header_.salt);
      // What precedes the group of that record had been synced.
      if (header.has_value() && header->group_index < position && position - header->group_index > expected_) {
        return true;
      }
    }
    if (static_cast<int64_t>(bytes.size()) < kChunkBytes) return false;
    from += at;
  }
}

}  // namespace tarn::wal::internal
