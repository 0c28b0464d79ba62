#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "storage/object_store.h"

namespace tarn::storage {

struct DiskCacheOptions {
  /// Of this user alone; made when missing.
  std::string folder;
  int64_t max_bytes = int64_t{10} << 30;
  /// What is asked for and kept at once; only the last of an object is smaller.
  int64_t block_bytes = 128 << 10;
};

/// Of blocks, but for bytes.
struct DiskCacheStats {
  int64_t hits = 0;
  int64_t misses = 0;
  /// Fetched by another reader at the same time.
  int64_t shared = 0;
  int64_t hit_bytes = 0;
  int64_t stored_bytes = 0;
  int64_t store_failures = 0;
  int64_t evicted_bytes = 0;
  int64_t damaged = 0;
  int64_t held_bytes = 0;
};

/// Blocks of objects in distant stores, kept on this machine's disk beyond the life of the process. Only what never
/// changes is kept: objects whose names hold a UUID, and files of Delta logs under the tag that a listing told of them
/// last, so that which files make up a table is always the store's word. Readers of one block at the same time share
/// one request. Several processes may use one folder. Thread-safe.
class DiskCache {
 public:
  /// PermissionDenied for a folder that is not this user's alone. `clock` outlives the cache and its stores.
  static Result<std::shared_ptr<DiskCache>> Open(const DiskCacheOptions& options, Clock& clock);
  virtual ~DiskCache() = default;

  /// The store, with reads of such objects by OpenKnown, and of log files by Open, served from the folder where it has
  /// them. A miss asks for whole blocks, those of one read by one request as far as 8 MiB reach. Writes, listings and
  /// all else pass.
  virtual std::shared_ptr<ObjectStore> Over(std::shared_ptr<ObjectStore> store) = 0;
  virtual DiskCacheStats stats() const = 0;
};

}  // namespace tarn::storage
