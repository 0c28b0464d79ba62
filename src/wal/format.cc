#include "wal/format.h"

#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace tarn::wal::internal {

namespace {

constexpr std::string_view kMagic = "TARNWAL\n";
constexpr std::string_view kSuffix = ".wal";
constexpr size_t kNameDigits = 20;

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  TARN_CHECK(header.uuid.size() == kUuidBytes);
  std::string out(kMagic);
  PutFixed(out, header.version);
  PutFixed(out, header.salt);
  PutFixed(out, header.first_position);
  out += header.uuid;
  PutFixed(out, Crc32c(AsBytes(out)));
  TARN_CHECK(out.size() == kSegmentHeaderBytes);
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(ByteSpan bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return std::nullopt;
  bytes = bytes.subspan(0, kSegmentHeaderBytes);
  constexpr size_t kCovered = kSegmentHeaderBytes - sizeof(uint32_t);
  if (!AsText(bytes).starts_with(kMagic)) return std::nullopt;
  if (Crc32c(bytes.subspan(0, kCovered)) != GetFixed<uint32_t>(bytes.data() + kCovered)) return std::nullopt;
  const std::byte* at = bytes.data() + kMagic.size();
  SegmentHeader header;
  header.version = GetFixed<uint32_t>(at);
  header.salt = GetFixed<uint32_t>(at + 4);
  header.first_position = GetFixed<uint64_t>(at + 8);
  header.uuid = AsText(bytes.subspan(24, kUuidBytes));
  return header;
}

int64_t PaddingOf(int64_t unpadded_bytes) { return (kAlignment - unpadded_bytes % kAlignment) % kAlignment; }

int64_t RecordHeader::body_bytes() const {
  const int64_t unpadded = int64_t{payload_bytes} + key_bytes;
  return unpadded + PaddingOf(unpadded);
}

EncodedRecordHeader EncodeRecordHeader(const RecordHeader& header, uint32_t salt) {
  EncodedRecordHeader out;
  const auto put = [&](size_t offset, auto value) { std::memcpy(out.data() + offset, &value, sizeof(value)); };
  put(4, header.body_crc);
  put(8, header.position);
  put(16, header.payload_bytes);
  put(20, header.schema_id);
  put(24, header.key_bytes);
  put(26, header.kind);
  put(27, header.flags);
  put(28, header.group_index);
  put(0, Crc32c(ByteSpan(out).subspan(4), salt));
  return out;
}

std::optional<RecordHeader> DecodeRecordHeader(ByteSpan bytes, uint32_t salt) {
  bytes = bytes.subspan(0, kRecordHeaderBytes);
  if (Crc32c(bytes.subspan(4), salt) != GetFixed<uint32_t>(bytes.data())) return std::nullopt;
  RecordHeader header;
  header.body_crc = GetFixed<uint32_t>(bytes.data() + 4);
  header.position = GetFixed<uint64_t>(bytes.data() + 8);
  header.payload_bytes = GetFixed<uint32_t>(bytes.data() + 16);
  header.schema_id = GetFixed<uint32_t>(bytes.data() + 20);
  header.key_bytes = GetFixed<uint16_t>(bytes.data() + 24);
  header.kind = GetFixed<uint8_t>(bytes.data() + 26);
  header.flags = GetFixed<uint8_t>(bytes.data() + 27);
  header.group_index = GetFixed<uint32_t>(bytes.data() + 28);
  return header;
}

std::string SegmentName(Position first_position) {
  std::array<char, kNameDigits + 1> digits;
  std::snprintf(digits.data(), digits.size(), "%020llu", static_cast<unsigned long long>(first_position));
  return std::string(digits.data()) + std::string(kSuffix);
}

std::optional<Position> ParseSegmentName(std::string_view name) {
  if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  Position first = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, first);
  if (error != std::errc() || end != name.data() + kNameDigits || first == 0) return std::nullopt;
  return first;
}

}  // namespace tarn::wal::internal
