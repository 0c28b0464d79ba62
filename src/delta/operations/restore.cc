#include "delta/operations/restore.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "delta/files/deletion_vector.h"
#include "delta/log/log_snapshot.h"
#include "delta/parallel.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

constexpr int kLookThreads = 8;
/// Missing files that an error names.
constexpr size_t kMaxNamed = 5;

constexpr char kMaxColumnId[] = "delta.columnMapping.maxColumnId";
constexpr const char* kInCommitTimestamps[] = {"delta.enableInCommitTimestamps",
                                               "delta.inCommitTimestampEnablementVersion",
                                               "delta.inCommitTimestampEnablementTimestamp"};

class Restorer {
 public:
  Restorer(const TableContext& table, std::shared_ptr<const Snapshot> newest, std::shared_ptr<const Snapshot> target)
      : table_(table), newest_(LogSnapshot::From(newest)), target_(LogSnapshot::From(target)) {}

  Result<RestoreResult> Run(const RestoreOptions& options);

 private:
  Status CheckPossible() const;
  /// The files that one of the versions has and the other has not.
  Result<std::vector<Add>> FilesOnlyIn(const LogSnapshot& version, const LogSnapshot& other) const;
  Status CheckFilesAreThere() const;
  Metadata RestoredMetadata() const;
  Result<Committed> Commit();

  const TableContext& table_;
  const std::shared_ptr<const LogSnapshot> newest_;
  const std::shared_ptr<const LogSnapshot> target_;
  std::vector<Add> coming_;
  std::vector<Add> going_;
  RestoreResult result_;
};

Status Restorer::CheckPossible() const {
  TARN_RETURN_NOT_OK(CheckWritable(newest_->protocol(), newest_->metadata(), *newest_->schema()));
  const auto features = FeaturesOf(newest_->protocol());
  const std::string version = "version " + std::to_string(target_->version());
  // Not what an old version implies: others leave that out of their lists where nothing uses it.
  std::set<std::string> needed = FeaturesInUse(target_->metadata(), *target_->schema());
  for (const auto& listed : {target_->protocol().reader_features, target_->protocol().writer_features}) {
    if (listed.has_value()) needed.insert(listed->begin(), listed->end());
  }
  for (const std::string& feature : needed) {
    if (!features.contains(feature)) {
      return Status::Unsupported(version + " needs the feature " + feature + ", which the table has given up");
    }
  }
  if (target_->field_match() != newest_->field_match()) {
    return Status::Unsupported("the table maps its columns otherwise than " + version +
                               " did (delta.columnMapping.mode)");
  }
  return Status::Ok();
}

Result<std::vector<Add>> Restorer::FilesOnlyIn(const LogSnapshot& version, const LogSnapshot& other) const {
  const std::string uri = table_.store->uri();
  std::vector<Add> files;
  TARN_RETURN_NOT_OK(version.VisitAdds([&](const Add& add) {
    const std::string path = CanonicalPath(add.path, uri);
    const std::string vector = add.deletion_vector.has_value() ? add.deletion_vector->UniqueId() : std::string();
    const bool both = FindLive(other.state().chunks, HashFileKey(path, vector), path, vector, uri).has_value();
    if (!both) files.push_back(add);
    return Status::Ok();
  }));
  return files;
}

Status Restorer::CheckFilesAreThere() const {
  std::vector<std::string> keys;
  for (const Add& add : coming_) {
    TARN_ASSIGN_OR_RETURN(std::string key, KeyOfPath(add.path, *table_.store));
    keys.push_back(std::move(key));
    if (!add.deletion_vector.has_value()) continue;
    TARN_ASSIGN_OR_RETURN(std::optional<std::string> vector, DeletionVectorKey(*add.deletion_vector, *table_.store));
    if (vector.has_value()) keys.push_back(*std::move(vector));
  }
  std::vector<char> missing(keys.size());
  TARN_RETURN_NOT_OK(RunParallel(keys.size(), ThreadsFor(*table_.store, kLookThreads), [&](size_t i) {
    const Status found = table_.store->Head(keys[i]).status();
    missing[i] = found.Is(StatusCode::kNotFound);
    return missing[i] ? Status::Ok() : found;
  }));
  std::string names;
  size_t count = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!missing[i]) continue;
    if (++count <= kMaxNamed) names += (names.empty() ? "" : ", ") + keys[i];
  }
  if (count == 0) return Status::Ok();
  if (count > kMaxNamed) names += " and " + std::to_string(count - kMaxNamed) + " more";
  return Status::NotFound("version " + std::to_string(target_->version()) + " cannot be restored without " + names);
}

Metadata Restorer::RestoredMetadata() const {
  Metadata metadata = target_->metadata();
  const auto& newest = newest_->metadata().configuration;
  // No id is given twice, and time goes on as the table's commits have it.
  if (newest.contains(kMaxColumnId)) {
    metadata.configuration[kMaxColumnId] = std::to_string(
        std::max(PropertyNumber(metadata, kMaxColumnId, 0), PropertyNumber(newest_->metadata(), kMaxColumnId, 0)));
  }
  for (const char* property : kInCommitTimestamps) {
    metadata.configuration.erase(property);
    if (const auto found = newest.find(property); found != newest.end())
      metadata.configuration[property] = found->second;
  }
  return metadata;
}

Result<Committed> Restorer::Commit() {
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_, newest_));
  transaction->SetReads({.whole_table = true});
  TARN_RETURN_NOT_OK(transaction->SetMetadata(RestoredMetadata()));
  for (Add& add : coming_) {
    add.data_change = true;
    transaction->AddFile(std::move(add));
  }
  const int64_t now = table_.clock->WallMicros() / kMicrosPerMilli;
  for (const Add& add : going_) transaction->RemoveFile(RemoveOf(add, now, /*data_change=*/true));
  transaction->SetOperation("RESTORE", {{"version", std::to_string(target_->version())}});
  transaction->SetMetrics({{"tableSizeAfterRestore", std::to_string(target_->total_bytes())},
                           {"numOfFilesAfterRestore", std::to_string(target_->num_files())},
                           {"numRemovedFiles", std::to_string(result_.files_removed)},
                           {"numRestoredFiles", std::to_string(result_.files_restored)},
                           {"removedFilesSize", std::to_string(result_.bytes_removed)},
                           {"restoredFilesSize", std::to_string(result_.bytes_restored)}});
  return transaction->Commit();
}

Result<RestoreResult> Restorer::Run(const RestoreOptions& options) {
  TARN_RETURN_NOT_OK(CheckPossible());
  TARN_ASSIGN_OR_RETURN(coming_, FilesOnlyIn(*target_, *newest_));
  TARN_ASSIGN_OR_RETURN(going_, FilesOnlyIn(*newest_, *target_));
  if (!going_.empty()) TARN_RETURN_NOT_OK(CheckMayDelete(newest_->metadata()));
  TARN_RETURN_NOT_OK(CheckFilesAreThere());
  result_.files_restored = static_cast<int64_t>(coming_.size());
  result_.files_removed = static_cast<int64_t>(going_.size());
  for (const Add& add : coming_) result_.bytes_restored += add.size_bytes;
  for (const Add& add : going_) result_.bytes_removed += add.size_bytes;
  result_.version = newest_->version();
  result_.snapshot = newest_;
  if (options.dry_run) return std::move(result_);
  TARN_ASSIGN_OR_RETURN(Committed committed, Commit());
  result_.version = committed.version;
  result_.snapshot = std::move(committed.snapshot);
  return std::move(result_);
}

}  // namespace

Result<RestoreResult> Restore(const TableContext& table, std::shared_ptr<const Snapshot> newest, int64_t version,
                              const RestoreOptions& options) {
  TARN_ASSIGN_OR_RETURN(newest, Refresh(table, newest));
  if (version > newest->version()) {
    return Status::NotFound("the log ends at version " + std::to_string(newest->version()) + ", before version " +
                            std::to_string(version));
  }
  if (version < 0 || version == newest->version()) {
    return Status::InvalidArgument("version " + std::to_string(version) + " is not older than the newest, " +
                                   std::to_string(newest->version()));
  }
  TARN_ASSIGN_OR_RETURN(auto target, LoadSnapshotAt(table, version));
  return Restorer(table, std::move(newest), std::move(target)).Run(options);
}

}  // namespace tarn::delta
