#include "delta/table.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "delta/log/checksum.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/replay.h"
#include "delta/parallel.h"
#include "delta/protocol_features.h"
#include "storage/get_at_most.h"

namespace tarn::delta {

namespace {

/// A file may be cleaned up between listing and reading.
constexpr int kMaxListings = 3;
constexpr int kMaxBrokenFiles = 8;

/// Larger ones, which list every file, are passed over.
constexpr int64_t kMaxChecksumBytes = 4 << 20;

struct LoadedState {
  TableState state;
  /// The key of the checkpoint that it begins with; empty without one.
  std::string checkpoint;
  /// The version's checksum where there is one and it was asked for.
  std::optional<LogFile> checksum;
  std::string checksum_text;
  /// What was passed over on the way, and why.
  std::vector<std::pair<std::string, std::string>> passed_over;
};

/// Reads a segment and, at the same time where that is waiting for a server, its checksum.
Result<LoadedState> ReadSegment(const TableContext& table, const LogSegment& segment, bool with_checksum,
                                std::string* broken) {
  LoadedState loaded;
  if (segment.checkpoint.has_value()) loaded.checkpoint = segment.checkpoint->key();
  if (with_checksum && segment.checksum.has_value() && segment.checksum->size_bytes <= kMaxChecksumBytes) {
    loaded.checksum = segment.checksum;
  }
  TARN_RETURN_NOT_OK(
      RunParallel(loaded.checksum.has_value() ? 2 : 1, ThreadsFor(*table.store, 1), [&](size_t i) -> Status {
        if (i == 0) {
          TARN_ASSIGN_OR_RETURN(loaded.state, ReplaySegment(table.store, segment, ReplayOptions(), broken));
          return Status::Ok();
        }
        // An optional file, that cleanup may take away.
        auto text = storage::GetAtMost(*table.store, loaded.checksum->key, kMaxChecksumBytes);
        if (text.ok()) {
          loaded.checksum_text = *std::move(text);
        } else {
          loaded.checksum.reset();
        }
        return Status::Ok();
      }));
  return loaded;
}

/// Whether a file of the log that fails so may be replaced by what it stands for.
bool IsBroken(StatusCode code) {
  return code == StatusCode::kCorruption || code == StatusCode::kNotFound || code == StatusCode::kPermissionDenied ||
         code == StatusCode::kResourceExhausted;
}

void TellOfPassedOver(const TableContext& table, const LoadedState& loaded) {
  for (const auto& [file, why] : loaded.passed_over) {
    Log(LogLevel::kWarning, "a file of the log cannot be used, and the commits that it stands for are read instead",
        {{"table", table.store->uri()}, {"file", file}, {"why", why}});
  }
}

Result<LoadedState> LoadState(const TableContext& table, std::optional<int64_t> version, bool with_checksum,
                              std::set<std::string> broken_files = {}) {
  SegmentOptions options;
  options.version = version;
  options.broken = std::move(broken_files);
  Status failure;
  int listings = 0;
  std::vector<std::pair<std::string, std::string>> passed_over;
  while (true) {
    TARN_ASSIGN_OR_RETURN(const LogSegment segment, ListSegment(*table.store, options));
    std::string broken;
    auto state = ReadSegment(table, segment, with_checksum, &broken);
    if (state.ok()) {
      state->passed_over = std::move(passed_over);
      return std::move(*state);
    }
    if (failure.ok()) failure = state.status();
    const StatusCode code = state.status().code();
    if (!broken.empty() && IsBroken(code) && options.broken.size() < kMaxBrokenFiles) {
      SegmentOptions without = options;
      // Not an older version, which the commits that are left may lead to.
      without.version = segment.version;
      without.broken.insert(broken);
      // Without another way to the version, the broken file is what is wrong with the table.
      if (ListSegment(*table.store, without).ok()) {
        passed_over.emplace_back(broken, state.status().ToString());
        options = std::move(without);
        continue;
      }
    }
    if (code == StatusCode::kNotFound && ++listings < kMaxListings) {
      options.use_hint = false;
      continue;
    }
    if (!failure.Is(StatusCode::kNotFound)) return failure;
    // Without a file of its own a log is damaged, unless the whole of it has gone meanwhile.
    TARN_RETURN_NOT_OK(ListSegment(*table.store, options).status());
    return Status::Corruption(failure.message());
  }
}

struct LoadedSnapshot {
  std::shared_ptr<const LogSnapshot> snapshot;
  LoadedState state;
};

/// The snapshot of a state that makes one, if need be without the newest checkpoint.
Result<LoadedSnapshot> LoadAny(const TableContext& table, std::optional<int64_t> version,
                               std::set<std::string> broken_files) {
  TARN_ASSIGN_OR_RETURN(LoadedState loaded, LoadState(table, version, /*with_checksum=*/true, broken_files));
  version = loaded.state.version;
  auto snapshot = LogSnapshot::Make(table, std::move(loaded.state));
  if (snapshot.ok()) return LoadedSnapshot{*std::move(snapshot), std::move(loaded)};
  if (!snapshot.status().Is(StatusCode::kCorruption) || loaded.checkpoint.empty()) return snapshot.status();
  broken_files.insert(loaded.checkpoint);
  auto without = LoadState(table, version, /*with_checksum=*/true, std::move(broken_files));
  if (!without.ok()) return snapshot.status();
  auto other = LogSnapshot::Make(table, std::move(without->state));
  if (!other.ok()) return snapshot.status();
  without->passed_over.emplace_back(loaded.checkpoint, snapshot.status().ToString());
  return LoadedSnapshot{*std::move(other), *std::move(without)};
}

/// Where a checkpoint of a version is in doubt, so many commits are read to know, each time that the table is opened.
constexpr size_t kMaxCommitsForDoubt = 1000;

/// The snapshot of the same version without its checkpoint.
Result<LoadedSnapshot> LoadFromCommits(const TableContext& table, const LoadedSnapshot& loaded,
                                       std::set<std::string> broken_files) {
  broken_files.insert(loaded.state.checkpoint);
  SegmentOptions options;
  options.version = loaded.snapshot->version();
  options.broken = broken_files;
  TARN_ASSIGN_OR_RETURN(const LogSegment segment, ListSegment(*table.store, options));
  if (segment.commits.size() > kMaxCommitsForDoubt) return Status::ResourceExhausted("too many commits");
  return LoadAny(table, options.version, std::move(broken_files));
}

ChecksumDifference WrongOf(const LoadedSnapshot& loaded) {
  if (!loaded.state.checksum.has_value()) return {};
  return DifferenceFromChecksum(loaded.state.checksum_text, *loaded.snapshot);
}

Result<std::shared_ptr<const Snapshot>> Load(const TableContext& table, std::optional<int64_t> version,
                                             std::set<std::string> broken_files = {}) {
  TARN_ASSIGN_OR_RETURN(LoadedSnapshot loaded, LoadAny(table, version, broken_files));
  ChecksumDifference wrong = WrongOf(loaded);
  if (wrong.contradicts && !loaded.state.checkpoint.empty()) {
    // One of the two is wrong, and the commits tell which where they are all there.
    auto replayed = LoadFromCommits(table, loaded, std::move(broken_files));
    if (replayed.ok() && WrongOf(*replayed).what.empty()) {
      replayed->state.passed_over.emplace_back(loaded.state.checkpoint, "by the version's checksum " + wrong.what);
      loaded = *std::move(replayed);
      wrong = {};
    }
  }
  TellOfPassedOver(table, loaded.state);
  if (!wrong.what.empty()) {
    Log(LogLevel::kWarning, "a version checksum is not what the log says, and is passed over",
        {{"table", table.store->uri()}, {"file", loaded.state.checksum->key}, {"why", wrong.what}});
  }
  return std::shared_ptr<const Snapshot>(std::move(loaded.snapshot));
}

/// Counts the actions of a commit and keeps its provenance.
class HistoryVisitor final : public ActionVisitor {
 public:
  explicit HistoryVisitor(HistoryEntry& entry) : entry_(entry) {}
  Status OnAdd(const AddRecord&) override {
    ++entry_.files_added;
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord&) override {
    ++entry_.files_removed;
    return Status::Ok();
  }
  Status OnCommitInfo(std::string_view json) override {
    TARN_ASSIGN_OR_RETURN(entry_.info, ParseCommitInfo(json));
    return Status::Ok();
  }

 private:
  HistoryEntry& entry_;
};

Result<HistoryEntry> ReadHistoryEntry(const TableContext& table, int64_t version, int64_t modified_millis) {
  TARN_ASSIGN_OR_RETURN(const CommitText commit, ReadCommit(*table.store, version));
  HistoryEntry entry;
  entry.version = version;
  HistoryVisitor visitor(entry);
  CommitParser parser;
  TARN_RETURN_NOT_OK(parser.ParseCommit(commit.text, visitor).WithContext(CommitKey(version)));
  entry.timestamp_millis = entry.info.TimeMillis(modified_millis);
  return entry;
}

}  // namespace

Result<std::shared_ptr<const Snapshot>> LoadSnapshot(const TableContext& table) { return Load(table, std::nullopt); }

Result<std::optional<int64_t>> ReadTxnVersion(const TableContext& table, const std::string& app_id) {
  TARN_ASSIGN_OR_RETURN(const LoadedState loaded, LoadState(table, std::nullopt, /*with_checksum=*/false));
  const TxnMap& txns = *loaded.state.txns;
  const auto found = txns.find(app_id);
  return found == txns.end() ? std::nullopt : std::optional<int64_t>(found->second.version);
}

Result<std::shared_ptr<const Snapshot>> LoadSnapshotAt(const TableContext& table, int64_t version) {
  if (version < 0) return Status::InvalidArgument("a version is not negative");
  return Load(table, version);
}

Result<std::shared_ptr<const Snapshot>> LoadSnapshotWithout(const TableContext& table, int64_t version,
                                                            std::set<std::string> keys) {
  return Load(table, version, std::move(keys));
}

namespace {

/// Whether the log still holds the commit that the snapshot was read from. One that cleanup leaves in place has not
/// lost its successors either: the oldest go first.
Result<bool> IsStillThere(const TableContext& table, const LogSnapshot& snapshot) {
  const auto head = table.store->Head(CommitKey(snapshot.version()));
  if (head.ok()) {
    const TableState& state = snapshot.state();
    return head->modified_micros / kMicrosPerMilli == state.modified_millis ||
           (!state.etag.empty() && head->etag == state.etag);
  }
  if (!head.status().Is(StatusCode::kNotFound)) return head.status();
  // A checkpoint may stand in for its commit.
  TARN_ASSIGN_OR_RETURN(const LogSegment segment, ListSegment(*table.store, {}));
  return segment.version == snapshot.version() && segment.modified_millis == snapshot.state().modified_millis;
}

/// Far behind, one listing and parallel replay beat reading commit after commit.
constexpr int kMaxSteps = 64;

using SnapshotPtr = std::shared_ptr<const LogSnapshot>;

Result<SnapshotPtr> Apply(const TableContext& table, const SnapshotPtr& current, const CommitText& commit) {
  TARN_ASSIGN_OR_RETURN(TableState state, ApplyCommit(current->state(), table.store, commit.text,
                                                      current->version() + 1, commit.modified_millis, ReplayOptions()));
  return LogSnapshot::Make(table, std::move(state), current.get());
}

/// Null where the log must be read from its beginning.
Result<SnapshotPtr> RefreshByTrying(const TableContext& table, SnapshotPtr current) {
  for (int step = 0; step < kMaxSteps; ++step) {
    const auto commit = ReadCommit(*table.store, current->version() + 1);
    if (step == 0 && (commit.ok() || commit.status().Is(StatusCode::kNotFound))) {
      TARN_ASSIGN_OR_RETURN(const bool still_there, IsStillThere(table, *current));
      if (!still_there) return SnapshotPtr();
    }
    if (commit.status().Is(StatusCode::kNotFound)) return current;
    TARN_RETURN_NOT_OK(commit.status());
    TARN_ASSIGN_OR_RETURN(current, Apply(table, current, *commit));
  }
  return SnapshotPtr();
}

/// One listing shows both whether the snapshot's own commit is still there and what came after it: one request where
/// trying takes two, and two where there is one more commit. Null where the log must be read from its beginning.
Result<SnapshotPtr> RefreshByListing(const TableContext& table, SnapshotPtr current) {
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(*table.store, current->version()));
  if (commits.empty() || commits.size() > kMaxSteps || commits.front().version != current->version() ||
      commits.back().version != current->version() + static_cast<int64_t>(commits.size()) - 1) {
    return SnapshotPtr();
  }
  const TableState& state = current->state();
  const LogFile& own = commits.front();
  if (own.modified_millis != state.modified_millis && (state.etag.empty() || own.etag != state.etag)) {
    return SnapshotPtr();
  }
  commits.erase(commits.begin());
  std::vector<CommitText> texts(commits.size());
  const Status read = RunParallel(commits.size(), ThreadsFor(*table.store, 1), [&](size_t i) -> Status {
    TARN_ASSIGN_OR_RETURN(texts[i], ReadCommit(*table.store, commits[i].version));
    return Status::Ok();
  });
  if (read.Is(StatusCode::kNotFound)) return SnapshotPtr();
  TARN_RETURN_NOT_OK(read);
  for (const CommitText& text : texts) {
    TARN_ASSIGN_OR_RETURN(current, Apply(table, current, text));
  }
  return current;
}

}  // namespace

Result<std::shared_ptr<const Snapshot>> Refresh(const TableContext& table,
                                                const std::shared_ptr<const Snapshot>& snapshot) {
  const SnapshotPtr current = LogSnapshot::From(snapshot);
  // A folder on disk would be listed whole.
  const bool lists = IsDistant(*table.store);
  TARN_ASSIGN_OR_RETURN(SnapshotPtr newest, lists ? RefreshByListing(table, current) : RefreshByTrying(table, current));
  if (newest == nullptr) return LoadSnapshot(table);
  return std::shared_ptr<const Snapshot>(std::move(newest));
}

Result<bool> TableExists(storage::ObjectStore& table_store) {
  bool exists = false;
  storage::ListOptions options;
  options.prefix = std::string(kLogFolder);
  TARN_RETURN_NOT_OK(table_store.List(options, [&](const storage::ListEntry& entry) {
    const auto name = ParseLogName(std::string_view(entry.object.key).substr(kLogFolder.size()));
    exists = name.has_value() && name->kind != LogName::Kind::kChecksum;
    return !exists;
  }));
  return exists;
}

Result<int64_t> VersionAtTimestamp(const TableContext& table, int64_t timestamp_millis) {
  TARN_ASSIGN_OR_RETURN(const auto newest, LoadSnapshot(table));
  return VersionAtTimestamp(table, *newest, timestamp_millis);
}

Result<int64_t> VersionAtTimestamp(const TableContext& table, const Snapshot& newest, int64_t timestamp_millis) {
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(*table.store, 0, newest.version()));
  if (commits.empty()) return Status::NotFound("the log holds no commits");
  int64_t in_commit_from = INT64_MAX;
  if (PropertyIsTrue(newest.metadata(), "delta.enableInCommitTimestamps")) {
    in_commit_from = PropertyNumber(newest.metadata(), "delta.inCommitTimestampEnablementVersion", /*otherwise=*/0);
  }
  for (const LogFile& commit : commits) {
    if (commit.version >= in_commit_from || commit.modified_millis > 0) continue;
    return Status::Unsupported(table.store->uri() + ": its store does not say when " + commit.key +
                               " was written (Last-Modified), so that no version can be found by a time");
  }
  MakeMonotone(commits);
  // In-commit timestamps rise with the version and are later than all before them, so that halving finds the place.
  const auto later = [&](const LogFile& commit) -> Result<bool> {
    if (commit.version < in_commit_from) return commit.modified_millis > timestamp_millis;
    TARN_ASSIGN_OR_RETURN(const HistoryEntry entry, ReadHistoryEntry(table, commit.version, commit.modified_millis));
    return entry.timestamp_millis > timestamp_millis;
  };
  size_t low = 0;
  size_t high = commits.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    TARN_ASSIGN_OR_RETURN(const bool is_later, later(commits[middle]));
    if (is_later) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == 0) return Status::NotFound("the time is before the first commit that the log still holds");
  return commits[low - 1].version;
}

Result<std::vector<HistoryEntry>> ReadHistory(const TableContext& table, const Snapshot& snapshot, int64_t limit) {
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(*table.store, 0, snapshot.version()));
  MakeMonotone(commits);
  std::vector<HistoryEntry> history;
  for (size_t i = commits.size(); i-- > 0 && static_cast<int64_t>(history.size()) < limit;) {
    auto entry = ReadHistoryEntry(table, commits[i].version, commits[i].modified_millis);
    // Log cleanup takes the oldest commits away.
    if (entry.status().Is(StatusCode::kNotFound)) break;
    if (!entry.ok()) return std::move(entry).status();
    history.push_back(std::move(*entry));
  }
  return history;
}

}  // namespace tarn::delta
