#include "storage/metering_store.h"

#include <atomic>
#include <string>
#include <utility>

namespace tarn::storage {

namespace {

struct Counters {
  std::atomic<int64_t> calls = 0;
  std::atomic<int64_t> failures = 0;
  std::atomic<int64_t> bytes = 0;
  std::atomic<int64_t> micros_total = 0;
};

/// Shared with the readers and writers, which may outlive the store.
class Meter {
 public:
  explicit Meter(Clock& clock) : clock_(clock) {}

  /// Runs `call` and counts it; `bytes_of` is asked about a success.
  template <typename Call, typename BytesOf>
  auto Measure(StoreOperation operation, Call call, BytesOf bytes_of) {
    const int64_t began = clock_.MonotonicMicros();
    auto result = call();
    Counters& counters = counters_[static_cast<size_t>(operation)];
    counters.calls += 1;
    counters.micros_total += clock_.MonotonicMicros() - began;
    if (result.ok()) {
      counters.bytes += bytes_of(result);
    } else if (IsFailure(CodeOf(result))) {
      counters.failures += 1;
    }
    return result;
  }
  template <typename Call>
  auto Measure(StoreOperation operation, Call call) {
    return Measure(operation, call, [](const auto&) { return int64_t{0}; });
  }

  StoreStats stats() const {
    StoreStats stats;
    for (size_t i = 0; i < counters_.size(); ++i) {
      stats[i] = {counters_[i].calls, counters_[i].failures, counters_[i].bytes, counters_[i].micros_total};
    }
    return stats;
  }

 private:
  static StatusCode CodeOf(const Status& status) { return status.code(); }
  template <typename T>
  static StatusCode CodeOf(const Result<T>& result) {
    return result.status().code();
  }
  static bool IsFailure(StatusCode code) {
    return code != StatusCode::kNotFound && code != StatusCode::kAlreadyExists && code != StatusCode::kConflict;
  }

  Clock& clock_;
  std::array<Counters, kStoreOperationCount> counters_;
};

class MeteredReader final : public ObjectReader {
 public:
  MeteredReader(std::unique_ptr<ObjectReader> inner, std::shared_ptr<Meter> meter)
      : inner_(std::move(inner)), meter_(std::move(meter)) {}
  const ObjectInfo& info() const override { return inner_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    return meter_->Measure(
        StoreOperation::kRead, [&] { return inner_->ReadAt(offset, out); },
        [](const Result<size_t>& read) { return static_cast<int64_t>(*read); });
  }

 private:
  const std::unique_ptr<ObjectReader> inner_;
  const std::shared_ptr<Meter> meter_;
};

class MeteredWriter final : public ObjectWriter {
 public:
  MeteredWriter(std::unique_ptr<ObjectWriter> inner, std::shared_ptr<Meter> meter)
      : inner_(std::move(inner)), meter_(std::move(meter)) {}
  Status Append(ByteSpan bytes) override {
    return meter_->Measure(
        StoreOperation::kWrite, [&] { return inner_->Append(bytes); },
        [&](const Status&) { return static_cast<int64_t>(bytes.size()); });
  }
  Result<ObjectInfo> Finish() override {
    return meter_->Measure(StoreOperation::kPut, [&] { return inner_->Finish(); });
  }

 private:
  const std::unique_ptr<ObjectWriter> inner_;
  const std::shared_ptr<Meter> meter_;
};

class MeteringStoreImpl final : public MeteringStore {
 public:
  MeteringStoreImpl(std::shared_ptr<ObjectStore> inner, Clock& clock)
      : inner_(std::move(inner)), meter_(std::make_shared<Meter>(clock)) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    return meter_->Measure(StoreOperation::kHead, [&] { return inner_->Head(key); });
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    auto reader = meter_->Measure(StoreOperation::kOpen, [&] { return inner_->Open(key); });
    TARN_RETURN_NOT_OK(reader.status());
    return std::make_unique<MeteredReader>(*std::move(reader), meter_);
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    auto reader = meter_->Measure(StoreOperation::kOpen, [&] { return inner_->OpenKnown(key, size_bytes); });
    TARN_RETURN_NOT_OK(reader.status());
    return std::make_unique<MeteredReader>(*std::move(reader), meter_);
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    return meter_->Measure(
        StoreOperation::kPut, [&] { return inner_->Put(key, bytes, precondition); },
        [&](const Result<ObjectInfo>&) { return static_cast<int64_t>(bytes.size()); });
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    auto writer = meter_->Measure(StoreOperation::kWrite, [&] { return inner_->OpenWriter(key, precondition); });
    TARN_RETURN_NOT_OK(writer.status());
    return std::make_unique<MeteredWriter>(*std::move(writer), meter_);
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return meter_->Measure(StoreOperation::kList, [&] { return inner_->List(options, visit); });
  }
  Status Delete(std::string_view key) override {
    return meter_->Measure(StoreOperation::kDelete, [&] { return inner_->Delete(key); });
  }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }
  StoreStats stats() const override { return meter_->stats(); }

 private:
  const std::shared_ptr<ObjectStore> inner_;
  const std::shared_ptr<Meter> meter_;
};

}  // namespace

std::string_view StoreOperationName(StoreOperation operation) {
  static constexpr std::array<std::string_view, kStoreOperationCount> kNames = {"head",  "open", "read",  "put",
                                                                                "write", "list", "delete"};
  return kNames[static_cast<size_t>(operation)];
}

std::shared_ptr<MeteringStore> MakeMeteringStore(std::shared_ptr<ObjectStore> store, Clock& clock) {
  return std::make_shared<MeteringStoreImpl>(std::move(store), clock);
}

}  // namespace tarn::storage
