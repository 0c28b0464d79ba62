#include "delta/operations/table_draft.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/check.h"
#include "delta/log/commit_json.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/replay.h"
#include "delta/operations/referenced_files.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/row_change_plan.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// commitInfo's word for several changes of different kinds; Delta has none of its own.
constexpr char kManyOperations[] = "TRANSACTION";

}  // namespace

TableDraft::~TableDraft() {
  if (!keeps_files_) DeleteUncommitted(table_, keys_);
}

Status TableDraft::Change(const ChangeRequest& request) {
  TARN_RETURN_NOT_OK(Transaction::Begin(table_, snapshot_).status());
  PlannedChange change{.reads = request.reads, .removes = {}, .adds = {}, .keys = {}, .counts = {}};
  if (request.condition != nullptr || request.places != nullptr) {
    TARN_RETURN_NOT_OK(CheckMayDelete(snapshot_->metadata()));
    TARN_ASSIGN_OR_RETURN(change, PlanRowChange(table_, snapshot_, request));
  }
  const auto metrics = MetricsOfChange(change.counts, request);
  // Whatever fails from here on leaves these to the end, which deletes them.
  keys_.insert(keys_.end(), change.keys.begin(), change.keys.end());
  std::vector<std::string> new_keys;
  for (const Add& add : request.new_files) {
    TARN_ASSIGN_OR_RETURN(std::string key, KeyOfPath(add.path, *table_.store));
    new_keys.push_back(std::move(key));
    change.adds.push_back(add);
  }
  TARN_ASSIGN_OR_RETURN(auto changed, With(change.removes, change.adds));
  TARN_RETURN_NOT_OK(AddReads(change.reads));
  snapshot_ = std::move(changed);
  keys_.insert(keys_.end(), new_keys.begin(), new_keys.end());
  AddFiles(change.removes, change.adds);
  AddMetrics(metrics);
  operations_.push_back(request.operation);
  parameters_ = request.parameters;
  ++changes_;
  return Status::Ok();
}

Result<std::shared_ptr<const Snapshot>> TableDraft::With(const std::vector<Remove>& removes,
                                                         const std::vector<Add>& adds) const {
  if (removes.empty() && adds.empty()) return snapshot_;
  std::string text;
  for (const Remove& remove : removes) AppendLine(text, remove);
  for (const Add& add : adds) AppendLine(text, add);
  // No log has the text, so its statistics cannot be read again.
  ReplayOptions options;
  options.held_stats_commit_bytes = std::numeric_limits<int64_t>::max();
  const auto current = LogSnapshot::From(snapshot_);
  const TableState& before = current->state();
  TARN_ASSIGN_OR_RETURN(TableState state,
                        ApplyCommit(before, table_.store, text, before.version + 1, before.modified_millis, options));
  state.in_commit_timestamp_millis = before.in_commit_timestamp_millis;
  TARN_ASSIGN_OR_RETURN(const auto changed, LogSnapshot::Make(table_, std::move(state), current.get()));
  return std::shared_ptr<const Snapshot>(changed);
}

/// Files are those of `base_` that the conditions select: what a change reads of the changes before it is nobody
/// else's.
Status TableDraft::AddReads(const Reads& reads) {
  reads_.whole_table = reads_.whole_table || reads.whole_table || (reads.conditions.empty() && !reads.files.empty());
  for (const auto& condition : reads.conditions) {
    TARN_ASSIGN_OR_RETURN(const std::vector<FileIndex> files, base_->Select(condition));
    reads_.files.insert(reads_.files.end(), files.begin(), files.end());
    reads_.conditions.push_back(condition);
  }
  reads_.app_ids.insert(reads_.app_ids.end(), reads.app_ids.begin(), reads.app_ids.end());
  return Status::Ok();
}

void TableDraft::AddFiles(const std::vector<Remove>& removes, const std::vector<Add>& adds) {
  const std::string uri = table_.store->uri();
  for (const Remove& remove : removes) {
    std::string path = CanonicalPath(remove.path, uri);
    // A file of an earlier change, or one that such a change already removed with another deletion vector.
    if (adds_.erase(path) > 0) continue;
    removes_.emplace(std::move(path), remove);
  }
  for (const Add& add : adds) {
    const bool is_new = adds_.emplace(CanonicalPath(add.path, uri), add).second;
    TARN_CHECK(is_new);
  }
}

void TableDraft::AddMetrics(const std::map<std::string, std::string>& metrics) {
  for (const auto& [name, text] : metrics) {
    // Files come and go between the changes; what is left of them is counted at the end.
    if (name.ends_with("Files") || name.ends_with("Bytes") || name.starts_with("numDeletionVectors")) continue;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) metrics_[name] += value;
  }
}

std::map<std::string, std::string> TableDraft::Parameters() const {
  if (changes_ == 1) return parameters_;
  std::string list = "[";
  for (const std::string& operation : operations_) {
    if (list.size() > 1) list += ',';
    AppendJsonString(list, operation);
  }
  list += ']';
  return {{"statements", list}};
}

Result<std::shared_ptr<const Snapshot>> TableDraft::Commit() {
  TARN_CHECK(!keeps_files_);
  if (removes_.empty() && adds_.empty()) return std::shared_ptr<const Snapshot>();
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_, base_));
  transaction->SetReads(std::move(reads_));
  for (const auto& [path, remove] : removes_) transaction->RemoveFile(remove);
  for (const auto& [path, add] : adds_) transaction->AddFile(add);
  const bool alike = std::all_of(operations_.begin(), operations_.end(),
                                 [&](const std::string& operation) { return operation == operations_.front(); });
  transaction->SetOperation(alike ? operations_.front() : kManyOperations, Parameters());
  std::map<std::string, std::string> metrics;
  for (const auto& [name, value] : metrics_) metrics.emplace(name, std::to_string(value));
  transaction->SetMetrics(std::move(metrics));
  auto committed = transaction->Commit();
  keeps_files_ = committed.ok() || !IsSurelyNotCommitted(committed.status());
  if (!committed.ok()) return committed.status();
  DeleteUnnamed();
  return std::move(committed->snapshot);
}

void TableDraft::DeleteUnnamed() {
  ReferencedFiles named(table_.store->uri());
  for (const auto& [path, add] : adds_) named.Add(add.path, add.deletion_vector);
  std::erase_if(keys_, [&](const std::string& key) { return named.Contains(key); });
  DeleteUncommitted(table_, keys_);
}

}  // namespace tarn::delta
