#include "delta/operations/row_change.h"

#include <map>
#include <utility>

#include "base/check.h"
#include "delta/log/commit_json.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/row_change_plan.h"
#include "delta/protocol_features.h"

namespace tarn::delta {
namespace {

/// How often a change is planned. Each attempt that fails means that another writer made progress.
constexpr int kMaxAttempts = 8;

Result<Committed> CommitChange(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                               const ChangeRequest& request, const PlannedChange& change) {
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table, snapshot));
  transaction->SetReads(change.reads);
  for (const Remove& remove : change.removes) transaction->RemoveFile(remove);
  for (const Add& add : change.adds) transaction->AddFile(add);
  for (const Add& add : request.new_files) transaction->AddFile(add);
  transaction->SetOperation(request.operation, request.parameters);
  transaction->SetMetrics(MetricsOfChange(change.counts, request));
  return transaction->Commit();
}

/// Moves on to the newest version; `why` when there is none or the change was not made for it.
Result<std::shared_ptr<const Snapshot>> Newest(const TableContext& table,
                                               const std::shared_ptr<const Snapshot>& snapshot, const Status& why) {
  TARN_ASSIGN_OR_RETURN(auto newest, Refresh(table, snapshot));
  if (newest == snapshot || !SameLayout(*newest, *snapshot)) return why;
  return newest;
}

/// What a missing file means to a change that is not planned anew.
Status FileGone(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot, const Status& why) {
  TARN_ASSIGN_OR_RETURN(const auto newest, Refresh(table, snapshot));
  return newest == snapshot ? why : Status::Conflict("the table changed meanwhile: " + why.message());
}

}  // namespace

std::map<std::string, std::string> MetricsOfChange(const ChangeCounts& counts, const ChangeRequest& request) {
  std::map<std::string, std::string> metrics = request.metrics;
  const auto put = [&](const char* name, int64_t value) { metrics.try_emplace(name, std::to_string(value)); };
  if (counts.rows.has_value()) put(request.update != nullptr ? "numUpdatedRows" : "numDeletedRows", *counts.rows);
  put("numCopiedRows", counts.rows_copied);
  put("numRemovedFiles", counts.files_removed);
  put("numAddedFiles", counts.files_added);
  put("numRemovedBytes", counts.bytes_removed);
  put("numAddedBytes", counts.bytes_added);
  put("numDeletionVectorsAdded", counts.vectors_added);
  put("numDeletionVectorsUpdated", counts.vectors_updated);
  put("numDeletionVectorsRemoved", counts.vectors_removed);
  if (request.new_files.empty()) return metrics;
  int64_t rows = 0;
  for (const Add& add : request.new_files) rows += NumRecordsOf(add.stats, /*escaped=*/false);
  put("numOutputRows", rows);
  return metrics;
}

std::map<std::string, std::string> PredicateParameter(const std::string& predicate) {
  std::string list = "[";
  if (!predicate.empty()) AppendJsonString(list, predicate);
  list += ']';
  return {{"predicate", list}};
}

bool IsSurelyNotCommitted(const Status& failure) {
  switch (failure.code()) {
    case StatusCode::kConflict:
    case StatusCode::kAlreadyExists:
    case StatusCode::kUnsupported:
    case StatusCode::kPermissionDenied:
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
      return true;
    default:
      return false;
  }
}

Result<ChangeResult> ChangeRows(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                const ChangeRequest& request) {
  TARN_CHECK((request.condition != nullptr) != (request.places != nullptr));
  Status conflict;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    // Refuses what may not be changed before anything is read.
    TARN_RETURN_NOT_OK(Transaction::Begin(table, snapshot).status());
    TARN_RETURN_NOT_OK(CheckMayDelete(snapshot->metadata()));
    Result<PlannedChange> change = PlanRowChange(table, snapshot, request);
    if (!change.ok()) {
      // A file that the newest version has too is lost, not removed by somebody.
      if (!change.status().Is(StatusCode::kNotFound)) return change.status();
      if (request.places != nullptr) return FileGone(table, snapshot, change.status());
      TARN_ASSIGN_OR_RETURN(snapshot, Newest(table, snapshot, change.status()));
      conflict = change.status();
      continue;
    }
    for (const Add& add : request.new_files) {
      ++change->counts.files_added;
      change->counts.bytes_added += add.size_bytes;
    }
    if (change->removes.empty() && request.new_files.empty())
      return ChangeResult{std::nullopt, snapshot, change->counts};
    Result<Committed> committed = CommitChange(table, snapshot, request, *change);
    if (committed.ok()) return ChangeResult{committed->version, std::move(committed->snapshot), change->counts};
    // After any other error the commit may have been published, so its files stay.
    if (!committed.status().Is(StatusCode::kConflict)) return committed.status();
    conflict = committed.status();
    DeleteUncommitted(table, change->keys);
    if (request.places != nullptr) return conflict;
    TARN_ASSIGN_OR_RETURN(snapshot, Newest(table, snapshot, conflict));
  }
  return conflict;
}

}  // namespace tarn::delta
