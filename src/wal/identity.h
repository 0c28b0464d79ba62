#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/segment_store.h"
#include "wal/wal.h"

namespace tarn::wal::internal {

/// The small file that names the log: who it is, and how far it was released.
inline constexpr std::string_view kIdentityName = "wal.json";

struct Identity {
  std::string uuid;
  /// Segments that hold no position above it may be gone; numbering goes on behind it even when all are.
  Position released = 0;
  /// A Reset began: every segment there still is belongs to the abandoned log.
  bool resetting = false;
};

/// One line of JSON in exactly this spelling:
/// {"format":1,"uuid":"…","released":0,"resetting":false,"crc32c":"89abcdef"}
std::string EncodeIdentity(const Identity& identity);
/// Corruption when the line or its checksum is broken, Unsupported when its format is newer.
Result<Identity> DecodeIdentity(std::string_view text);

/// Nothing when there is no such file.
Result<std::optional<Identity>> LoadIdentity(storage::SegmentStore& segments);
Status StoreIdentity(storage::SegmentStore& segments, const Identity& identity);

}  // namespace tarn::wal::internal
