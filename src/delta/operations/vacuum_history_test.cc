#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "delta/files/deletion_vector.h"
#include "delta/log/commit_json.h"
#include "delta/operations/log_cleanup.h"
#include "delta/operations/vacuum.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using testing::MemoryTable;

constexpr int64_t kHour = 3600 * kMicrosPerSecond;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kRetention = 7 * kDay;
constexpr int64_t kLogRetention = 10 * kDay;

/// A table that lives through random commits, checkpoints, cleanups and vacuums, files without content standing for
/// data and deletion vectors; and what a reader of any version within the retention must find.
class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {
    table_.ExpectBroken();
    std::string text = R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],)"
                       R"("writerFeatures":["deletionVectors"]}})"
                       "\n";
    std::string metadata = testing::FirstLines();
    metadata.erase(0, metadata.find('\n') + 1);
    const std::string configuration = R"("configuration":{)";
    metadata.insert(metadata.find(configuration) + configuration.size(),
                    R"("delta.logRetentionDuration":"interval 10 days","delta.enableDeletionVectors":"true")");
    table_.PutCommit(0, text + metadata);
    committed_.push_back(Now());
  }

  void Step() {
    Pass(static_cast<int64_t>(random_.Below(30)) * kHour);
    switch (random_.Below(10)) {
      case 0:
      case 1:
      case 2:
        return Append();
      case 3:
        return Rewrite();
      case 4:
        return Delete();
      case 5:
      case 6:
        return DeleteRows();
      case 7:
        return Checkpoint();
      case 8:
        return CleanUp();
      default:
        return Vacuum();
    }
  }

  /// In the end all that is left is what the newest version has.
  void Finish() {
    FinishWriter();
    Pass(kRetention + kHour);
    VacuumWith(VacuumMode::kFull);
    std::set<std::string> expected;
    for (const auto& [path, vector] : live_) {
      expected.insert(path);
      if (vector.has_value()) expected.insert(KeyOf(*vector));
    }
    std::set<std::string> found;
    const auto entries = *table_.store().ListAll({});
    for (const storage::ListEntry& entry : entries) {
      if (!entry.object.key.starts_with("_delta_log/")) found.insert(entry.object.key);
    }
    EXPECT_EQ(found, expected);
    testing::ExpectValid(table_.context());
  }

 private:
  using Vector = std::optional<DeletionVector>;

  int64_t Now() { return table_.clock().WallMicros(); }
  void Pass(int64_t micros) {
    // A writer commits before its files are as old as the retention.
    if (!uncommitted_.empty() && Now() + micros - uncommitted_since_ > kRetention - kDay) FinishWriter();
    table_.clock().Advance(micros);
  }
  void PutFile(const std::string& key) {
    ASSERT_TRUE(table_.store().Put(key, AsBytes("x"), storage::Precondition::IfAbsent()).ok());
  }
  static std::string KeyOf(const DeletionVector& vector) { return **DeletionVectorPath(vector, "memory://"); }
  std::string NewKey() { return "part-" + std::to_string(++files_) + ".parquet"; }

  void Commit(const std::string& text) {
    table_.PutCommit(static_cast<int64_t>(committed_.size()), text);
    committed_.push_back(Now());
  }
  std::string AddLine(const std::string& path, const Vector& vector, bool data_change = true) {
    live_[path] = vector;
    Add add = MemoryTable::MakeAdd(
        path, vector.has_value() ? R"({"numRecords":10,"tightBounds":false})" : R"({"numRecords":10})");
    add.deletion_vector = vector;
    add.data_change = data_change;
    std::string line;
    AppendLine(line, add);
    return line;
  }
  std::string RemoveLine(const std::string& path, bool data_change = true) {
    Remove remove;
    remove.path = path;
    remove.deletion_timestamp_millis = Now() / kMicrosPerMilli;
    remove.deletion_vector = live_.at(path);
    remove.data_change = data_change;
    remove.extended_file_metadata = true;
    remove.size_bytes = 100;
    std::string line;
    AppendLine(line, remove);
    live_.erase(path);
    return line;
  }
  std::string AnyLive() {
    auto at = live_.begin();
    std::advance(at, random_.Below(live_.size()));
    return at->first;
  }

  void Append() {
    const std::string key = NewKey();
    PutFile(key);
    if (random_.Below(3) == 0) PutFile("orphan-" + key);
    if (uncommitted_.empty() && random_.Below(3) == 0) {
      uncommitted_ = key;
      uncommitted_since_ = Now();
      return;
    }
    Commit(AddLine(key, std::nullopt));
    if (random_.Below(2) == 0) FinishWriter();
  }
  void FinishWriter() {
    if (uncommitted_.empty()) return;
    Commit(AddLine(uncommitted_, std::nullopt));
    uncommitted_.clear();
  }
  void Rewrite() {
    if (live_.size() < 2) return;
    std::string text = RemoveLine(AnyLive(), false);
    text += RemoveLine(AnyLive(), false);
    const std::string key = NewKey();
    PutFile(key);
    Commit(text + AddLine(key, std::nullopt, false));
  }
  void Delete() {
    if (!live_.empty()) Commit(RemoveLine(AnyLive()));
  }
  void DeleteRows() {
    if (live_.empty()) return;
    const std::string path = AnyLive();
    DeletionVector vector;
    const std::string uuid = random_.Uuid();
    std::string prefix = random_.Below(2) == 0 ? "" : "ab";
    vector.path_or_inline = prefix + EncodeBase85(uuid.substr(0, 16));
    vector.offset = 1;
    vector.size_in_bytes = 34;
    const Vector old = live_.at(path);
    vector.cardinality = old.has_value() ? std::min<int64_t>(old->cardinality + 1, 9) : 1;
    PutFile(KeyOf(vector));
    std::string text = RemoveLine(path);
    Commit(text + AddLine(path, vector));
  }
  void Checkpoint() { ASSERT_TRUE(WriteCheckpoint(table_.context(), **LoadSnapshot(table_.context())).ok()); }
  void CleanUp() {
    const auto cleaned = CleanUpLog(table_.context(), **LoadSnapshot(table_.context()));
    ASSERT_TRUE(cleaned.ok()) << cleaned.status().ToString();
    CheckVersions();
  }
  void Vacuum() { VacuumWith(random_.Below(2) == 0 ? VacuumMode::kFull : VacuumMode::kLite); }
  void VacuumWith(VacuumMode mode) {
    const size_t before = static_cast<size_t>((*LoadSnapshot(table_.context()))->version());
    const auto vacuumed = delta::Vacuum(table_.context(), *LoadSnapshot(table_.context()), {.mode = mode});
    // Cleanup may have gone past where lite mode would have to begin.
    const bool truncated = mode == VacuumMode::kLite && vacuumed.status().Is(StatusCode::kNotFound);
    ASSERT_TRUE(vacuumed.ok() || truncated) << vacuumed.status().ToString();
    const auto after = static_cast<size_t>((*LoadSnapshot(table_.context()))->version());
    for (size_t version = before; version < after; ++version) committed_.push_back(Now());
    CheckVersions();
  }

  /// Every version that was the newest at some time within the retention can be read.
  void CheckVersions() {
    for (size_t version = 0; version < committed_.size(); ++version) {
      const bool newest = version + 1 == committed_.size();
      if (!newest && committed_[version + 1] <= Now() - std::min(kRetention, kLogRetention)) continue;
      const auto snapshot = LoadSnapshotAt(table_.context(), static_cast<int64_t>(version));
      ASSERT_TRUE(snapshot.ok()) << version << ": " << snapshot.status().ToString();
      for (FileIndex i = 0; i < (*snapshot)->num_files(); ++i) {
        const DataFile file = *(*snapshot)->File(i);
        EXPECT_TRUE(table_.store().Head(file.key).ok()) << "version " << version << " lacks " << file.key;
        if (!file.deletion_vector.has_value()) continue;
        const std::string key = KeyOf(*file.deletion_vector);
        EXPECT_TRUE(table_.store().Head(key).ok()) << "version " << version << " lacks " << key;
      }
    }
    ASSERT_EQ((*LoadSnapshot(table_.context()))->num_files(), live_.size());
  }

  MemoryTable table_;
  Random random_;
  /// When each version was committed.
  std::vector<int64_t> committed_;
  std::map<std::string, Vector> live_;
  std::string uncommitted_;
  int64_t uncommitted_since_ = 0;
  int files_ = 0;
};

TEST(VacuumHistory, EveryVersionWithinTheRetentionStaysReadable) {
  for (uint64_t seed = 1; seed <= 3 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    for (int step = 0; step < 100 && !::testing::Test::HasFailure(); ++step) history.Step();
    history.Finish();
  }
}

}  // namespace
}  // namespace tarn::delta
