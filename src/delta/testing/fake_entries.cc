#include "delta/testing/fake_entries.h"

namespace tarn::delta::testing {

namespace {

using Fate = storage::testing::FaultInjector::Fate;

class FaultyEntries final : public CommitEntries {
 public:
  FaultyEntries(std::shared_ptr<CommitEntries> entries, DecideFate decide)
      : entries_(std::move(entries)), decide_(std::move(decide)) {}

  Result<std::optional<CommitEntry>> Get(const std::string& table_path, const std::string& file_name) override {
    if (decide_("get_entry") != Fate::kSucceed) return Failure();
    return entries_->Get(table_path, file_name);
  }
  Result<std::optional<CommitEntry>> Newest(const std::string& table_path) override {
    if (decide_("newest_entry") != Fate::kSucceed) return Failure();
    return entries_->Newest(table_path);
  }
  Status Add(const CommitEntry& entry) override {
    return Write("add_entry", [&] { return entries_->Add(entry); });
  }
  Status Complete(const CommitEntry& entry, int64_t expire_seconds) override {
    return Write("complete_entry", [&] { return entries_->Complete(entry, expire_seconds); });
  }

 private:
  static Status Failure() { return Status::Unavailable("injected: the entries cannot be reached"); }

  Status Write(std::string_view operation, const std::function<Status()>& call) {
    const Fate fate = decide_(operation);
    if (fate == Fate::kFail) return Failure();
    const Status status = call();
    return fate == Fate::kSucceed || !status.ok() ? status : Status::Indeterminate("injected: the reply was lost");
  }

  const std::shared_ptr<CommitEntries> entries_;
  const DecideFate decide_;
};

}  // namespace

Result<std::optional<CommitEntry>> FakeEntries::Get(const std::string& table_path, const std::string& file_name) {
  MutexLock lock(mutex_);
  const auto found = kept_.find({table_path, file_name});
  return found == kept_.end() ? std::nullopt : std::optional(found->second.entry);
}

Result<std::optional<CommitEntry>> FakeEntries::Newest(const std::string& table_path) {
  MutexLock lock(mutex_);
  std::optional<CommitEntry> newest;
  for (const auto& [key, kept] : kept_) {
    if (key.first == table_path) newest = kept.entry;
  }
  return newest;
}

Status FakeEntries::Add(const CommitEntry& entry) {
  MutexLock lock(mutex_);
  const bool added = kept_.emplace(std::pair(entry.table_path, entry.file_name), Kept{entry, 0}).second;
  return added ? Status::Ok() : Status::AlreadyExists("there is an entry for " + entry.file_name);
}

Status FakeEntries::Complete(const CommitEntry& entry, int64_t expire_seconds) {
  MutexLock lock(mutex_);
  const auto found = kept_.find({entry.table_path, entry.file_name});
  if (found == kept_.end() || found->second.entry.temp_path != entry.temp_path) {
    return Status::Conflict("the entry of " + entry.file_name + " is another");
  }
  found->second.entry.complete = true;
  found->second.expire_seconds = expire_seconds;
  return Status::Ok();
}

FakeEntries::Map FakeEntries::kept() const {
  MutexLock lock(mutex_);
  return kept_;
}

void FakeEntries::Expire(int64_t now_seconds) {
  MutexLock lock(mutex_);
  std::erase_if(
      kept_, [&](const auto& item) { return item.second.entry.complete && item.second.expire_seconds <= now_seconds; });
}

std::shared_ptr<CommitEntries> MakeFaultyEntries(std::shared_ptr<CommitEntries> entries, DecideFate decide) {
  return std::make_shared<FaultyEntries>(std::move(entries), std::move(decide));
}

}  // namespace tarn::delta::testing
