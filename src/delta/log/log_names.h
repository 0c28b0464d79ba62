#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::delta {

inline constexpr std::string_view kLogFolder = "_delta_log/";
inline constexpr std::string_view kLastCheckpointKey = "_delta_log/_last_checkpoint";

/// What a file of the log folder is, by its name (PROTOCOL.md, "File Types").
struct LogName {
  enum class Kind : uint8_t {
    kCommit,
    /// One classic file, or one part of several.
    kCheckpoint,
    /// A v2 checkpoint under its uuid name, in JSON or Parquet.
    kUuidCheckpoint,
    kCompacted,
    kChecksum,
  };
  Kind kind = Kind::kCommit;
  int64_t version = 0;
  /// Last version of a compacted log file.
  int64_t end_version = 0;
  /// Of a classic checkpoint: part 1 of 1 for a single file.
  int part = 1;
  int parts = 1;
};

/// Reads a name relative to the log folder; nullopt for a file that the protocol does not know.
std::optional<LogName> ParseLogName(std::string_view name);

/// A key within the log folder of some table.
struct LogKey {
  /// The table's folder: empty, or ending with '/'.
  std::string_view table;
  /// Relative to the log folder.
  std::string_view name;
};

/// nullopt for a key that is in no log folder. The parts are views of `key`.
std::optional<LogKey> SplitLogKey(std::string_view key);

/// The version's 20 digits.
std::string PaddedVersion(int64_t version);
std::string ChecksumKey(int64_t version);
/// The file that stands for the commits `from` to `to`.
std::string CompactedKey(int64_t from, int64_t to);
std::string CheckpointKey(int64_t version);
/// The own file of a v2 checkpoint.
std::string UuidCheckpointKey(int64_t version, std::string_view uuid);
std::string CheckpointPartKey(int64_t version, int part, int parts);
/// A v2 checkpoint's sidecar of this file name.
std::string SidecarKey(std::string_view name);

}  // namespace tarn::delta
