#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "duckdb/main/client_context.hpp"
#include "duckdb/storage/object_cache.hpp"
#include "engine/lake_file_list.h"
#include "storage/read_ahead.h"

namespace tarn::engine {

/// Data files that are not on this machine's disk: a scan's first ones are fetched together when it begins. One per
/// engine instance. Thread-safe.
class DistantFiles final : public duckdb::ObjectCacheEntry {
 public:
  explicit DistantFiles(const storage::ReadAheadOptions& options) : ahead_(options) {}

  static duckdb::shared_ptr<DistantFiles> Of(duckdb::ClientContext& context);

  /// Begins to fetch the files that a scan will open first; nothing where they are on disk.
  void Want(duckdb::ClientContext& context, const LakeFileList& files);
  /// Opens one that is not on disk. Errors may come with the first read.
  Result<std::unique_ptr<storage::ObjectReader>> Open(duckdb::ClientContext& context,
                                                      const std::shared_ptr<storage::ObjectStore>& store,
                                                      const delta::DataFile& file);

  static std::string ObjectType() { return "tarn_distant_files"; }
  std::string GetObjectType() override { return ObjectType(); }
  /// Keeps to its own bound.
  duckdb::optional_idx GetEstimatedCacheMemory() const override { return {}; }

 private:
  storage::ReadAhead ahead_;
};

/// Has what the statements that follow on a connection ask distant stores for counted anew; for the one who reads it.
std::shared_ptr<const storage::ReadCost> CountReads(duckdb::ClientContext& context);

}  // namespace tarn::engine
