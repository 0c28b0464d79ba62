#include "delta/operations/optimize.h"

#include <arrow/type.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "delta/conflict.h"
#include "delta/log/commit_json.h"
#include "delta/operations/rewrite.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

/// How often a plan is begun or its remains are committed again. Each attempt that fails means that another writer made
/// progress, so this is only reached on a table whose small files are removed as fast as they are compacted.
constexpr int kMaxAttempts = 8;

class Optimizer {
 public:
  Optimizer(const TableContext& table, std::shared_ptr<const Snapshot> snapshot, const OptimizeOptions& options)
      : table_(table), snapshot_(std::move(snapshot)), options_(options) {}

  Result<OptimizeResult> Run();

 private:
  /// Writes the groups of a new plan; a group whose input is gone is left out. False when there is nothing to do.
  Result<bool> Rewrite();
  Result<OptimizeResult> Commit();
  /// Brings the snapshot up to date and gives up the groups that it no longer allows.
  Status DropOvertaken();
  void GiveUp(const Rewritten& group) { DeleteUncommitted(table_, group.keys); }
  void GiveUpAll();

  const TableContext& table_;
  std::shared_ptr<const Snapshot> snapshot_;
  const OptimizeOptions& options_;
  std::vector<Rewritten> groups_;
};

void Optimizer::GiveUpAll() {
  for (const Rewritten& group : groups_) GiveUp(group);
  groups_.clear();
}

Result<bool> Optimizer::Rewrite() {
  TARN_ASSIGN_OR_RETURN(const std::vector<OptimizeGroup> plan, PlanOptimize(*snapshot_, options_));
  if (plan.empty() || DataFileSchema(*snapshot_)->num_fields() == 0) return false;
  // Refuses a table that cannot be written before anything is.
  TARN_RETURN_NOT_OK(Transaction::Begin(table_, snapshot_).status());
  RewriteOptions options{
      .target_file_bytes = options_.target_file_bytes,
      .min_file_bytes = options_.min_file_bytes > 0 ? options_.min_file_bytes : options_.target_file_bytes / 4 * 3,
      .decode_ahead = options_.decode_ahead};
  if (!options_.sort_by.empty()) {
    TARN_ASSIGN_OR_RETURN(options.order, OrderBy(*snapshot_, options_.sort_by));
    options.order->memory_bytes = options_.sort_memory_bytes;
    options.order->temp_folder = options_.temp_folder;
  }
  Status missing;
  for (const OptimizeGroup& files : plan) {
    Result<Rewritten> rewritten = RewriteFiles(table_, *snapshot_, files, options);
    if (rewritten.ok()) {
      groups_.push_back(*std::move(rewritten));
      continue;
    }
    if (!rewritten.status().Is(StatusCode::kNotFound)) {
      GiveUpAll();
      return rewritten.status();
    }
    missing = rewritten.status();
  }
  if (!groups_.empty() || missing.ok()) return true;
  // A file that the newest version has too is lost, not removed by somebody.
  const std::shared_ptr<const Snapshot> before = snapshot_;
  TARN_ASSIGN_OR_RETURN(snapshot_, Refresh(table_, snapshot_));
  if (snapshot_ == before) return missing;
  return true;
}

Result<OptimizeResult> Optimizer::Commit() {
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_, snapshot_));
  OptimizeResult result;
  for (const Rewritten& group : groups_) {
    for (const Remove& remove : group.removes) {
      if (remove.deletion_vector.has_value()) ++result.vectors_removed;
      transaction->RemoveFile(remove);
    }
    for (const Add& add : group.adds) transaction->AddFile(add);
    result.files_removed += static_cast<int64_t>(group.removes.size());
    result.files_added += static_cast<int64_t>(group.adds.size());
    result.bytes_read += group.bytes_read;
    result.bytes_written += group.bytes_written;
  }
  std::map<std::string, std::string> parameters = {{"predicate", "[]"},
                                                   {"targetSize", std::to_string(options_.target_file_bytes)}};
  if (!options_.sort_by.empty()) parameters["sortBy"] = JsonList(options_.sort_by);
  transaction->SetOperation("OPTIMIZE", std::move(parameters));
  transaction->SetMetrics({{"numRemovedBytes", std::to_string(result.bytes_read)},
                           {"numAddedBytes", std::to_string(result.bytes_written)},
                           {"numDeletionVectorsRemoved", std::to_string(result.vectors_removed)}});
  TARN_ASSIGN_OR_RETURN(Committed committed, transaction->Commit());
  result.version = committed.version;
  result.snapshot = std::move(committed.snapshot);
  return result;
}

Status Optimizer::DropOvertaken() {
  const std::shared_ptr<const Snapshot> before = snapshot_;
  TARN_ASSIGN_OR_RETURN(snapshot_, Refresh(table_, snapshot_));
  if (!SameLayout(*before, *snapshot_)) {
    GiveUpAll();
    return Status::Ok();
  }
  std::unordered_set<std::string> wanted;
  for (const Rewritten& group : groups_) {
    for (const Remove& remove : group.removes) wanted.insert(FileKeyText(remove.path, remove.deletion_vector));
  }
  // With another deletion vector it is not the file that was read.
  std::unordered_set<std::string> live;
  for (size_t i = 0; i < snapshot_->num_files() && live.size() < wanted.size(); ++i) {
    TARN_ASSIGN_OR_RETURN(const Add add, snapshot_->AddAction(static_cast<FileIndex>(i)));
    std::string key = FileKeyText(add.path, add.deletion_vector);
    if (wanted.contains(key)) live.insert(std::move(key));
  }
  std::erase_if(groups_, [&](const Rewritten& group) {
    const bool intact = std::all_of(group.removes.begin(), group.removes.end(), [&](const Remove& remove) {
      return live.contains(FileKeyText(remove.path, remove.deletion_vector));
    });
    if (!intact) GiveUp(group);
    return !intact;
  });
  return Status::Ok();
}

Result<OptimizeResult> Optimizer::Run() {
  Status conflict = Status::Conflict("small files are removed faster than they can be compacted");
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (groups_.empty()) {
      TARN_ASSIGN_OR_RETURN(const bool worthwhile, Rewrite());
      if (!worthwhile) {
        OptimizeResult nothing;
        nothing.snapshot = snapshot_;
        return nothing;
      }
      if (groups_.empty()) continue;
    }
    Result<OptimizeResult> result = Commit();
    // After any other error the commit may have been published, so its files stay.
    if (result.ok() || !result.status().Is(StatusCode::kConflict)) return result;
    conflict = result.status();
    TARN_RETURN_NOT_OK(DropOvertaken());
  }
  GiveUpAll();
  return conflict;
}

}  // namespace

Result<OptimizeResult> Optimize(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                const OptimizeOptions& options) {
  return Optimizer(table, std::move(snapshot), options).Run();
}

}  // namespace tarn::delta
