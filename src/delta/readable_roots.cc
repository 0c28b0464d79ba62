#include "delta/readable_roots.h"

#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "delta/table_path.h"
#include "storage/forwarding_store.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

using storage::ObjectInfo;
using storage::ObjectReader;
using storage::ObjectStore;

constexpr std::string_view kS3Scheme = "s3://";
/// Of buckets that one table's log may name where everything may be read.
constexpr size_t kMaxOpened = 64;

/// Shows an object of a root under the place by which it was asked for.
class OutsideReader final : public ObjectReader {
 public:
  OutsideReader(std::unique_ptr<ObjectReader> inner, std::string_view place)
      : inner_(std::move(inner)), info_(inner_->info()) {
    info_.key = place;
  }
  const ObjectInfo& info() const override { return info_; }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override { return inner_->ReadAt(offset, out); }
  Result<size_t> ReadCounted(int64_t offset, MutableByteSpan out, storage::ReadCost& cost) override {
    return inner_->ReadCounted(offset, out, cost);
  }

 private:
  const std::unique_ptr<ObjectReader> inner_;
  ObjectInfo info_;
};

/// What lies below `root`, relative to it; nullopt for what does not.
std::optional<std::string_view> Below(std::string_view root, std::string_view place) {
  if (!place.starts_with(root)) return std::nullopt;
  place.remove_prefix(root.size());
  if (root.ends_with('/')) return place;
  if (!place.starts_with('/')) return std::nullopt;
  return place.substr(1);
}

class StoreWithRoots final : public storage::ForwardingStore {
 public:
  StoreWithRoots(std::shared_ptr<ObjectStore> table_store, ReadableRoots roots)
      : ForwardingStore(std::move(table_store)), anywhere_(roots.anywhere) {
    for (auto& store : roots.stores) {
      std::string place = CanonicalRoot(store->uri());
      roots_.push_back({std::move(place), std::move(store)});
    }
  }

  Result<ObjectInfo> Head(std::string_view key) override {
    if (!IsOutside(key)) return inner().Head(key);
    TARN_ASSIGN_OR_RETURN(const Object object, Find(key));
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, object.store->Head(object.key));
    info.key = key;
    return info;
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    if (!IsOutside(key)) return inner().Open(key);
    TARN_ASSIGN_OR_RETURN(const Object object, Find(key));
    return Shown(object.store->Open(object.key), key);
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    if (!IsOutside(key)) return inner().OpenKnown(key, size_bytes);
    TARN_ASSIGN_OR_RETURN(const Object object, Find(key));
    return Shown(object.store->OpenKnown(object.key, size_bytes), key);
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const storage::Precondition& precondition) override {
    if (IsOutside(key)) return OnlyRead(key);
    return inner().Put(key, bytes, precondition);
  }
  Result<std::unique_ptr<storage::ObjectWriter>> OpenWriter(std::string_view key,
                                                            const storage::Precondition& precondition) override {
    if (IsOutside(key)) return OnlyRead(key);
    return inner().OpenWriter(key, precondition);
  }
  Status Delete(std::string_view key) override { return IsOutside(key) ? OnlyRead(key) : inner().Delete(key); }

  std::optional<std::string> LocalPath(std::string_view key) const override {
    if (!IsOutside(key)) return ForwardingStore::LocalPath(key);
    const auto object = Find(key);
    return object.ok() ? object->store->LocalPath(object->key) : std::nullopt;
  }
  Status CheckOutside(std::string_view place) const override { return Find(place).status(); }

 private:
  struct Root {
    /// In canonical form, as the paths below it.
    std::string place;
    std::shared_ptr<ObjectStore> store;
  };
  struct Object {
    std::shared_ptr<ObjectStore> store;
    std::string_view key;
  };

  static Status OnlyRead(std::string_view place) {
    return Status::PermissionDenied(std::string(place) + " lies outside of the table, and is only read");
  }

  static Result<std::unique_ptr<ObjectReader>> Shown(Result<std::unique_ptr<ObjectReader>> reader,
                                                     std::string_view place) {
    TARN_RETURN_NOT_OK(reader.status());
    return std::make_unique<OutsideReader>(*std::move(reader), place);
  }

  Result<Object> Find(std::string_view place) const {
    for (const Root& root : roots_) {
      if (const auto key = Below(root.place, place); key.has_value()) return Named(root.store, *key);
    }
    if (anywhere_) {
      // The folder "/", or a bucket.
      size_t end = place.starts_with('/') ? 1 : std::string_view::npos;
      if (place.starts_with(kS3Scheme)) end = place.find('/', kS3Scheme.size());
      if (end != std::string_view::npos && end < place.size()) {
        TARN_ASSIGN_OR_RETURN(auto store, Opened(place.substr(0, end)));
        return Named(std::move(store), place.substr(place[0] == '/' ? 1 : end + 1));
      }
    }
    return Status::PermissionDenied(std::string(place) +
                                    " lies outside of the table, and below no root whose files may be read");
  }

  static Result<Object> Named(std::shared_ptr<ObjectStore> store, std::string_view key) {
    // It is the table that is wrong, not whoever asked for it.
    if (const Status named = storage::CheckKey(key); !named.ok()) return Status::Corruption(named.message());
    return Object{std::move(store), key};
  }

  Result<std::shared_ptr<ObjectStore>> Opened(std::string_view uri) const {
    MutexLock lock(mutex_);
    const auto known = opened_.find(uri);
    if (known != opened_.end()) return known->second;
    if (opened_.size() == kMaxOpened) {
      return Status::ResourceExhausted("the table names files in more than " + std::to_string(kMaxOpened) +
                                       " places, " + std::string(uri) + " among them");
    }
    TARN_ASSIGN_OR_RETURN(auto store, storage::OpenStore(uri));
    return opened_.emplace(uri, std::move(store)).first->second;
  }

  const bool anywhere_;
  std::vector<Root> roots_;
  mutable Mutex mutex_;
  /// By their URIs: as many as a log names buckets.
  mutable std::map<std::string, std::shared_ptr<ObjectStore>, std::less<>> opened_ GUARDED_BY(mutex_);
};

}  // namespace

Result<ReadableRoots> OpenReadableRoots(const std::vector<std::string>& uris) {
  ReadableRoots roots;
  for (const std::string& uri : uris) {
    if (storage::IsWebUri(uri)) {
      return Status::Unsupported("root '" + uri + "': folders of web servers are no roots");
    }
    auto store = storage::OpenStore(uri);
    if (!store.ok()) return store.status().WithContext("root '" + uri + "'");
    roots.stores.push_back(*std::move(store));
  }
  return roots;
}

std::shared_ptr<ObjectStore> MakeStoreWithRoots(std::shared_ptr<ObjectStore> table_store, ReadableRoots roots) {
  return std::make_shared<StoreWithRoots>(std::move(table_store), std::move(roots));
}

}  // namespace tarn::delta
