#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/object_store.h"

namespace tarn::delta {

/// The `_last_checkpoint` hint (PROTOCOL.md, "Last Checkpoint File").
struct LastCheckpoint {
  int64_t version = 0;
  int64_t size = 0;
  std::optional<int64_t> parts;
  /// The file of a v2 checkpoint under its uuid, by its name in the log folder.
  std::optional<std::string> manifest;
};

/// A hint is a few hundred bytes, or a few thousand with a schema in it; anything much larger is not one.
inline constexpr int64_t kMaxHintBytes = 16 << 20;

/// nullopt when the text is not such a hint. Its `checksum` is not looked at: the hint only says where the listing of
/// the log begins, and is passed over unless a complete checkpoint is listed from there on.
std::optional<LastCheckpoint> ParseLastCheckpoint(std::string_view text);

/// The table's hint, nullopt when it is missing, unreadable or wrong: it never is more than a hint.
std::optional<LastCheckpoint> ReadLastCheckpoint(storage::ObjectStore& store);

/// The same for those who would take a log without a hint for none: an error of the store is returned.
Result<std::optional<LastCheckpoint>> FindLastCheckpoint(storage::ObjectStore& store);

}  // namespace tarn::delta
