#include "storage/retrying_store.h"

#include <string>
#include <utility>

namespace tarn::storage {

namespace {

class Retry {
 public:
  Retry(const RetryPolicy& policy, Clock& clock, Random& random) : policy_(policy), clock_(clock), random_(random) {}

  template <typename Call>
  auto Run(Call call) const {
    Backoff backoff(policy_, clock_, random_);
    while (true) {
      auto result = call();
      if (!CodeIsUnavailable(result) || !backoff.Wait()) return result;
    }
  }

 private:
  static bool CodeIsUnavailable(const Status& status) { return status.Is(StatusCode::kUnavailable); }
  template <typename T>
  static bool CodeIsUnavailable(const Result<T>& result) {
    return result.status().Is(StatusCode::kUnavailable);
  }

  const RetryPolicy policy_;
  Clock& clock_;
  Random& random_;
};

class RetryingReader final : public ObjectReader {
 public:
  RetryingReader(std::unique_ptr<ObjectReader> inner, const Retry& retry) : inner_(std::move(inner)), retry_(retry) {}
  const ObjectInfo& info() const override { return inner_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    return retry_.Run([&] { return inner_->ReadAt(offset, out); });
  }

 private:
  const std::unique_ptr<ObjectReader> inner_;
  const Retry retry_;
};

class RetryingStore final : public ObjectStore {
 public:
  RetryingStore(std::shared_ptr<ObjectStore> inner, const Retry& retry) : inner_(std::move(inner)), retry_(retry) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    return retry_.Run([&] { return inner_->Head(key); });
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_ASSIGN_OR_RETURN(auto reader, retry_.Run([&] { return inner_->Open(key); }));
    return std::make_unique<RetryingReader>(std::move(reader), retry_);
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_ASSIGN_OR_RETURN(auto reader, retry_.Run([&] { return inner_->OpenKnown(key, size_bytes); }));
    return std::make_unique<RetryingReader>(std::move(reader), retry_);
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    return retry_.Run([&] { return inner_->Put(key, bytes, precondition); });
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    return retry_.Run([&] { return inner_->OpenWriter(key, precondition); });
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    ListOptions rest = options;
    return retry_.Run([&] {
      return inner_->List(rest, [&](const ListEntry& entry) {
        rest.start_after = entry.object.key;
        return visit(entry);
      });
    });
  }
  Status Delete(std::string_view key) override {
    return retry_.Run([&] { return inner_->Delete(key); });
  }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }

 private:
  const std::shared_ptr<ObjectStore> inner_;
  const Retry retry_;
};

}  // namespace

std::shared_ptr<ObjectStore> MakeRetryingStore(std::shared_ptr<ObjectStore> store, const RetryPolicy& policy,
                                               Clock& clock, Random& random) {
  return std::make_shared<RetryingStore>(std::move(store), Retry(policy, clock, random));
}

}  // namespace tarn::storage
