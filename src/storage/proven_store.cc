#include "storage/proven_store.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "storage/forwarding_store.h"
#include "storage/posix_file.h"

namespace tarn::storage {

namespace {

constexpr int kRivals = 8;
constexpr int kRounds = 3;

class ProvenStore final : public ForwardingStore {
 public:
  ProvenStore(std::shared_ptr<ObjectStore> store, Random& random)
      : ForwardingStore(std::move(store)), random_(random) {}

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_RETURN_NOT_OK(Prove(precondition));
    return inner().Put(key, bytes, precondition);
  }
  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_RETURN_NOT_OK(Prove(precondition));
    return inner().OpenWriter(key, precondition);
  }

 private:
  /// OK when the store is known to keep to kIfAbsent. One thread finds out, the others wait for it.
  Status Prove(const Precondition& precondition) EXCLUDES(mutex_) {
    if (precondition.kind != Precondition::Kind::kIfAbsent) return Status::Ok();
    MutexLock lock(mutex_);
    while (probing_) probed_.wait(mutex_);
    if (verdict_.has_value()) return *verdict_;
    probing_ = true;
    lock.Unlock();
    Status status;
    for (int round = 0; round < kRounds && status.ok(); ++round) status = Probe(round == 0);
    lock.Lock();
    probing_ = false;
    probed_.notify_all();
    if (status.ok() || status.Is(StatusCode::kUnsupported)) verdict_ = status;
    return status;
  }

  Status Probe(bool with_keys) {
    const std::string stem = std::string(internal::kStagedPrefix) + "probe-" + random_.Uuid();
    const std::string key = stem + "%41";
    std::array<Status, kRivals> outcomes;
    {
      std::vector<Thread> rivals;
      for (int i = 0; i < kRivals; ++i) {
        rivals.emplace_back("tarn-probe", [&, i] { outcomes[static_cast<size_t>(i)] = PutOnce(key, i); });
      }
    }
    Status status = Judge(key, outcomes);
    if (status.ok() && with_keys) status = CheckKeysApart(key, stem + "A");
    // What is left behind is never shown.
    (void)inner().Delete(key);
    return status;
  }

  Status PutOnce(const std::string& key, int rival) {
    return inner().Put(key, AsBytes(std::to_string(rival)), Precondition::IfAbsent()).status();
  }

  Status Judge(const std::string& key, const std::array<Status, kRivals>& outcomes) {
    int winner = -1;
    for (int i = 0; i < kRivals; ++i) {
      const Status& outcome = outcomes[static_cast<size_t>(i)];
      if (outcome.Is(StatusCode::kAlreadyExists)) continue;
      if (!outcome.ok()) return outcome.WithContext("trying whether the store can decide between writers");
      if (winner >= 0) return Refusal("of several writers that put one object if absent more than one won");
      winner = i;
    }
    if (winner < 0) return Refusal("no writer may put an object that is absent");
    if (!PutOnce(key, kRivals).Is(StatusCode::kAlreadyExists))
      return Refusal("an object that exists was put if absent");
    TARN_ASSIGN_OR_RETURN(const std::string found, inner().Get(key));
    if (found != std::to_string(winner)) return Refusal("the winner's object was overwritten");
    return Status::Ok();
  }

  /// A service that decodes keys lists objects under other keys than those by which a log knows them.
  Status CheckKeysApart(const std::string& key, const std::string& decoded) {
    const Status found = inner().Head(decoded).status();
    if (found.Is(StatusCode::kNotFound)) return Status::Ok();
    if (!found.ok()) return found.WithContext("trying whether the store keeps keys apart");
    return Status::Unsupported(uri() + " cannot be committed to: it takes two keys for one (" + key + " and " +
                               decoded + "), and files in use would be deleted for others");
  }

  Status Refusal(const std::string& why) const {
    return Status::Unsupported(uri() +
                               " cannot be committed to: it does not keep to If-None-Match, by which one of several "
                               "writers wins, and would lose commits (" +
                               why + ")");
  }

  Random& random_;
  Mutex mutex_;
  CondVar probed_;
  bool probing_ GUARDED_BY(mutex_) = false;
  std::optional<Status> verdict_ GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<ObjectStore> MakeProvenStore(std::shared_ptr<ObjectStore> store, Random& random) {
  return std::make_shared<ProvenStore>(std::move(store), random);
}

}  // namespace tarn::storage
