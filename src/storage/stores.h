#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "storage/object_store.h"
#include "storage/segment_store.h"

namespace tarn::storage {

/// A folder of the local disk. Put is durable: write a temporary file, fsync, link (kIfAbsent) or rename, fsync the
/// folder. The root is created on the first write, not on reads. `root` is made absolute.
Result<std::shared_ptr<ObjectStore>> OpenLocalStore(const std::string& root);

/// Objects in memory, for tests and simulation.
std::shared_ptr<ObjectStore> MakeMemoryStore(Clock& clock);

/// The store that a URI names: a path, "file:///path", "memory://", "s3://bucket/prefix" (or s3a://) or, for reading
/// only, "https://host/path" (or http://). How S3 is reached is said by environment variables (docs/storage.md); its
/// store refuses kIfAbsent where the service does not keep to it. Unsupported for any other scheme, by name.
Result<std::shared_ptr<ObjectStore>> OpenStore(std::string_view uri);

/// Whether a URI names something that is not on the local disk: it has a scheme other than file.
bool IsRemoteUri(std::string_view uri);
/// Whether it is of a web server: "https://host/path", or http://.
bool IsWebUri(std::string_view uri);
/// The path that a URI which is not remote means: itself, or what follows "file://" with its percent escapes decoded.
Result<std::string> LocalPathOf(std::string_view uri);

/// A view of `store` in which every key lies below `prefix`.
std::shared_ptr<ObjectStore> MakePrefixStore(std::shared_ptr<ObjectStore> store, std::string prefix);

/// Segments as files of a local folder, which is created.
Result<std::shared_ptr<SegmentStore>> OpenLocalSegments(const std::string& folder);
/// The same without creating anything; NotFound when there is no such folder.
Result<std::shared_ptr<SegmentStore>> OpenLocalSegmentsForReading(const std::string& folder);

/// Removes what writers that were killed left below a local store's root: files under names that the store gives while
/// it writes, last written before `before_wall_micros`. Links are not followed, and what cannot be looked at is passed
/// over. Ends early once `stop` is set; returns how many files it removed.
int64_t RemoveStagedFiles(const std::string& root, int64_t before_wall_micros, const std::atomic<bool>& stop);

}  // namespace tarn::storage
