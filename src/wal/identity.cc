#include "wal/identity.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "base/bytes.h"
#include "wal/format.h"

namespace tarn::wal::internal {

namespace {

constexpr std::string_view kFormatField = "{\"format\":";
constexpr std::string_view kUuidField = ",\"uuid\":\"";
constexpr std::string_view kReleasedField = "\",\"released\":";
constexpr std::string_view kResettingField = ",\"resetting\":";
constexpr std::string_view kCrcField = ",\"crc32c\":\"";

std::string ChecksumOf(std::string_view text) {
  std::array<char, 9> hex;
  std::snprintf(hex.data(), hex.size(), "%08x", Crc32c(AsBytes(text)));
  return hex.data();
}

/// Takes `expected` off the front; false when something else stands there.
bool Take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

bool TakeNumber(std::string_view& text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string EncodeIdentity(const Identity& identity) {
  std::string text(kFormatField);
  text += std::to_string(kFormatVersion);
  text += kUuidField;
  text += identity.uuid;
  text += kReleasedField;
  text += std::to_string(identity.released);
  text += kResettingField;
  text += identity.resetting ? "true" : "false";
  const std::string checksum = ChecksumOf(text);
  text += kCrcField;
  text += checksum;
  text += "\"}\n";
  return text;
}

Result<Identity> DecodeIdentity(std::string_view text) {
  const Status broken = Status::Corruption(std::string(kIdentityName) + " is broken");
  const std::string_view whole = text;
  uint64_t format = 0;
  if (!Take(text, kFormatField) || !TakeNumber(text, format)) return broken;
  const size_t checksum_at = whole.rfind(kCrcField);
  if (checksum_at == std::string_view::npos) return broken;
  if (whole.substr(checksum_at + kCrcField.size()) != ChecksumOf(whole.substr(0, checksum_at)) + "\"}\n") return broken;
  if (format > kFormatVersion) {
    return Status::Unsupported(std::string(kIdentityName) + " has WAL format " + std::to_string(format) +
                               ", this program reads up to " + std::to_string(kFormatVersion));
  }
  Identity identity;
  if (!Take(text, kUuidField) || text.size() < kUuidBytes) return broken;
  identity.uuid = text.substr(0, kUuidBytes);
  text.remove_prefix(kUuidBytes);
  if (!Take(text, kReleasedField) || !TakeNumber(text, identity.released) || !Take(text, kResettingField))
    return broken;
  identity.resetting = Take(text, "true");
  if (!identity.resetting && !Take(text, "false")) return broken;
  if (!text.starts_with(kCrcField) || EncodeIdentity(identity) != whole) return broken;
  return identity;
}

Result<std::optional<Identity>> LoadIdentity(storage::SegmentStore& segments) {
  const Result<std::string> text = segments.Read(kIdentityName);
  if (text.status().Is(StatusCode::kNotFound)) return std::optional<Identity>();
  TARN_RETURN_NOT_OK(text.status());
  TARN_ASSIGN_OR_RETURN(Identity identity, DecodeIdentity(*text));
  return std::optional<Identity>(std::move(identity));
}

Status StoreIdentity(storage::SegmentStore& segments, const Identity& identity) {
  return segments.WriteFile(kIdentityName, AsBytes(EncodeIdentity(identity)));
}

}  // namespace tarn::wal::internal
