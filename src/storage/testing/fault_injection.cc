#include "storage/testing/fault_injection.h"

#include <utility>

namespace tarn::storage::testing {

namespace {

using Fate = FaultInjector::Fate;

Status AsStatus(const Status& status) { return status; }
template <typename T>
Status AsStatus(const Result<T>& result) {
  return result.status();
}

/// Something that may fail; shared by all decorators.
class Faults {
 public:
  explicit Faults(std::shared_ptr<FaultInjector> injector) : injector_(std::move(injector)) {}

  /// An operation that changes nothing.
  template <typename Call>
  auto Read(std::string_view operation, Call call) const -> decltype(call()) {
    if (injector_->Next(operation) != Fate::kSucceed) return injector_->Failure(operation);
    return call();
  }

  template <typename Call>
  auto Write(std::string_view operation, Call call) const -> decltype(call()) {
    const Fate fate = injector_->Next(operation);
    if (fate == Fate::kFail) return injector_->Failure(operation);
    auto result = call();
    if (fate == Fate::kSucceed || !AsStatus(result).ok()) return result;
    return Status::Indeterminate("injected: the reply of " + std::string(operation) + " was lost");
  }

 private:
  const std::shared_ptr<FaultInjector> injector_;
};

class FaultyReader final : public ObjectReader {
 public:
  FaultyReader(std::unique_ptr<ObjectReader> inner, Faults faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  const ObjectInfo& info() const override { return inner_->info(); }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    return faults_.Read("read", [&] { return inner_->ReadAt(offset, out); });
  }

 private:
  const std::unique_ptr<ObjectReader> inner_;
  const Faults faults_;
};

class FaultyWriter final : public ObjectWriter {
 public:
  FaultyWriter(std::unique_ptr<ObjectWriter> inner, Faults faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  Status Append(ByteSpan bytes) override {
    // Nobody sees a piece before Finish, so that a lost reply is a failure like any other.
    return faults_.Read("write", [&] { return inner_->Append(bytes); });
  }
  Result<ObjectInfo> Finish() override {
    return faults_.Write("finish", [&] { return inner_->Finish(); });
  }

 private:
  const std::unique_ptr<ObjectWriter> inner_;
  const Faults faults_;
};

class FaultyStore final : public ObjectStore {
 public:
  FaultyStore(std::shared_ptr<ObjectStore> inner, Faults faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    return faults_.Read("head", [&] { return inner_->Head(key); });
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_ASSIGN_OR_RETURN(auto reader, faults_.Read("open", [&] { return inner_->Open(key); }));
    return std::make_unique<FaultyReader>(std::move(reader), faults_);
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_ASSIGN_OR_RETURN(auto reader, faults_.Read("open", [&] { return inner_->OpenKnown(key, size_bytes); }));
    return std::make_unique<FaultyReader>(std::move(reader), faults_);
  }
  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    return faults_.Write("put", [&] { return inner_->Put(key, bytes, precondition); });
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_ASSIGN_OR_RETURN(auto writer,
                          faults_.Read("open_writer", [&] { return inner_->OpenWriter(key, precondition); }));
    return std::make_unique<FaultyWriter>(std::move(writer), faults_);
  }
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return faults_.Read("list", [&] { return inner_->List(options, visit); });
  }
  Status Delete(std::string_view key) override {
    return faults_.Write("delete", [&] { return inner_->Delete(key); });
  }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }

 private:
  const std::shared_ptr<ObjectStore> inner_;
  const Faults faults_;
};

class FaultySegmentWriter final : public SegmentWriter {
 public:
  FaultySegmentWriter(std::unique_ptr<SegmentWriter> inner, Faults faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  Status Append(ByteSpan bytes) override { return AppendPieces({&bytes, 1}); }
  Status AppendPieces(std::span<const ByteSpan> pieces) override {
    TARN_RETURN_NOT_OK(status_);
    status_ = faults_.Write("append", [&] { return inner_->AppendPieces(pieces); });
    return status_;
  }
  Status Sync() override {
    TARN_RETURN_NOT_OK(status_);
    status_ = faults_.Write("sync", [&] { return inner_->Sync(); });
    return status_;
  }
  int64_t size_bytes() const override { return inner_->size_bytes(); }

 private:
  const std::unique_ptr<SegmentWriter> inner_;
  const Faults faults_;
  /// A failure is fatal to the segment.
  Status status_;
};

class FaultySegments final : public SegmentStore {
 public:
  FaultySegments(std::shared_ptr<SegmentStore> inner, Faults faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}

  Result<std::unique_ptr<SegmentWriter>> Create(std::string_view name, int64_t preallocate_bytes) override {
    TARN_ASSIGN_OR_RETURN(auto writer,
                          faults_.Write("create", [&] { return inner_->Create(name, preallocate_bytes); }));
    return std::make_unique<FaultySegmentWriter>(std::move(writer), faults_);
  }
  Result<std::string> Read(std::string_view name) override {
    return faults_.Read("read_segment", [&] { return inner_->Read(name); });
  }
  Result<std::string> ReadRange(std::string_view name, int64_t offset, int64_t length) override {
    return faults_.Read("read_segment", [&] { return inner_->ReadRange(name, offset, length); });
  }
  Status Sync(std::string_view name) override {
    return faults_.Write("sync_segment", [&] { return inner_->Sync(name); });
  }
  Result<std::vector<SegmentInfo>> List() override {
    return faults_.Read("list_segments", [&] { return inner_->List(); });
  }
  Status Remove(std::string_view name) override {
    return faults_.Write("remove", [&] { return inner_->Remove(name); });
  }
  Status WriteFile(std::string_view name, ByteSpan bytes) override {
    return faults_.Write("write_file", [&] { return inner_->WriteFile(name, bytes); });
  }

 private:
  const std::shared_ptr<SegmentStore> inner_;
  const Faults faults_;
};

}  // namespace

void FaultInjector::Disarm() {
  MutexLock lock(mutex_);
  plan_ = {};
}

void FaultInjector::Arm(FaultPlan plan) {
  MutexLock lock(mutex_);
  plan_ = std::move(plan);
  matched_ = 0;
  fired_ = false;
  counts_.clear();
}

bool FaultInjector::fired() const {
  MutexLock lock(mutex_);
  return fired_;
}

std::map<std::string, int64_t> FaultInjector::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

Fate FaultInjector::Next(std::string_view operation) {
  MutexLock lock(mutex_);
  ++counts_[std::string(operation)];
  const bool is_meant = (plan_.operation.empty() || plan_.operation == operation) && !plan_.except.contains(operation);
  if (plan_.nth <= 0 || !is_meant) return Fate::kSucceed;
  ++matched_;
  const bool is_hit = plan_.mode == FaultMode::kEveryNth  ? matched_ % plan_.nth == 0
                      : plan_.mode == FaultMode::kForever ? matched_ >= plan_.nth
                                                          : matched_ == plan_.nth;
  if (!is_hit) return Fate::kSucceed;
  fired_ = true;
  return plan_.mode == FaultMode::kReplyLost ? Fate::kLoseReply : Fate::kFail;
}

Status FaultInjector::Failure(std::string_view operation) const {
  MutexLock lock(mutex_);
  return {plan_.code, "injected: " + std::string(operation) + " failed"};
}

std::shared_ptr<ObjectStore> MakeFaultyStore(std::shared_ptr<ObjectStore> store,
                                             std::shared_ptr<FaultInjector> injector) {
  return std::make_shared<FaultyStore>(std::move(store), Faults(std::move(injector)));
}

std::shared_ptr<SegmentStore> MakeFaultySegments(std::shared_ptr<SegmentStore> store,
                                                 std::shared_ptr<FaultInjector> injector) {
  return std::make_shared<FaultySegments>(std::move(store), Faults(std::move(injector)));
}

int64_t SweepFaults(const FaultPlan& plan,
                    const std::function<void(std::shared_ptr<FaultInjector>, const std::function<void()>& arm)>& body) {
  for (int64_t nth = 1;; ++nth) {
    auto injector = std::make_shared<FaultInjector>();
    FaultPlan armed = plan;
    armed.nth = nth;
    bool fired = false;
    body(injector, [&] { injector->Arm(armed); });
    fired = injector->fired();
    if (!fired) return nth - 1;
  }
}

}  // namespace tarn::storage::testing
