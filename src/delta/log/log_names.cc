#include "delta/log/log_names.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "delta/table.h"

namespace tarn::delta {

namespace {

constexpr size_t kVersionDigits = 20;
constexpr size_t kPartDigits = 10;

/// Reads exactly `digits` decimal digits off the front of `text`.
std::optional<int64_t> TakeDigits(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  const std::string_view number = text.substr(0, digits);
  if (!std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  int64_t value = 0;
  if (std::from_chars(number.data(), number.data() + digits, value).ec != std::errc()) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool Take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<LogName> ParseCheckpointName(std::string_view rest, LogName name) {
  name.kind = LogName::Kind::kCheckpoint;
  if (rest == "parquet") return name;
  std::string_view numbers = rest;
  const auto part = TakeDigits(numbers, kPartDigits);
  if (part.has_value() && Take(numbers, ".")) {
    const auto parts = TakeDigits(numbers, kPartDigits);
    if (parts.has_value() && numbers == ".parquet" && *part >= 1 && *part <= *parts && *parts <= 1'000'000) {
      name.part = static_cast<int>(*part);
      name.parts = static_cast<int>(*parts);
      return name;
    }
  }
  name.kind = LogName::Kind::kUuidCheckpoint;
  const bool known_ending = rest.ends_with(".json") || rest.ends_with(".parquet");
  const std::string_view uuid = rest.substr(0, rest.find('.'));
  return known_ending && uuid.size() == 36 ? std::optional(name) : std::nullopt;
}

}  // namespace

std::optional<LogKey> SplitLogKey(std::string_view key) {
  const size_t log = key.rfind(kLogFolder);
  if (log == std::string_view::npos || (log > 0 && key[log - 1] != '/')) return std::nullopt;
  return LogKey{key.substr(0, log), key.substr(log + kLogFolder.size())};
}

std::optional<LogName> ParseLogName(std::string_view text) {
  LogName name;
  const auto version = TakeDigits(text, kVersionDigits);
  if (!version.has_value() || !Take(text, ".")) return std::nullopt;
  name.version = *version;
  name.end_version = *version;
  if (text == "json") return name;
  if (text == "crc") {
    name.kind = LogName::Kind::kChecksum;
    return name;
  }
  if (Take(text, "checkpoint.")) return ParseCheckpointName(text, name);
  const auto end = TakeDigits(text, kVersionDigits);
  if (end.has_value() && text == ".compacted.json") {
    name.kind = LogName::Kind::kCompacted;
    name.end_version = *end;
    return name;
  }
  return std::nullopt;
}

std::string PaddedVersion(int64_t version) {
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%020lld", static_cast<long long>(version));
  return digits;
}

std::string CommitKey(int64_t version) { return std::string(kLogFolder) + PaddedVersion(version) + ".json"; }

std::string ChecksumKey(int64_t version) { return std::string(kLogFolder) + PaddedVersion(version) + ".crc"; }

std::string CompactedKey(int64_t from, int64_t to) {
  return std::string(kLogFolder) + PaddedVersion(from) + "." + PaddedVersion(to) + ".compacted.json";
}

std::string CheckpointKey(int64_t version) {
  return std::string(kLogFolder) + PaddedVersion(version) + ".checkpoint.parquet";
}

std::string UuidCheckpointKey(int64_t version, std::string_view uuid) {
  return std::string(kLogFolder) + PaddedVersion(version) + ".checkpoint." + std::string(uuid) + ".parquet";
}

std::string SidecarKey(std::string_view name) { return std::string(kLogFolder) + "_sidecars/" + std::string(name); }

std::string CheckpointPartKey(int64_t version, int part, int parts) {
  char suffix[48];
  std::snprintf(suffix, sizeof(suffix), ".checkpoint.%010d.%010d.parquet", part, parts);
  return std::string(kLogFolder) + PaddedVersion(version) + suffix;
}

}  // namespace tarn::delta
