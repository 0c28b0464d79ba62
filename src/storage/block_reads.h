#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "storage/block_folder.h"
#include "storage/object_store.h"

namespace tarn::storage::internal {

/// An object as the cache knows it: `name` tells its content from every other one's.
struct CachedObject {
  std::string name;
  int64_t size_bytes = 0;
};

/// Reads blocks of objects through a folder, those that several want at the same time once. Thread-safe.
class BlockReads {
 public:
  using Block = std::shared_ptr<const std::string>;

  BlockReads(std::unique_ptr<BlockFolder> folder, int64_t block_bytes)
      : block_bytes_(block_bytes), folder_(std::move(folder)) {}

  int64_t block_bytes() const { return block_bytes_; }

  /// Blocks `first` to `last` of the object; `source` is asked for what is neither here nor on its way. Conflict when
  /// it has fewer bytes than it should.
  Result<std::vector<Block>> Read(const CachedObject& object, ObjectReader& source, int64_t first, int64_t last,
                                  ReadCost& cost) EXCLUDES(mutex_);

  struct Counts {
    std::atomic<int64_t> hits = 0;
    std::atomic<int64_t> misses = 0;
    std::atomic<int64_t> shared = 0;
    std::atomic<int64_t> hit_bytes = 0;
  };
  const Counts& counts() const { return counts_; }
  const BlockFolder& folder() const { return *folder_; }

 private:
  /// A block on its way from the disk or the store to all who want it.
  class Load;
  struct Claim {
    std::string name;
    std::shared_ptr<Load> load;
    bool is_mine = false;
  };

  int64_t SizeOf(const CachedObject& object, int64_t block) const;
  std::vector<Claim> ClaimBlocks(const CachedObject& object, int64_t first, int64_t last) EXCLUDES(mutex_);
  /// Ends every load that is this caller's, with an error if need be.
  Status LoadMine(const CachedObject& object, ObjectReader& source, int64_t first, std::vector<Claim>& claims,
                  ReadCost& cost);
  Result<std::string> Fetch(const CachedObject& object, ObjectReader& source, int64_t first, int64_t last,
                            ReadCost& cost) const;
  void End(const Claim& claim, Block block) EXCLUDES(mutex_);

  const int64_t block_bytes_;
  const std::unique_ptr<BlockFolder> folder_;
  Counts counts_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Load>> loading_ GUARDED_BY(mutex_);
};

}  // namespace tarn::storage::internal
