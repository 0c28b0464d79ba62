#include "delta/operations/log_cleanup.h"

#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "delta/log/checkpoint_reader.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/retention.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

constexpr int64_t kDayMillis = int64_t{24} * 3600 * 1000;

class LogCleaner {
 public:
  LogCleaner(const TableContext& table, const Snapshot& newest, const LogCleanupOptions& options)
      : table_(table), newest_(newest), options_(options) {}

  Result<LogCleanupResult> Run();

 private:
  /// The version of the checkpoint that the log is to begin with; sets `why_not` when there is none.
  Result<std::optional<int64_t>> ChooseStart();
  /// Deletes what a log that begins with the checkpoint of `start` does not need, but for sidecars.
  Status DeleteBefore(int64_t start);
  /// Deletes the sidecars that no checkpoint from `start` on names.
  Status DeleteSidecars(int64_t start);
  Status Delete(const storage::ObjectInfo& object);

  const TableContext& table_;
  const Snapshot& newest_;
  const LogCleanupOptions& options_;
  std::vector<CheckpointFiles> checkpoints_;
  LogCleanupResult result_;
};

Result<std::optional<int64_t>> LogCleaner::ChooseStart() {
  const std::optional<int64_t> none;
  TARN_ASSIGN_OR_RETURN(const int64_t cutoff, LogCleanupCutoffMillis(newest_.metadata(), *table_.clock));
  const auto expired = VersionAtTimestamp(table_, newest_, cutoff);
  if (expired.status().Is(StatusCode::kNotFound)) {
    result_.why_not = "no commit is older than the log's retention";
    return none;
  }
  TARN_RETURN_NOT_OK(expired.status());
  TARN_ASSIGN_OR_RETURN(checkpoints_, ListCheckpoints(*table_.store));
  for (size_t i = checkpoints_.size(); i-- > 0;) {
    const CheckpointFiles& checkpoint = checkpoints_[i];
    if (checkpoint.version > *expired) continue;
    // What is deleted for its sake cannot be had again.
    const Status opens = OpenCheckpoint(table_, checkpoint).status();
    if (opens.ok()) return std::optional(checkpoint.version);
    const StatusCode code = opens.code();
    if (code != StatusCode::kCorruption && code != StatusCode::kNotFound && code != StatusCode::kPermissionDenied &&
        code != StatusCode::kResourceExhausted) {
      return opens;
    }
    Log(LogLevel::kWarning, "a checkpoint cannot be read, and the log before it stays",
        {{"table", table_.store->uri()}, {"checkpoint", checkpoint.key()}, {"why", opens.ToString()}});
  }
  result_.why_not = "no checkpoint is older than the log's retention";
  return none;
}

Status LogCleaner::Delete(const storage::ObjectInfo& object) {
  if (!options_.dry_run) TARN_RETURN_NOT_OK(table_.store->Delete(object.key).WithContext(object.key));
  ++result_.files;
  result_.bytes += object.size_bytes;
  if (options_.explain) options_.explain(object.key);
  return Status::Ok();
}

Status LogCleaner::DeleteBefore(int64_t start) {
  storage::ListOptions options;
  options.prefix = std::string(kLogFolder);
  options.group_by_folder = true;
  Status deleted;
  // Names begin with the version, so that the oldest come first.
  TARN_RETURN_NOT_OK(table_.store->List(options, [&](const storage::ListEntry& entry) {
    if (entry.is_folder || entry.object.key.size() <= kLogFolder.size()) return true;
    const auto name = ParseLogName(std::string_view(entry.object.key).substr(kLogFolder.size()));
    if (!name.has_value()) return true;
    if (name->version > start) return false;
    // A compacted file is of use only to checkpoints before it.
    if (name->version == start && name->kind != LogName::Kind::kCompacted) return true;
    deleted = Delete(entry.object);
    return deleted.ok();
  }));
  return deleted;
}

Status LogCleaner::DeleteSidecars(int64_t start) {
  storage::ListOptions options;
  options.prefix = SidecarKey("");
  TARN_ASSIGN_OR_RETURN(const std::vector<storage::ListEntry> sidecars, table_.store->ListAll(options));
  if (sidecars.empty()) return Status::Ok();
  std::unordered_set<std::string> named;
  for (const CheckpointFiles& checkpoint : checkpoints_) {
    if (checkpoint.version < start) continue;
    auto keys = ReadSidecarKeys(table_.store, checkpoint);
    // While it is not known which ones a checkpoint names, all may be.
    if (!keys.ok()) return keys.status().WithContext("sidecars stay");
    for (std::string& key : *keys) {
      // Another name of the log's own folder may be meant, as that of a link or of where the table was before.
      if (IsOutside(key)) named.insert(SidecarKey(key.substr(key.rfind('/') + 1)));
      named.insert(std::move(key));
    }
  }
  // Those of a checkpoint that is being written are not named yet.
  const int64_t young_micros = table_.clock->WallMicros() - kDayMillis * kMicrosPerMilli;
  for (const storage::ListEntry& sidecar : sidecars) {
    if (sidecar.object.modified_micros >= young_micros || named.contains(sidecar.object.key)) continue;
    TARN_RETURN_NOT_OK(Delete(sidecar.object));
  }
  return Status::Ok();
}

Result<LogCleanupResult> LogCleaner::Run() {
  TARN_RETURN_NOT_OK(CheckWritable(newest_.protocol(), newest_.metadata(), *newest_.schema()));
  if (!LogCleanupEnabled(newest_.metadata())) {
    result_.why_not = "delta.enableExpiredLogCleanup is false";
    return std::move(result_);
  }
  TARN_ASSIGN_OR_RETURN(result_.first_version, ChooseStart());
  if (!result_.first_version.has_value()) return std::move(result_);
  TARN_RETURN_NOT_OK(DeleteBefore(*result_.first_version));
  TARN_RETURN_NOT_OK(DeleteSidecars(*result_.first_version));
  return std::move(result_);
}

}  // namespace

Result<int64_t> LogCleanupCutoffMillis(const Metadata& metadata, Clock& clock) {
  TARN_ASSIGN_OR_RETURN(const int64_t retention, LogRetentionMillis(metadata));
  const int64_t now = clock.WallMicros() / kMicrosPerMilli;
  return now - now % kDayMillis - retention;
}

Result<LogCleanupResult> CleanUpLog(const TableContext& table, const Snapshot& newest,
                                    const LogCleanupOptions& options) {
  return LogCleaner(table, newest, options).Run();
}

}  // namespace tarn::delta
