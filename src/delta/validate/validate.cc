#include "delta/validate/validate.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "delta/log/checkpoint_source.h"
#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/parallel.h"
#include "delta/validate/validate_commit.h"
#include "delta/validate/validate_derived.h"
#include "delta/validate/validate_files.h"
#include "delta/validate/validate_rules.h"
#include "storage/get_at_most.h"

namespace tarn::delta {
namespace validation {
namespace {

/// Everything that the log folder holds, by version.
struct LogListing {
  std::map<int64_t, LogFile> commits;
  std::map<int64_t, std::vector<CheckpointFiles>> checkpoints;
  /// By the last version that they cover.
  std::multimap<int64_t, LogFile> compacted;
  std::map<int64_t, LogFile> checksums;

  int64_t last_version() const {
    return std::max(commits.empty() ? -1 : commits.rbegin()->first,
                    checkpoints.empty() ? -1 : checkpoints.rbegin()->first);
  }
};

/// Lists the log without our reader's hint and bounds.
class Lister {
 public:
  Lister(storage::ObjectStore& store, Findings& findings) : store_(store), findings_(findings) {}

  Result<LogListing> Run() {
    storage::ListOptions options;
    options.prefix = std::string(kLogFolder);
    options.group_by_folder = true;
    TARN_RETURN_NOT_OK(store_.List(options, [&](const storage::ListEntry& entry) {
      if (!entry.is_folder && entry.object.key.size() > kLogFolder.size()) Take(entry.object);
      return true;
    }));
    TARN_RETURN_NOT_OK(AskForOverlookedCommits());
    for (auto& [set, parts] : parts_) {
      const auto [version, count] = set;
      if (static_cast<int>(parts.size()) == count) {
        CheckpointFiles& checkpoint = listing_.checkpoints[version].emplace_back();
        checkpoint.version = version;
        for (auto& [part, file] : parts) checkpoint.parts.push_back(std::move(file));
      } else {
        findings_.Warn(
            "checkpoint-incomplete", {parts.begin()->second.key, version},
            "only " + std::to_string(parts.size()) + " of its " + std::to_string(count) + " parts are there");
      }
    }
    return std::move(listing_);
  }

 private:
  void Take(const storage::ObjectInfo& object) {
    const std::string_view text = std::string_view(object.key).substr(kLogFolder.size());
    const auto name = ParseLogName(text);
    if (!name.has_value() || name->end_version < name->version) {
      const bool looks_versioned = text[0] >= '0' && text[0] <= '9';
      if (looks_versioned) findings_.Warn("log-name", {object.key}, "the protocol knows no file of such a name");
      return;
    }
    LogFile file{object.key, name->version, object.size_bytes, object.modified_micros / kMicrosPerMilli};
    switch (name->kind) {
      case LogName::Kind::kCommit:
        listing_.commits[name->version] = std::move(file);
        break;
      case LogName::Kind::kCheckpoint:
        parts_[{name->version, name->parts}][name->part] = std::move(file);
        break;
      case LogName::Kind::kUuidCheckpoint:
        listing_.checkpoints[name->version].push_back({name->version, {std::move(file)}});
        break;
      case LogName::Kind::kCompacted:
        file.compacted_to = name->end_version;
        listing_.compacted.emplace(name->end_version, std::move(file));
        break;
      case LogName::Kind::kChecksum:
        listing_.checksums[name->version] = std::move(file);
        break;
    }
  }

  /// A listing may overlook a commit that came meanwhile, but not the next; what can be had by its name is there.
  Status AskForOverlookedCommits() {
    int64_t expected = listing_.commits.empty() ? 0 : listing_.commits.begin()->first;
    for (const auto& [version, commit] : listing_.commits) {
      for (; expected < version; ++expected) {
        const Result<storage::ObjectInfo> found = store_.Head(CommitKey(expected));
        if (found.status().Is(StatusCode::kNotFound)) break;
        TARN_RETURN_NOT_OK(found.status());
        Take(*found);
      }
      expected = version + 1;
    }
    return Status::Ok();
  }

  storage::ObjectStore& store_;
  Findings& findings_;
  LogListing listing_;
  std::map<std::pair<int64_t, int>, std::map<int, LogFile>> parts_;
};

/// The first version behind `version` that has no commit.
int64_t FirstMissingAfter(const LogListing& listing, int64_t version) {
  ++version;
  for (auto it = listing.commits.lower_bound(version); it != listing.commits.end() && it->first == version; ++it) {
    ++version;
  }
  return version;
}

/// Commits of a distant store are read so many at a time, and so many bytes.
constexpr size_t kCommitsAhead = 32;
constexpr int64_t kBytesAhead = 16 << 20;

/// The texts of a log's commits, asked for in the order of their versions.
class CommitTexts {
 public:
  CommitTexts(storage::ObjectStore& store, const std::map<int64_t, LogFile>& commits)
      : store_(store), commits_(commits) {}

  Result<std::string> Take(int64_t version) {
    if (!IsDistant(store_)) return ReadActionsText(store_, commits_.at(version).key);
    if (!ahead_.contains(version)) ReadAhead(version);
    return std::move(ahead_.extract(version).mapped());
  }

 private:
  void ReadAhead(int64_t version) {
    ahead_.clear();
    std::vector<const LogFile*> files;
    int64_t bytes = 0;
    for (auto it = commits_.find(version); it != commits_.end() && files.size() < kCommitsAhead; ++it) {
      bytes += it->second.size_bytes;
      if (bytes > kBytesAhead && !files.empty()) break;
      files.push_back(&it->second);
    }
    std::vector<Result<std::string>> texts(files.size(), std::string());
    // Each failure belongs to its own version.
    (void)RunParallel(files.size(), ThreadsFor(store_, 1), [&](size_t i) {
      texts[i] = ReadActionsText(store_, files[i]->key);
      return Status::Ok();
    }).ok();
    for (size_t i = 0; i < files.size(); ++i) ahead_.emplace(files[i]->version, std::move(texts[i]));
  }

  storage::ObjectStore& store_;
  const std::map<int64_t, LogFile>& commits_;
  std::map<int64_t, Result<std::string>> ahead_;
};

/// Goes through a log from its first usable version to its last.
class Validator {
 public:
  Validator(const TableContext& table, const ValidateOptions& options, ValidationReport& report, Findings& findings)
      : table_(table), options_(options), report_(report), findings_(findings), state_(table.store->uri(), findings) {}

  Status Run() {
    TARN_ASSIGN_OR_RETURN(listing_, Lister(*table_.store, findings_).Run());
    const int64_t last = listing_.last_version();
    if (last < 0) return Status::NotFound("there is no Delta log");
    TARN_RETURN_NOT_OK(CheckHint());
    const std::optional<int64_t> start = FindStart(last);
    if (!start.has_value()) return Status::Ok();
    TARN_RETURN_NOT_OK(Begin(*start));
    const int64_t end = FirstMissingAfter(listing_, *start) - 1;
    for (int64_t version = *start + 1; version <= end; ++version) TARN_RETURN_NOT_OK(CheckVersion(version));
    report_.first_version = std::max<int64_t>(*start, 0);
    report_.last_version = std::max(end, *start);
    report_.live_files = state_.model().files.size();
    // With errors before it, the reader may rightly refuse the table.
    if (findings_.errors() == 0) TARN_RETURN_NOT_OK(CheckReplay(table_, state_, report_.last_version, findings_));
    if (options_.check_files || options_.check_data) {
      return CheckFiles(table_, state_.shape(), options_.check_data, findings_);
    }
    return Status::Ok();
  }

 private:
  Status CheckHint() {
    const Place place{std::string(kLastCheckpointKey)};
    const auto text = storage::GetAtMost(*table_.store, kLastCheckpointKey, kMaxHintBytes);
    if (text.status().Is(StatusCode::kNotFound)) return Status::Ok();
    if (!text.ok() && !text.status().Is(StatusCode::kResourceExhausted)) return text.status();
    const auto hint = text.ok() ? ParseLastCheckpoint(*text) : std::nullopt;
    if (!hint.has_value()) {
      findings_.Warn("hint", place, "the file cannot be read");
      return Status::Ok();
    }
    const int64_t parts = hint->parts.value_or(1);
    const auto found = listing_.checkpoints.find(hint->version);
    if (found == listing_.checkpoints.end()) {
      findings_.Warn(
          "hint", place,
          "it names a checkpoint of version " + std::to_string(hint->version) + ", of which there is no complete one");
    } else if (std::none_of(found->second.begin(), found->second.end(), [&](const CheckpointFiles& checkpoint) {
                 return static_cast<int64_t>(checkpoint.parts.size()) == parts;
               })) {
      findings_.Warn("hint", place,
                     "it gives the checkpoint of version " + std::to_string(hint->version) + " " +
                         std::to_string(parts) + (parts == 1 ? " part" : " parts") + ", and there is none of so many");
    }
    return Status::Ok();
  }

  /// The version behind which commits are applied: -1, or that of the oldest checkpoint that leads to the end. Reports
  /// gaps; nullopt where there is nothing to begin with.
  std::optional<int64_t> FindStart(int64_t last) {
    if (FirstMissingAfter(listing_, -1) > last) return -1;
    for (const auto& [version, files] : listing_.checkpoints) {
      if (FirstMissingAfter(listing_, version) <= last && version != last) continue;
      ReportOldGaps(version);
      return version;
    }
    const int64_t missing = FirstMissingAfter(listing_, -1);
    findings_.Error("log-gap", {CommitKey(missing), missing},
                    "the log lacks version " + std::to_string(missing) + " and has no checkpoint that leads past it");
    return missing > 0 ? std::optional<int64_t>(-1) : std::nullopt;
  }

  /// Cleanup takes the oldest commits first, so that what is left before a checkpoint hangs together.
  void ReportOldGaps(int64_t start) {
    int64_t expected = -1;
    for (const auto& [version, commit] : listing_.commits) {
      if (version > start) break;
      if (expected >= 0 && version != expected) {
        findings_.Warn("log-gap", {CommitKey(expected), expected},
                       "the log lacks version " + std::to_string(expected) + ", but not those before it");
      }
      expected = version + 1;
    }
    if (expected >= 0 && expected < start) {
      findings_.Warn("log-gap", {CommitKey(expected), expected},
                     "the log lacks version " + std::to_string(expected) + ", but not those before it");
    }
  }

  /// Takes the state from the checkpoint of version `start`, if that is one.
  Status Begin(int64_t start) {
    if (start < 0) return Status::Ok();
    for (auto it = listing_.commits.begin(); it != listing_.commits.end() && it->first < start; ++it) {
      TARN_RETURN_NOT_OK(CheckActions(texts_.Take(it->first), {it->second.key, it->first}, findings_).status());
    }
    const CheckpointFiles& checkpoint = listing_.checkpoints.at(start).front();
    const Place place{checkpoint.key(), start};
    const auto snapshot = OpenCheckpoint(table_, checkpoint);
    if (snapshot.status().Is(StatusCode::kCorruption)) {
      findings_.Error("checkpoint", place, snapshot.status().message());
      known_ = false;
      return Status::Ok();
    }
    TARN_RETURN_NOT_OK(snapshot.status());
    TARN_ASSIGN_OR_RETURN(TableModel model, ModelOf(**snapshot, table_.store->uri(), "checkpoint", place, findings_));
    model.files.clear();
    state_.Begin(model, place);
    const auto& source = dynamic_cast<const CheckpointSource&>(**snapshot);
    TARN_RETURN_NOT_OK(source.VisitAdds([&](const Add& add) {
      state_.BeginFile(add, place);
      return Status::Ok();
    }));
    std::optional<CommitInfo> info;
    if (const auto commit = listing_.commits.find(start); commit != listing_.commits.end()) {
      TARN_ASSIGN_OR_RETURN(const CommitActions actions,
                            CheckActions(texts_.Take(start), {commit->second.key, start}, findings_));
      if (!actions.infos.empty()) info = actions.infos.front().action;
    }
    return CheckDerived(start, info);
  }

  Status CheckVersion(int64_t version) {
    const Place place{listing_.commits.at(version).key, version};
    TARN_ASSIGN_OR_RETURN(const CommitActions commit, CheckActions(texts_.Take(version), place, findings_));
    known_ = known_ && commit.complete;
    if (known_) state_.Apply(commit);
    return CheckDerived(version, commit.infos.empty() ? std::nullopt : std::optional(commit.infos.front().action));
  }

  Status CheckDerived(int64_t version, const std::optional<CommitInfo>& info) {
    if (const auto found = listing_.checkpoints.find(version); found != listing_.checkpoints.end()) {
      for (const CheckpointFiles& checkpoint : found->second) {
        TARN_RETURN_NOT_OK(known_ ? CheckCheckpoint(table_, checkpoint, state_, findings_)
                                  : CheckOpens(table_, checkpoint, findings_));
      }
    }
    if (!known_) return Status::Ok();
    if (const auto found = listing_.checksums.find(version); found != listing_.checksums.end()) {
      TARN_RETURN_NOT_OK(CheckChecksum(table_, {found->second.key, version}, state_, info, findings_));
    }
    const auto [begin, end] = listing_.compacted.equal_range(version);
    for (auto it = begin; it != end; ++it) {
      // Some of its commits may be gone by cleanup.
      if (FirstMissingAfter(listing_, it->second.version - 1) <= version) continue;
      TARN_RETURN_NOT_OK(CheckCompacted(table_, it->second, findings_));
    }
    return Status::Ok();
  }

  const TableContext& table_;
  const ValidateOptions& options_;
  ValidationReport& report_;
  Findings& findings_;
  LogListing listing_;
  CommitTexts texts_{*table_.store, listing_.commits};
  LogRules state_;
  /// False once a commit could not be read: the state behind it is unknown.
  bool known_ = true;
};

}  // namespace
}  // namespace validation

std::string Finding::ToString() const {
  std::string text = severity == Severity::kError ? "error " : "warning ";
  text += rule;
  if (!key.empty()) text += " " + key + (line > 0 ? ":" + std::to_string(line) : "");
  if (key.empty() && version >= 0) text += " version " + std::to_string(version);
  return text + ": " + message;
}

Result<ValidationReport> ValidateTable(const TableContext& table, const ValidateOptions& options) {
  ValidationReport report;
  validation::Findings findings(report, options.max_findings);
  TARN_RETURN_NOT_OK(validation::Validator(table, options, report, findings).Run());
  return report;
}

}  // namespace tarn::delta
