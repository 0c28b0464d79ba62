#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "delta/snapshot.h"
#include "duckdb/storage/object_cache.hpp"
#include "engine/scan_source.h"
#include "storage/object_store.h"

namespace tarn::engine {

/// Small data files that are read over and over, decoded: most of a small query's time is the decompression of its
/// file's pages. Files never change, so an entry is right for as long as it is kept. Bounded; one per engine instance.
/// Thread-safe.
class HotFiles final : public duckdb::ObjectCacheEntry {
 public:
  explicit HotFiles(int64_t max_bytes) : max_bytes_(max_bytes) {}

  static duckdb::shared_ptr<HotFiles> Of(duckdb::ClientContext& context);

  /// The rows of `file` once it has been opened often enough; null when it is to be read the usual way: it is large, or
  /// some of its columns are not what the table says. `path` names it among all tables.
  std::shared_ptr<const DecodedFile> Open(duckdb::ClientContext& context, const std::string& path,
                                          const delta::DataFile& file, const ScanSource& source);

  static std::string ObjectType() { return "tarn_hot_files"; }
  std::string GetObjectType() override { return ObjectType(); }
  /// Keeps to its own bound.
  duckdb::optional_idx GetEstimatedCacheMemory() const override { return {}; }

 private:
  struct Entry {
    std::weak_ptr<storage::ObjectStore> store;
    int64_t size_bytes = 0;
    int64_t modification_time_millis = 0;
    int opens = 0;
    uint64_t used = 0;
    /// Null until it is decoded, and for a file that cannot be.
    std::shared_ptr<const DecodedFile> decoded;
  };

  Entry* FindOrAdd(const std::string& path, const delta::DataFile& file,
                   const std::shared_ptr<storage::ObjectStore>& store) REQUIRES(mutex_);
  void Keep(const std::string& path, std::shared_ptr<const DecodedFile> decoded) EXCLUDES(mutex_);
  /// Drops the entry that was not used for longest and that no query uses now; false when there is none.
  bool DropOldest(bool with_rows) REQUIRES(mutex_);

  const int64_t max_bytes_;
  Mutex mutex_;
  uint64_t clock_ GUARDED_BY(mutex_) = 0;
  int64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
