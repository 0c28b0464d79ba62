#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "delta/log/commit_entries.h"
#include "storage/testing/fault_injection.h"

namespace tarn::delta::testing {

/// Entries in memory. Thread-safe.
class FakeEntries final : public CommitEntries {
 public:
  struct Kept {
    CommitEntry entry;
    int64_t expire_seconds = 0;
  };
  /// By table path and file name.
  using Map = std::map<std::pair<std::string, std::string>, Kept>;

  Result<std::optional<CommitEntry>> Get(const std::string& table_path, const std::string& file_name) override;
  Result<std::optional<CommitEntry>> Newest(const std::string& table_path) override;
  Status Add(const CommitEntry& entry) override;
  Status Complete(const CommitEntry& entry, int64_t expire_seconds) override;

  Map kept() const EXCLUDES(mutex_);
  /// Removes complete entries whose time has come.
  void Expire(int64_t now_seconds) EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  Map kept_ GUARDED_BY(mutex_);
};

/// Asked before each operation on entries ("get_entry", "newest_entry", "add_entry", "complete_entry") what becomes of
/// it.
using DecideFate = std::function<storage::testing::FaultInjector::Fate(std::string_view operation)>;

/// What one client sees of entries that others use, too.
std::shared_ptr<CommitEntries> MakeFaultyEntries(std::shared_ptr<CommitEntries> entries, DecideFate decide);

}  // namespace tarn::delta::testing
