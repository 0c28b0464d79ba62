#include <utility>

#include "base/check.h"
#include "storage/stores.h"
#include "storage/uri_path.h"

namespace tarn::storage {

namespace {

/// Shows an inner reader under the key by which it was asked for.
class PrefixReader final : public ObjectReader {
 public:
  PrefixReader(std::unique_ptr<ObjectReader> inner, ObjectInfo info)
      : inner_(std::move(inner)), info_(std::move(info)) {}
  const ObjectInfo& info() const override { return info_; }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override { return inner_->ReadAt(offset, out); }
  Result<size_t> ReadCounted(int64_t offset, MutableByteSpan out, ReadCost& cost) override {
    return inner_->ReadCounted(offset, out, cost);
  }

 private:
  const std::unique_ptr<ObjectReader> inner_;
  const ObjectInfo info_;
};

class PrefixWriter final : public ObjectWriter {
 public:
  PrefixWriter(std::unique_ptr<ObjectWriter> inner, std::string key) : inner_(std::move(inner)), key_(std::move(key)) {}
  Status Append(ByteSpan bytes) override { return inner_->Append(bytes); }
  Result<ObjectInfo> Finish() override {
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, inner_->Finish());
    info.key = key_;
    return info;
  }

 private:
  const std::unique_ptr<ObjectWriter> inner_;
  const std::string key_;
};

class PrefixStore final : public ObjectStore {
 public:
  PrefixStore(std::shared_ptr<ObjectStore> inner, std::string prefix)
      : inner_(std::move(inner)), prefix_(std::move(prefix)) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, inner_->Head(Inner(key)));
    info.key = key;
    return info;
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return Outer(key, inner_->Open(Inner(key)));
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return Outer(key, inner_->OpenKnown(Inner(key), size_bytes));
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, inner_->Put(Inner(key), bytes, precondition));
    info.key = key;
    return info;
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_ASSIGN_OR_RETURN(std::unique_ptr<ObjectWriter> writer, inner_->OpenWriter(Inner(key), precondition));
    return std::make_unique<PrefixWriter>(std::move(writer), std::string(key));
  }

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    ListOptions inner = options;
    inner.prefix = Inner(options.prefix);
    if (!options.start_after.empty()) inner.start_after = Inner(options.start_after);
    return inner_->List(inner, [&](const ListEntry& entry) {
      ListEntry outer = entry;
      outer.object.key.erase(0, prefix_.size());
      return visit(outer);
    });
  }

  Status Delete(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return inner_->Delete(Inner(key));
  }

  std::string uri() const override {
    std::string uri = inner_->uri();
    if (!uri.ends_with('/')) uri += '/';
    return uri + internal::EncodeUriPath(std::string_view(prefix_).substr(0, prefix_.size() - 1));
  }

  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(Inner(key)); }

 private:
  std::string Inner(std::string_view key) const { return prefix_ + std::string(key); }
  static Result<std::unique_ptr<ObjectReader>> Outer(std::string_view key,
                                                     Result<std::unique_ptr<ObjectReader>> reader) {
    TARN_RETURN_NOT_OK(reader.status());
    ObjectInfo info = (*reader)->info();
    info.key = key;
    return std::make_unique<PrefixReader>(*std::move(reader), std::move(info));
  }

  const std::shared_ptr<ObjectStore> inner_;
  /// Ends with '/'.
  const std::string prefix_;
};

}  // namespace

std::shared_ptr<ObjectStore> MakePrefixStore(std::shared_ptr<ObjectStore> store, std::string prefix) {
  while (prefix.ends_with('/')) prefix.pop_back();
  if (prefix.empty()) return store;
  TARN_CHECK(CheckKey(prefix).ok());
  return std::make_shared<PrefixStore>(std::move(store), prefix + '/');
}

}  // namespace tarn::storage
