#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "storage/object_store.h"

namespace tarn::storage {

/// An object that never changes, as a log names it.
struct KnownObject {
  std::string key;
  int64_t size_bytes = 0;
  /// Tells it from another one that had the same key earlier, as far as size does not.
  std::string version;
};

struct ReadAheadOptions {
  /// Larger objects are not fetched whole: only their end, where a Parquet file has its footer.
  int64_t whole_bytes = 1 << 20;
  int64_t end_bytes = 64 << 10;
  /// Held altogether, what is being fetched included.
  int64_t max_bytes = 64 << 20;
  /// Requests at once.
  int threads = 16;
};

/// Parts of objects in distant stores, fetched many at once before they are read one after the other, so that a scan
/// waits for a few answers instead of for one after each. What was fetched is kept for later readers until there are
/// newer ones, bounded in bytes. Thread-safe.
class ReadAhead {
 public:
  explicit ReadAhead(const ReadAheadOptions& options) : options_(options) {}
  /// Waits for what is being fetched.
  ~ReadAhead();

  /// Begins to fetch those that are not here; does not wait. As many as there is room for, the first ones first. What
  /// the store is asked for is added to `cost`, if given, before the first reader gets it.
  void Want(const std::shared_ptr<ObjectStore>& store, const std::vector<KnownObject>& objects,
            std::shared_ptr<ReadCost> cost = nullptr);

  /// Reads through what is here or on its way, and for anything else from the store. A fetch that failed is as if it
  /// had not been wanted. What the reader has to ask for is added to `cost`, if given. It may outlive this.
  Result<std::unique_ptr<ObjectReader>> Open(const std::shared_ptr<ObjectStore>& store, const KnownObject& object,
                                             std::shared_ptr<ReadCost> cost = nullptr);

  int64_t held_bytes() const EXCLUDES(mutex_);

 private:
  class Piece;
  class Reader;
  struct Entry {
    std::shared_ptr<Piece> piece;
    uint64_t used = 0;
  };

  bool MakeRoom(int64_t bytes) REQUIRES(mutex_);
  std::shared_ptr<Piece> Find(const std::string& name) EXCLUDES(mutex_);

  const ReadAheadOptions options_;
  mutable Mutex mutex_;
  std::map<std::string, Entry> entries_ GUARDED_BY(mutex_);
  int64_t bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t uses_ GUARDED_BY(mutex_) = 0;
  /// Made when something is first wanted; last, so that its tasks end before the rest goes.
  std::unique_ptr<ThreadPool> pool_ GUARDED_BY(mutex_);
};

}  // namespace tarn::storage
