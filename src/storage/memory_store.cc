#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/mutex.h"
#include "storage/stores.h"

namespace tarn::storage {

namespace {

/// Entries copied at a time, so that the lock is not held while a visitor runs.
constexpr size_t kListChunk = 256;

/// One version of an object; immutable.
struct Version {
  ObjectInfo info;
  std::string bytes;
};

class MemoryReader final : public ObjectReader {
 public:
  explicit MemoryReader(std::shared_ptr<const Version> version) : version_(std::move(version)) {}
  const ObjectInfo& info() const override { return version_->info; }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    if (offset < 0) return Status::InvalidArgument("negative offset in " + version_->info.key);
    if (offset >= version_->info.size_bytes) return size_t{0};
    const size_t begin = static_cast<size_t>(offset);
    const size_t count = std::min(out.size(), version_->bytes.size() - begin);
    if (count > 0) std::memcpy(out.data(), version_->bytes.data() + begin, count);
    return count;
  }

 private:
  const std::shared_ptr<const Version> version_;
};

class MemoryStore final : public ObjectStore {
 public:
  explicit MemoryStore(Clock& clock) : clock_(clock) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    TARN_ASSIGN_OR_RETURN(const auto version, Find(key));
    return version->info;
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_ASSIGN_OR_RETURN(auto version, Find(key));
    return std::make_unique<MemoryReader>(std::move(version));
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    auto version = std::make_shared<Version>();
    version->bytes = AsText(bytes);
    version->info = {std::string(key), static_cast<int64_t>(bytes.size()), clock_.WallMicros(), {}};
    MutexLock lock(mutex_);
    const auto old = objects_.find(key);
    if (precondition.kind == Precondition::Kind::kIfAbsent && old != objects_.end()) {
      return Status::AlreadyExists(std::string(key) + " exists");
    }
    if (precondition.kind == Precondition::Kind::kIfMatch &&
        (old == objects_.end() || old->second->info.etag != precondition.etag)) {
      return Status::Conflict(std::string(key) + " is not the version that was read");
    }
    version->info.etag = std::to_string(++versions_made_);
    ObjectInfo info = version->info;
    objects_.insert_or_assign(std::string(key), std::move(version));
    return info;
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override;

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    // Everything at or behind `from` is still to be looked at.
    std::string from = std::max(options.prefix, options.start_after);
    while (true) {
      const std::vector<ListEntry> chunk = NextChunk(options, from);
      for (const ListEntry& entry : chunk) {
        if (!visit(entry)) return Status::Ok();
      }
      if (chunk.empty()) return Status::Ok();
    }
  }

  Status Delete(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found != objects_.end()) objects_.erase(found);
    return Status::Ok();
  }

  std::string uri() const override { return "memory://"; }
  std::optional<std::string> LocalPath(std::string_view) const override { return std::nullopt; }

 private:
  Result<std::shared_ptr<const Version>> Find(std::string_view key) {
    TARN_RETURN_NOT_OK(CheckKey(key));
    MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Status::NotFound(std::string(key) + " does not exist");
    return found->second;
  }

  /// The next entries, and `from` moved behind them.
  std::vector<ListEntry> NextChunk(const ListOptions& options, std::string& from) EXCLUDES(mutex_) {
    std::vector<ListEntry> chunk;
    MutexLock lock(mutex_);
    auto at = objects_.lower_bound(from);
    while (at != objects_.end() && at->first.starts_with(options.prefix) && chunk.size() < kListChunk) {
      const size_t slash = options.group_by_folder ? at->first.find('/', options.prefix.size()) : std::string::npos;
      if (slash == std::string::npos) {
        if (at->first > options.start_after) chunk.push_back({at->second->info, false});
        // The smallest key behind this one.
        from = at->first + '\0';
      } else {
        std::string folder = at->first.substr(0, slash + 1);
        // The smallest key behind all that lie in the folder: '0' follows '/'.
        from = folder.substr(0, slash) + '0';
        if (folder > options.start_after) chunk.push_back({{.key = std::move(folder)}, true});
      }
      at = objects_.lower_bound(from);
    }
    return chunk;
  }

  Clock& clock_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const Version>, std::less<>> objects_ GUARDED_BY(mutex_);
  int64_t versions_made_ GUARDED_BY(mutex_) = 0;
};

class MemoryWriter final : public ObjectWriter {
 public:
  MemoryWriter(MemoryStore& store, std::string key, Precondition precondition)
      : store_(store), key_(std::move(key)), precondition_(std::move(precondition)) {}

  Status Append(ByteSpan bytes) override {
    if (finished_) return Status::InvalidArgument(key_ + " is finished already");
    bytes_ += AsText(bytes);
    return Status::Ok();
  }
  Result<ObjectInfo> Finish() override {
    if (finished_) return Status::InvalidArgument(key_ + " is finished already");
    finished_ = true;
    return store_.Put(key_, AsBytes(bytes_), precondition_);
  }

 private:
  MemoryStore& store_;
  const std::string key_;
  const Precondition precondition_;
  std::string bytes_;
  bool finished_ = false;
};

Result<std::unique_ptr<ObjectWriter>> MemoryStore::OpenWriter(std::string_view key, const Precondition& precondition) {
  TARN_RETURN_NOT_OK(CheckKey(key));
  return std::make_unique<MemoryWriter>(*this, std::string(key), precondition);
}

}  // namespace

std::shared_ptr<ObjectStore> MakeMemoryStore(Clock& clock) { return std::make_shared<MemoryStore>(clock); }

}  // namespace tarn::storage
