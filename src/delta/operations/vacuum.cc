#include "delta/operations/vacuum.h"

#include <simdjson.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_reader.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/remove_visitor.h"
#include "delta/log/replay.h"
#include "delta/log/retention.h"
#include "delta/log/tombstones.h"
#include "delta/operations/referenced_files.h"
#include "delta/operations/vacuum_walk.h"
#include "delta/parallel.h"
#include "delta/protocol_features.h"
#include "delta/transaction.h"
#include "storage/get_at_most.h"

namespace tarn::delta {
namespace {

using Verdict = VacuumFile::Verdict;

/// Files that are deleted between two looks at the log.
constexpr size_t kBatchFiles = 1024;
constexpr int kDeleteThreads = 8;
/// How often a commit without actions is tried again behind changes of the schema.
constexpr int kMaxCommitAttempts = 8;
/// Where Spark keeps up to which version lite mode has come.
constexpr int64_t kMaxLastVacuumBytes = 1 << 20;
constexpr std::string_view kLastVacuumName = "_last_vacuum_info";
constexpr std::string_view kLastVacuumField = "latestCommitVersionOutsideOfRetentionWindow";

std::string LastVacuumKey() { return std::string(kLogFolder).append(kLastVacuumName); }

std::string HoursText(int64_t millis) {
  constexpr int64_t kHourMillis = 3600 * 1000;
  return std::to_string((millis + kHourMillis - 1) / kHourMillis) + " hours";
}

/// Up to which version all that was removed is deleted already; -1 where nothing says so.
int64_t ReadLastVacuum(storage::ObjectStore& store) {
  const auto text = storage::GetAtMost(store, LastVacuumKey(), kMaxLastVacuumBytes);
  if (!text.ok()) return -1;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  int64_t version = -1;
  if (parser.parse(*text).get(root) != simdjson::SUCCESS) return -1;
  return root[kLastVacuumField].get_int64().get(version) == simdjson::SUCCESS ? version : -1;
}

/// What a commit that came meanwhile names and changes.
class NewCommit final : public ActionVisitor {
 public:
  NewCommit(ReferencedFiles& live, ReferencedFiles& retained) : live_(live), retained_(retained) {}

  Status OnAdd(const AddRecord& add) override {
    live_.Add(add.path, add.deletion_vector);
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& remove) override {
    retained_.Add(remove.path, remove.deletion_vector);
    return Status::Ok();
  }
  Status OnProtocol(Protocol) override {
    changes_table = true;
    return Status::Ok();
  }
  Status OnMetadata(Metadata) override {
    changes_table = true;
    return Status::Ok();
  }

  bool changes_table = false;

 private:
  ReferencedFiles& live_;
  ReferencedFiles& retained_;
};

class Vacuumer {
 public:
  Vacuumer(const TableContext& table, std::shared_ptr<const Snapshot> snapshot, const VacuumOptions& options)
      : table_(table),
        options_(options),
        snapshot_(std::move(snapshot)),
        live_(table.store->uri()),
        retained_(table.store->uri()),
        links_(*table.store) {}

  Result<VacuumResult> Run();

 private:
  /// Whether the newest version may be vacuumed with this retention.
  Status CheckTable();
  Status CollectReferences();
  /// In lite mode the commits whose removes are looked at; in both modes up to where they are done afterwards.
  Status FindCommits();
  /// Takes what the commits since the last look name.
  Status LookAgain();
  Verdict Judge(const VacuumFile& file);
  Status Walk(const VacuumVisit& visit);
  /// Counts what is to be deleted.
  Status Plan();
  Status DeleteAll();
  Status DeleteBatch(std::vector<VacuumFile>& batch);
  /// A commit without actions, for the table's history.
  Status Note(const std::string& operation, std::map<std::string, std::string> parameters,
              std::map<std::string, std::string> metrics);
  Status NoteStart();
  void NoteEnd(bool completed);
  void KeepProgress();
  void Explain(const VacuumFile& file) const {
    if (options_.explain) options_.explain(file);
  }
  int64_t NowMillis() const { return table_.clock->WallMicros() / kMicrosPerMilli; }

  const TableContext& table_;
  const VacuumOptions& options_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::string> partition_folders_;
  int64_t retention_millis_ = 0;
  int64_t table_retention_millis_ = 0;
  /// The last version whose actions are in the sets below.
  int64_t seen_version_ = -1;
  ReferencedFiles live_;
  /// By removes within the retention.
  ReferencedFiles retained_;
  LinkFinder links_;
  std::vector<LogFile> lite_commits_;
  int64_t last_expired_version_ = -1;
  std::unordered_set<std::string> folders_;
  VacuumResult result_;
};

Status Vacuumer::CheckTable() {
  TARN_RETURN_NOT_OK(CheckWritable(snapshot_->protocol(), snapshot_->metadata(), *snapshot_->schema()));
  TARN_ASSIGN_OR_RETURN(table_retention_millis_, DeletedFileRetentionMillis(snapshot_->metadata()));
  retention_millis_ =
      options_.retention_millis.value_or(std::max(table_retention_millis_, options_.min_retention_millis));
  if (retention_millis_ < 0) return Status::InvalidArgument("a retention is not negative");
  if (retention_millis_ < table_retention_millis_ && !options_.allow_short_retention) {
    return Status::InvalidArgument(
        "a retention of " + HoursText(retention_millis_) + " is shorter than the table's of " +
        HoursText(table_retention_millis_) +
        ": files that writers have not committed yet, and those of versions that are being read, would be deleted");
  }
  partition_folders_ = PartitionFolderNames(*snapshot_);
  return Status::Ok();
}

Status Vacuumer::CollectReferences() {
  for (const ChunkView& view : LogSnapshot::From(snapshot_)->state().chunks) {
    for (uint32_t slot = 0; slot < view.chunk->size(); ++slot) {
      if (!view.IsLive(slot)) continue;
      const FileChunk::Extra* extra = view.chunk->ExtraOf(slot);
      live_.Add(view.chunk->Path(slot), extra != nullptr ? extra->deletion_vector : std::nullopt);
    }
  }
  seen_version_ = snapshot_->version();
  const auto take = [&](const Remove& remove) {
    if (remove.deletion_timestamp_millis.value_or(0) >= result_.cutoff_millis) {
      retained_.Add(remove.path, remove.deletion_vector);
    }
    return Status::Ok();
  };
  TARN_RETURN_NOT_OK(VisitTombstones(table_, seen_version_, take));
  if (retention_millis_ <= table_retention_millis_) return Status::Ok();
  // Checkpoints keep tombstones only as long as the table's own retention.
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(*table_.store, 0, seen_version_));
  std::erase_if(commits, [&](const LogFile& commit) { return commit.modified_millis < result_.cutoff_millis; });
  CommitReader reader(*table_.store);
  for (const LogFile& commit : commits) {
    RemoveVisitor visitor(take);
    TARN_RETURN_NOT_OK(reader.ReadAll(commit, ReplayOptions().window_bytes, visitor));
  }
  return Status::Ok();
}

Status Vacuumer::FindCommits() {
  const auto last = VersionAtTimestamp(table_, *snapshot_, result_.cutoff_millis - 1);
  if (last.status().Is(StatusCode::kNotFound)) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(last_expired_version_, last);
  if (options_.mode != VacuumMode::kLite) return Status::Ok();
  const int64_t first = ReadLastVacuum(*table_.store) + 1;
  if (first > last_expired_version_) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(lite_commits_, ListCommits(*table_.store, first, last_expired_version_));
  if (!lite_commits_.empty() && lite_commits_.front().version == first) return Status::Ok();
  return Status::NotFound(
      "version " + std::to_string(first) +
      ", from which on lite mode would have to look, is cleaned from the log; a full vacuum is needed");
}

Status Vacuumer::LookAgain() {
  CommitParser parser;
  while (true) {
    const auto commit = ReadCommit(*table_.store, seen_version_ + 1);
    if (commit.status().Is(StatusCode::kNotFound)) return Status::Ok();
    TARN_RETURN_NOT_OK(commit.status());
    NewCommit visitor(live_, retained_);
    TARN_RETURN_NOT_OK(parser.ParseCommit(commit->text, visitor).WithContext(CommitKey(seen_version_ + 1)));
    ++seen_version_;
    if (!visitor.changes_table) continue;
    TARN_ASSIGN_OR_RETURN(snapshot_, Refresh(table_, snapshot_));
    TARN_RETURN_NOT_OK(CheckTable());
    if (options_.allow_short_retention || result_.cutoff_millis <= NowMillis() - retention_millis_) continue;
    return Status::Conflict("the table's retention was made longer while it was vacuumed");
  }
}

Verdict Vacuumer::Judge(const VacuumFile& file) {
  if (!file.goes()) return file.verdict;
  if (live_.Contains(file.key)) return Verdict::kLive;
  if (retained_.Contains(file.key)) return Verdict::kRetained;
  if (file.modified_millis >= result_.cutoff_millis) {
    return file.verdict == Verdict::kExpired ? Verdict::kRetained : Verdict::kYoung;
  }
  return links_.IsLinked(file.key) ? Verdict::kOutside : file.verdict;
}

Status Vacuumer::Walk(const VacuumVisit& visit) {
  if (options_.mode == VacuumMode::kLite) return WalkRemoves(table_, lite_commits_, partition_folders_, visit);
  return WalkFolder(*table_.store, partition_folders_, visit);
}

Status Vacuumer::Plan() {
  return Walk([&](VacuumFile file) {
    file.verdict = Judge(file);
    if (file.goes()) {
      ++result_.files;
      result_.bytes += file.size_bytes;
    } else {
      ++result_.files_kept;
    }
    if (options_.dry_run) Explain(file);
    return Status::Ok();
  });
}

Status Vacuumer::DeleteBatch(std::vector<VacuumFile>& batch) {
  TARN_RETURN_NOT_OK(LookAgain());
  std::vector<VacuumFile> going;
  for (VacuumFile& file : batch) {
    file.verdict = Judge(file);
    if (file.goes()) {
      going.push_back(std::move(file));
    } else {
      ++result_.files_kept;
    }
  }
  batch.clear();
  // One that fails does not keep the others; the first failure is the vacuum's.
  std::vector<Status> outcomes(going.size());
  TARN_RETURN_NOT_OK(RunParallel(going.size(), ThreadsFor(*table_.store, kDeleteThreads), [&](size_t i) {
    outcomes[i] = table_.store->Delete(going[i].key).WithContext(going[i].key);
    return Status::Ok();
  }));
  Status failure;
  for (size_t i = 0; i < going.size(); ++i) {
    if (outcomes[i].ok()) {
      ++result_.files;
      result_.bytes += going[i].size_bytes;
      folders_.insert(going[i].key.substr(0, going[i].key.rfind('/') + 1));
      Explain(going[i]);
    } else if (failure.ok()) {
      failure = outcomes[i];
    }
  }
  return failure;
}

Status Vacuumer::DeleteAll() {
  result_.files = result_.bytes = result_.files_kept = 0;
  std::vector<VacuumFile> batch;
  TARN_RETURN_NOT_OK(Walk([&](VacuumFile file) -> Status {
    file.verdict = Judge(file);
    if (!file.goes()) {
      ++result_.files_kept;
      return Status::Ok();
    }
    batch.push_back(std::move(file));
    return batch.size() < kBatchFiles ? Status::Ok() : DeleteBatch(batch);
  }));
  return DeleteBatch(batch);
}

Status Vacuumer::Note(const std::string& operation, std::map<std::string, std::string> parameters,
                      std::map<std::string, std::string> metrics) {
  Status conflict;
  for (int attempt = 0; attempt < kMaxCommitAttempts; ++attempt) {
    TARN_ASSIGN_OR_RETURN(snapshot_, Refresh(table_, snapshot_));
    TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_, snapshot_));
    transaction->SetOperation(operation, parameters);
    transaction->SetMetrics(metrics);
    Result<Committed> committed = transaction->Commit();
    if (committed.ok()) {
      snapshot_ = committed->snapshot;
      return Status::Ok();
    }
    conflict = committed.status();
    if (!conflict.Is(StatusCode::kConflict)) break;
  }
  return conflict;
}

Status Vacuumer::NoteStart() {
  std::map<std::string, std::string> parameters = {
      {"retentionCheckEnabled", options_.allow_short_retention ? "false" : "true"},
      {"defaultRetentionMillis", std::to_string(table_retention_millis_)}};
  if (options_.retention_millis.has_value()) {
    parameters["specifiedRetentionMillis"] = std::to_string(*options_.retention_millis);
  }
  return Note(
      "VACUUM START", std::move(parameters),
      {{"numFilesToDelete", std::to_string(result_.files)}, {"sizeOfDataToDelete", std::to_string(result_.bytes)}});
}

void Vacuumer::NoteEnd(bool completed) {
  std::map<std::string, std::string> metrics;
  if (completed) {
    metrics = {{"numDeletedFiles", std::to_string(result_.files)},
               {"numVacuumedDirectories", std::to_string(folders_.size())}};
  }
  const Status noted = Note("VACUUM END", {{"status", completed ? "COMPLETED" : "FAILED"}}, std::move(metrics));
  // The files are gone whatever the history says of it.
  if (!noted.ok()) {
    Log(LogLevel::kWarning, "the end of a vacuum is missing from the table's history",
        {{"table", table_.store->uri()}, {"why", noted.ToString()}});
  }
}

/// Later lite vacuums begin behind what this one has deleted. Without the note they look at it once more.
void Vacuumer::KeepProgress() {
  if (last_expired_version_ <= ReadLastVacuum(*table_.store)) return;
  std::string text = "{\"";
  text.append(kLastVacuumField).append("\":") += std::to_string(last_expired_version_) + "}\n";
  const Status put = table_.store->Put(LastVacuumKey(), AsBytes(text), storage::Precondition::None()).status();
  if (!put.ok()) {
    Log(LogLevel::kInfo, "how far a vacuum has come was not noted",
        {{"table", table_.store->uri()}, {"why", put.ToString()}});
  }
}

Result<VacuumResult> Vacuumer::Run() {
  TARN_ASSIGN_OR_RETURN(snapshot_, Refresh(table_, snapshot_));
  TARN_RETURN_NOT_OK(CheckTable());
  result_.cutoff_millis = NowMillis() - retention_millis_;
  TARN_RETURN_NOT_OK(CollectReferences());
  TARN_RETURN_NOT_OK(FindCommits());
  TARN_RETURN_NOT_OK(Plan());
  if (!options_.dry_run) {
    if (result_.files > 0) {
      TARN_RETURN_NOT_OK(NoteStart());
      const Status deleted = DeleteAll();
      NoteEnd(deleted.ok());
      TARN_RETURN_NOT_OK(deleted);
    }
    KeepProgress();
  }
  result_.snapshot = snapshot_;
  return std::move(result_);
}

}  // namespace

std::string_view Explanation(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnreferenced:
      return "no version within the retention has it";
    case Verdict::kExpired:
      return "it was removed longer ago than the retention";
    case Verdict::kLive:
      return "the newest version has it";
    case Verdict::kRetained:
      return "it was removed within the retention";
    case Verdict::kYoung:
      return "it was written within the retention, perhaps by a writer that has not committed yet";
    case Verdict::kHidden:
      return "its name is hidden";
    case Verdict::kOutside:
      return "it lies outside of the table";
  }
  return {};
}

Result<VacuumResult> Vacuum(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            const VacuumOptions& options) {
  return Vacuumer(table, std::move(snapshot), options).Run();
}

}  // namespace tarn::delta
