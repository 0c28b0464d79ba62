#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/object_store.h"

namespace tarn::storage {

/// Does everything as another store does; for decorators that change only some of it. As thread-safe as the other.
class ForwardingStore : public ObjectStore {
 public:
  explicit ForwardingStore(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  Result<ObjectInfo> Head(std::string_view key) override { return inner_->Head(key); }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override { return inner_->Open(key); }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    return inner_->OpenKnown(key, size_bytes);
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    return inner_->Put(key, bytes, precondition);
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    return inner_->OpenWriter(key, precondition);
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return inner_->List(options, visit);
  }
  Status Delete(std::string_view key) override { return inner_->Delete(key); }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }
  Status CheckOutside(std::string_view place) const override { return inner_->CheckOutside(place); }

 protected:
  ObjectStore& inner() { return *inner_; }

 private:
  const std::shared_ptr<ObjectStore> inner_;
};

}  // namespace tarn::storage
