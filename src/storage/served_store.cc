#include "storage/served_store.h"

#include <string>
#include <utility>

namespace tarn::storage {

namespace {

Status Served(const Status& status) {
  if (!status.Is(StatusCode::kPermissionDenied) && !status.Is(StatusCode::kUnauthenticated)) return status;
  return Status::Unavailable("the store does not let this server in: " + status.message());
}

template <typename T>
Result<T> Served(Result<T> result) {
  if (result.ok()) return result;
  return Served(result.status());
}

class ServedReader final : public ObjectReader {
 public:
  explicit ServedReader(std::unique_ptr<ObjectReader> inner) : inner_(std::move(inner)) {}
  const ObjectInfo& info() const override { return inner_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override { return Served(inner_->ReadAt(offset, out)); }

 private:
  const std::unique_ptr<ObjectReader> inner_;
};

class ServedWriter final : public ObjectWriter {
 public:
  explicit ServedWriter(std::unique_ptr<ObjectWriter> inner) : inner_(std::move(inner)) {}
  Status Append(ByteSpan bytes) override { return Served(inner_->Append(bytes)); }
  Result<ObjectInfo> Finish() override { return Served(inner_->Finish()); }

 private:
  const std::unique_ptr<ObjectWriter> inner_;
};

class ServedStore final : public ObjectStore {
 public:
  explicit ServedStore(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  Result<ObjectInfo> Head(std::string_view key) override { return Served(inner_->Head(key)); }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_ASSIGN_OR_RETURN(auto reader, Served(inner_->Open(key)));
    return std::make_unique<ServedReader>(std::move(reader));
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_ASSIGN_OR_RETURN(auto reader, Served(inner_->OpenKnown(key, size_bytes)));
    return std::make_unique<ServedReader>(std::move(reader));
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    return Served(inner_->Put(key, bytes, precondition));
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_ASSIGN_OR_RETURN(auto writer, Served(inner_->OpenWriter(key, precondition)));
    return std::make_unique<ServedWriter>(std::move(writer));
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return Served(inner_->List(options, visit));
  }
  Status Delete(std::string_view key) override { return Served(inner_->Delete(key)); }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }

 private:
  const std::shared_ptr<ObjectStore> inner_;
};

}  // namespace

std::shared_ptr<ObjectStore> MakeServedStore(std::shared_ptr<ObjectStore> store) {
  return std::make_shared<ServedStore>(std::move(store));
}

}  // namespace tarn::storage
