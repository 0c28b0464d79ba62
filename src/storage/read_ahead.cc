#include "storage/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace tarn::storage {

namespace {

std::string NameOf(const ObjectStore& store, const KnownObject& object) {
  return store.uri() + '\n' + object.key + '\n' + std::to_string(object.size_bytes) + '\n' + object.version;
}

}  // namespace

/// The bytes of an object from an offset to its end, perhaps still on their way.
class ReadAhead::Piece {
 public:
  Piece(int64_t offset, int64_t size) : offset_(offset), size_(size) {}

  int64_t offset() const { return offset_; }
  int64_t size() const { return size_; }

  void Fetch(ObjectStore& store, const KnownObject& object, ReadCost& cost) EXCLUDES(mutex_) {
    std::string bytes(static_cast<size_t>(size_), '\0');
    const auto fetch = [&]() -> Status {
      TARN_ASSIGN_OR_RETURN(const auto reader, store.OpenKnown(object.key, object.size_bytes));
      TARN_ASSIGN_OR_RETURN(const size_t got,
                            reader->ReadCounted(offset_, std::as_writable_bytes(std::span(bytes)), cost));
      return got == bytes.size() ? Status::Ok() : Status::Unavailable("the object is shorter");
    };
    const bool complete = fetch().ok();
    MutexLock lock(mutex_);
    if (complete) bytes_ = std::move(bytes);
    ended_ = true;
    ended_signal_.notify_all();
  }

  /// Waits for the fetch; nullptr when it failed.
  const std::string* Bytes() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!ended_) ended_signal_.wait(mutex_);
    // Never changes once the fetch has ended.
    return bytes_.has_value() ? &*bytes_ : nullptr;
  }

  bool ended() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return ended_;
  }
  bool failed() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return ended_ && !bytes_.has_value();
  }

 private:
  const int64_t offset_;
  const int64_t size_;
  mutable Mutex mutex_;
  CondVar ended_signal_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::optional<std::string> bytes_ GUARDED_BY(mutex_);
};

class ReadAhead::Reader final : public ObjectReader {
 public:
  /// `piece` and `cost` may be null.
  Reader(std::unique_ptr<ObjectReader> store, std::shared_ptr<Piece> piece, std::shared_ptr<ReadCost> cost)
      : store_(std::move(store)), piece_(std::move(piece)), cost_(std::move(cost)) {}

  const ObjectInfo& info() const override { return store_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    if (piece_ == nullptr || offset < piece_->offset()) return Ask(offset, out);
    const std::string* bytes = piece_->Bytes();
    if (bytes == nullptr) return Ask(offset, out);
    const auto begin = static_cast<size_t>(offset - piece_->offset());
    if (begin >= bytes->size()) return size_t{0};
    const size_t count = std::min(out.size(), bytes->size() - begin);
    std::memcpy(out.data(), bytes->data() + begin, count);
    return count;
  }

 private:
  Result<size_t> Ask(int64_t offset, MutableByteSpan out) {
    return cost_ == nullptr ? store_->ReadAt(offset, out) : store_->ReadCounted(offset, out, *cost_);
  }

  const std::unique_ptr<ObjectReader> store_;
  const std::shared_ptr<Piece> piece_;
  const std::shared_ptr<ReadCost> cost_;
};

ReadAhead::~ReadAhead() {
  std::unique_ptr<ThreadPool> pool;
  MutexLock lock(mutex_);
  pool = std::move(pool_);
  lock.Unlock();
  pool.reset();
}

void ReadAhead::Want(const std::shared_ptr<ObjectStore>& store, const std::vector<KnownObject>& objects,
                     std::shared_ptr<ReadCost> cost) {
  if (cost == nullptr) cost = std::make_shared<ReadCost>();
  MutexLock lock(mutex_);
  for (const KnownObject& object : objects) {
    const std::string name = NameOf(*store, object);
    const auto found = entries_.find(name);
    if (found != entries_.end() && !found->second.piece->failed()) {
      found->second.used = ++uses_;
      continue;
    }
    const int64_t size =
        object.size_bytes <= options_.whole_bytes ? object.size_bytes : std::min(options_.end_bytes, object.size_bytes);
    if (found != entries_.end()) {
      bytes_ -= found->second.piece->size();
      entries_.erase(found);
    }
    if (size <= 0) continue;
    if (!MakeRoom(size)) return;
    auto piece = std::make_shared<Piece>(object.size_bytes - size, size);
    if (pool_ == nullptr) {
      pool_ = std::make_unique<ThreadPool>(
          ThreadPoolOptions{.name = "tarn-ahead", .threads = options_.threads, .max_queued = 4096});
    }
    const Status begun = pool_->Submit([store, object, piece, cost] { piece->Fetch(*store, object, *cost); });
    if (!begun.ok()) return;
    bytes_ += size;
    entries_[name] = Entry{std::move(piece), ++uses_};
  }
}

/// Drops what was used longest ago and is not on its way; false when that is not enough.
bool ReadAhead::MakeRoom(int64_t bytes) {
  while (bytes_ + bytes > options_.max_bytes) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!entry->second.piece->ended()) continue;
      if (oldest == entries_.end() || entry->second.used < oldest->second.used) oldest = entry;
    }
    if (oldest == entries_.end()) return false;
    bytes_ -= oldest->second.piece->size();
    entries_.erase(oldest);
  }
  return true;
}

std::shared_ptr<ReadAhead::Piece> ReadAhead::Find(const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  found->second.used = ++uses_;
  return found->second.piece;
}

Result<std::unique_ptr<ObjectReader>> ReadAhead::Open(const std::shared_ptr<ObjectStore>& store,
                                                      const KnownObject& object, std::shared_ptr<ReadCost> cost) {
  auto piece = Find(NameOf(*store, object));
  TARN_ASSIGN_OR_RETURN(auto reader, store->OpenKnown(object.key, object.size_bytes));
  if (piece == nullptr && cost == nullptr) return reader;
  return std::make_unique<Reader>(std::move(reader), std::move(piece), std::move(cost));
}

int64_t ReadAhead::held_bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace tarn::storage
