#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "delta/table.h"
#include "lake/lake.h"
#include "lake/lake_seams.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/simulated_segments.h"

/// Fails the test at once, with the reason, unless a Status or Result is OK.
#define ASSERT_OK(expression)                                                                              \
  do {                                                                                                     \
    const auto _ok = (expression);                                                                         \
    ASSERT_TRUE(tarn::lake::testing::StatusOf(_ok).ok()) << tarn::lake::testing::StatusOf(_ok).ToString(); \
  } while (false)

namespace tarn::lake::testing {

inline Status StatusOf(const Status& status) { return status; }
template <typename T>
Status StatusOf(const Result<T>& result) {
  return result.status();
}

/// The local disks under all lakes of a test: one simulated segment store per node folder, and who holds it.
/// Thread-safe.
class SimulatedNodes {
 public:
  explicit SimulatedNodes(uint64_t seed) : seed_(seed) {}

  /// A view of the folders for one lake. Locks are given up when the lake closes.
  std::unique_ptr<WalFolders> Folders();
  std::shared_ptr<storage::testing::SimulatedSegments> Segments(const std::string& node);
  std::vector<std::string> Nodes() const;
  /// Removes a node's folder, as an operator might.
  void Delete(const std::string& node);
  /// Ends the process of every node without an owner: see SimulatedSegments.
  void LosePower();
  void KillProcess();
  /// Every file of a node, to be put back by Restore.
  std::map<std::string, std::string> Backup(const std::string& node);
  void Restore(const std::string& node, const std::map<std::string, std::string>& files);

  bool TryLock(const std::string& node);
  void Unlock(const std::string& node);

 private:
  const uint64_t seed_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<storage::testing::SimulatedSegments>> nodes_ GUARDED_BY(mutex_);
  std::set<std::string> locked_ GUARDED_BY(mutex_);
};

/// A lake and all that surrounds it, in memory and in one thread unless a test says otherwise.
class LakeWorld {
 public:
  explicit LakeWorld(uint64_t seed = 1, size_t memory_bytes = 64 << 20);

  LakeOptions Options();
  /// Opens another lake on the same store and disks.
  Result<std::unique_ptr<Lake>> Open();
  Result<std::unique_ptr<Lake>> Open(const LakeOptions& options);

  FakeClock clock;
  Random random;
  MemoryBudget budget;
  InlineExecutor executor;
  /// The store without faults.
  std::shared_ptr<storage::ObjectStore> store;
  std::shared_ptr<storage::testing::FaultInjector> faults;
  SimulatedNodes nodes;
  /// Put into the seams of lakes opened from now on.
  std::function<Status(std::string_view)> at_point;
  bool canary_replays_twice = false;
  bool canary_overwrites_commits = false;
  /// Called before a lake commits to a table, as a peer that is faster may be.
  std::function<void(std::string_view key)> before_commit;
};

/// A batch with the columns `time` (all in one day each 24 h apart by `day`), `id` and, if asked for, more.
struct RowsOf {
  std::vector<int64_t> ids;
  int64_t day = 0;
  /// Adds a column of this name and type, its values made from the ids.
  std::optional<std::string> extra_name;
  std::shared_ptr<arrow::DataType> extra_type;
};
std::shared_ptr<arrow::RecordBatch> MakeRows(const RowsOf& rows);

using Ids = std::multiset<int64_t>;

/// The table that most tests use.
inline const TableName kTable = {"db", "cpu"};
Status AppendIds(Lake& lake, std::vector<int64_t> ids, int64_t day = 0, const TableName& name = kTable);
/// Null, with the test failed, when the lake does not open.
std::unique_ptr<Lake> MustOpen(LakeWorld& world);
/// A table as another writer sees it.
delta::TableContext ForeignContext(LakeWorld& world, const std::string& folder);
/// Another writer commits these lines, the table's next version.
Status CommitForeign(LakeWorld& world, const std::string& folder, const std::string& lines);

/// How many rows a view has, files and segments together.
int64_t RowCountOf(const TableView& view);
/// The ids of all rows of a view, files and segments together.
std::multiset<int64_t> IdsOf(const TableView& view);
/// The ids in committed files alone.
std::multiset<int64_t> CommittedIdsOf(const TableView& view);
/// The ids of a table as a lake shows it; none when it does not exist.
std::multiset<int64_t> IdsIn(Lake& lake, const TableName& name);
/// Rows set aside for a table.
std::multiset<int64_t> RejectedIds(storage::ObjectStore& store, const std::string& folder);

}  // namespace tarn::lake::testing
