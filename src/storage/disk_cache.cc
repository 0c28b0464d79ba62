#include "storage/disk_cache.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "storage/block_reads.h"
#include "storage/forwarding_store.h"

namespace tarn::storage {

namespace {

using internal::BlockReads;
using internal::CachedObject;

/// Of one read at a time in memory.
constexpr int64_t kMaxPieceBytes = 8 << 20;
/// What listings told of log files, for so many of them: some times what lies behind a checkpoint.
constexpr size_t kMaxListed = 8192;
constexpr std::string_view kLogFolder = "_delta_log/";

bool IsUuid(std::string_view text) {
  constexpr std::string_view kShape = "00000000-0000-0000-0000-000000000000";
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == '-' ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

/// Nobody gives such a name twice.
bool IsNamedByUuid(std::string_view key) {
  constexpr size_t kUuidLength = 36;
  const std::string_view name = key.substr(key.rfind('/') + 1);
  for (size_t i = 0; i + kUuidLength <= name.size(); ++i) {
    if (IsUuid(name.substr(i, kUuidLength))) return true;
  }
  return false;
}

/// Commits, checkpoints and checksums: names that begin with a version, or in the folder of sidecars.
bool IsLogFile(std::string_view key) {
  const size_t log = key.rfind(kLogFolder);
  if (log == std::string_view::npos || (log > 0 && key[log - 1] != '/')) return false;
  const std::string_view name = key.substr(log + kLogFolder.size());
  if (name.starts_with("_sidecars/")) return true;
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) != 0;
}

/// What listings told last. Bounded: beyond that everything is forgotten, and told anew by the next listing.
class Listed {
 public:
  void Note(const ObjectInfo& object) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (objects_.size() >= kMaxListed && !objects_.contains(object.key)) objects_.clear();
    objects_[object.key] = object;
  }
  void Forget(std::string_view key) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found != objects_.end()) objects_.erase(found);
  }
  std::optional<ObjectInfo> Find(std::string_view key) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    return found == objects_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  Mutex mutex_;
  std::map<std::string, ObjectInfo, std::less<>> objects_ GUARDED_BY(mutex_);
};

/// Opened by the first read that has to ask for it. Thread-safe.
class LateReader final : public ObjectReader {
 public:
  LateReader(std::shared_ptr<ObjectStore> store, ObjectInfo info, std::shared_ptr<Listed> listed)
      : store_(std::move(store)), info_(std::move(info)), listed_(std::move(listed)) {}

  const ObjectInfo& info() const override { return info_; }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    TARN_ASSIGN_OR_RETURN(ObjectReader* const reader, Opened());
    return reader->ReadAt(offset, out);
  }

 private:
  Result<ObjectReader*> Opened() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (reader_ != nullptr) return reader_.get();
    lock.Unlock();
    auto reader = Open();
    if (!reader.ok()) {
      // It is not what the listing told of, which must not be in the way of the next try.
      listed_->Forget(info_.key);
      return reader.status();
    }
    lock.Lock();
    if (reader_ == nullptr) reader_ = std::move(*reader);
    return reader_.get();
  }
  Result<std::unique_ptr<ObjectReader>> Open() {
    if (info_.etag.empty()) return store_->OpenKnown(info_.key, info_.size_bytes);
    TARN_ASSIGN_OR_RETURN(auto reader, store_->Open(info_.key));
    if (reader->info().etag == info_.etag && reader->info().size_bytes == info_.size_bytes) return reader;
    return Status::Conflict(info_.key + " was overwritten after it was listed");
  }

  const std::shared_ptr<ObjectStore> store_;
  const ObjectInfo info_;
  const std::shared_ptr<Listed> listed_;
  Mutex mutex_;
  /// Set once.
  std::unique_ptr<ObjectReader> reader_ GUARDED_BY(mutex_);
};

/// Serves one object from blocks. The block read last stays, since readers ask for many small pieces in a row.
class CachedReader final : public ObjectReader {
 public:
  CachedReader(std::shared_ptr<BlockReads> blocks, CachedObject object, std::unique_ptr<ObjectReader> source)
      : blocks_(std::move(blocks)), object_(std::move(object)), source_(std::move(source)) {}

  const ObjectInfo& info() const override { return source_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    ReadCost nobodys;
    return ReadCounted(offset, out, nobodys);
  }
  Result<size_t> ReadCounted(int64_t offset, MutableByteSpan out, ReadCost& cost) override {
    if (offset < 0) return Status::InvalidArgument("a negative offset");
    const int64_t end = std::min(object_.size_bytes, offset + static_cast<int64_t>(out.size()));
    size_t done = 0;
    while (offset < end) {
      const int64_t piece_end = std::min(end, offset + kMaxPieceBytes);
      TARN_RETURN_NOT_OK(ReadPiece(offset, out.subspan(done, static_cast<size_t>(piece_end - offset)), cost));
      done += static_cast<size_t>(piece_end - offset);
      offset = piece_end;
    }
    return done;
  }

 private:
  Status ReadPiece(int64_t offset, MutableByteSpan out, ReadCost& cost) {
    const int64_t size = blocks_->block_bytes();
    const int64_t first = offset / size;
    const int64_t last = (offset + static_cast<int64_t>(out.size()) - 1) / size;
    std::vector<BlockReads::Block> found;
    if (auto kept = Kept(first); first == last && kept != nullptr) {
      found.push_back(std::move(kept));
    } else {
      TARN_ASSIGN_OR_RETURN(found, blocks_->Read(object_, *source_, first, last, cost));
      Keep(last, found.back());
    }
    auto from = static_cast<size_t>(offset - first * size);
    size_t done = 0;
    for (const BlockReads::Block& block : found) {
      const size_t count = std::min(block->size() - from, out.size() - done);
      std::memcpy(out.data() + done, block->data() + from, count);
      done += count;
      from = 0;
    }
    return Status::Ok();
  }
  BlockReads::Block Kept(int64_t number) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return number == kept_number_ ? kept_ : nullptr;
  }
  void Keep(int64_t number, BlockReads::Block block) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    kept_number_ = number;
    kept_ = std::move(block);
  }

  const std::shared_ptr<BlockReads> blocks_;
  const CachedObject object_;
  const std::unique_ptr<ObjectReader> source_;
  Mutex mutex_;
  int64_t kept_number_ GUARDED_BY(mutex_) = -1;
  BlockReads::Block kept_ GUARDED_BY(mutex_);
};

class CachedStore final : public ForwardingStore {
 public:
  CachedStore(std::shared_ptr<ObjectStore> store, std::shared_ptr<BlockReads> blocks)
      : ForwardingStore(store), store_(std::move(store)), blocks_(std::move(blocks)) {}

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    if (!IsLogFile(key)) return inner().Open(key);
    if (auto listed = listed_->Find(key)) return Cached(*std::move(listed));
    if (!IsNamedByUuid(key)) return inner().Open(key);
    TARN_ASSIGN_OR_RETURN(auto reader, inner().Open(key));
    const int64_t size = reader->info().size_bytes;
    return Reader(NameOf(key, size, ""), size, std::move(reader));
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    if (!IsNamedByUuid(key)) return inner().OpenKnown(key, size_bytes);
    return Cached({.key = std::string(key), .size_bytes = size_bytes});
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    listed_->Forget(key);
    return inner().Put(key, bytes, precondition);
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    listed_->Forget(key);
    return inner().OpenWriter(key, precondition);
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return inner().List(options, [&](const ListEntry& entry) {
      if (!entry.is_folder && !entry.object.etag.empty() && IsLogFile(entry.object.key)) listed_->Note(entry.object);
      return visit(entry);
    });
  }
  Status Delete(std::string_view key) override {
    listed_->Forget(key);
    return inner().Delete(key);
  }

 private:
  std::string NameOf(std::string_view key, int64_t size_bytes, std::string_view tag) const {
    return uri().append("\n").append(key).append("\n").append(std::to_string(size_bytes)).append("\n").append(tag);
  }
  std::unique_ptr<ObjectReader> Cached(ObjectInfo object) {
    std::string name = NameOf(object.key, object.size_bytes, object.etag);
    const int64_t size = object.size_bytes;
    return Reader(std::move(name), size, std::make_unique<LateReader>(store_, std::move(object), listed_));
  }
  std::unique_ptr<ObjectReader> Reader(std::string name, int64_t size_bytes, std::unique_ptr<ObjectReader> source) {
    return std::make_unique<CachedReader>(blocks_, CachedObject{std::move(name), size_bytes}, std::move(source));
  }

  const std::shared_ptr<ObjectStore> store_;
  const std::shared_ptr<BlockReads> blocks_;
  const std::shared_ptr<Listed> listed_ = std::make_shared<Listed>();
};

class DiskCacheImpl final : public DiskCache {
 public:
  explicit DiskCacheImpl(std::shared_ptr<BlockReads> blocks) : blocks_(std::move(blocks)) {}

  std::shared_ptr<ObjectStore> Over(std::shared_ptr<ObjectStore> store) override {
    return std::make_shared<CachedStore>(std::move(store), blocks_);
  }
  DiskCacheStats stats() const override {
    const BlockReads::Counts& counts = blocks_->counts();
    const internal::BlockFolderStats folder = blocks_->folder().stats();
    return {.hits = counts.hits,
            .misses = counts.misses,
            .shared = counts.shared,
            .hit_bytes = counts.hit_bytes,
            .stored_bytes = folder.stored_bytes,
            .store_failures = folder.store_failures,
            .evicted_bytes = folder.evicted_bytes,
            .damaged = folder.damaged,
            .held_bytes = folder.held_bytes};
  }

 private:
  const std::shared_ptr<BlockReads> blocks_;
};

}  // namespace

Result<std::shared_ptr<DiskCache>> DiskCache::Open(const DiskCacheOptions& options, Clock& clock) {
  TARN_ASSIGN_OR_RETURN(auto folder, internal::BlockFolder::Open(options.folder, options.max_bytes, clock));
  return std::make_shared<DiskCacheImpl>(std::make_shared<BlockReads>(std::move(folder), options.block_bytes));
}

}  // namespace tarn::storage
