#include "delta/log/external_commits.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/uri.h"
#include "delta/log/log_names.h"
#include "storage/forwarding_store.h"

namespace tarn::delta {

namespace {

using storage::ListEntry;
using storage::ListOptions;
using storage::ObjectInfo;
using storage::ObjectReader;
using storage::ObjectStore;
using storage::ObjectWriter;
using storage::Precondition;

constexpr std::string_view kTempFolder = ".tmp/";
/// How often an entry whose outcome is unknown is added or looked up.
constexpr int kMaxClaims = 5;
/// How often a commit that slept too long begins anew.
constexpr int kMaxStarts = 3;
/// Tables that are known to have no entries; all are forgotten when there are more.
constexpr size_t kMaxKnownTables = 10'000;

/// The file of a version in some table's log.
struct CommitPlace {
  /// Key of the table's folder: empty, or ending with '/'.
  std::string table;
  int64_t version = 0;

  std::string log() const { return table + std::string(kLogFolder); }
  std::string file_name() const { return PaddedVersion(version) + ".json"; }
  std::string key() const { return log() + file_name(); }
  CommitPlace previous() const { return {table, version - 1}; }
};

std::optional<CommitPlace> CommitAt(std::string_view key) {
  const auto log_key = SplitLogKey(key);
  if (!log_key.has_value()) return std::nullopt;
  const auto name = ParseLogName(log_key->name);
  if (!name.has_value() || name->kind != LogName::Kind::kCommit) return std::nullopt;
  return CommitPlace{std::string(log_key->table), name->version};
}

/// Whether there is a temporary file of a commit by entry whose name begins so.
Result<bool> HasTemporary(ObjectStore& store, const std::string& log, std::string_view name) {
  bool found = false;
  ListOptions options;
  options.prefix = log + std::string(kTempFolder) + std::string(name);
  TARN_RETURN_NOT_OK(store.List(options, [&](const ListEntry& entry) {
    const std::string_view file = std::string_view(entry.object.key).substr(log.size() + kTempFolder.size());
    const size_t uuid = file.find(".json.");
    found = uuid != std::string_view::npos && ParseLogName(file.substr(0, uuid + 5)).has_value();
    return !found;
  }));
  return found;
}

class ExternalCommits final : public storage::ForwardingStore {
 public:
  ExternalCommits(std::shared_ptr<ObjectStore> store, std::shared_ptr<CommitEntries> entries,
                  ExternalCommitOptions options, Clock& clock, Random& random)
      : ForwardingStore(std::move(store)),
        entries_(std::move(entries)),
        options_(std::move(options)),
        clock_(clock),
        random_(random) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    auto found = inner().Head(key);
    if (!found.status().Is(StatusCode::kNotFound)) return found;
    TARN_ASSIGN_OR_RETURN(const std::string elsewhere, FindByEntry(key, found.status()));
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, inner().Head(elsewhere));
    info.key = key;
    return info;
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    auto found = inner().Open(key);
    if (!found.status().Is(StatusCode::kNotFound)) return found;
    TARN_ASSIGN_OR_RETURN(const std::string elsewhere, FindByEntry(key, found.status()));
    return inner().Open(elsewhere);
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    if (precondition.kind != Precondition::Kind::kIfAbsent) return inner().Put(key, bytes, precondition);
    const auto commit = CommitAt(key);
    return commit.has_value() ? Commit(*commit, bytes) : PutIfAbsent(key, bytes);
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    if (CommitAt(key).has_value()) return Status::Unsupported(std::string(key) + ": commits are put whole");
    auto writer = inner().OpenWriter(key, precondition);
    if (precondition.kind != Precondition::Kind::kIfAbsent || !writer.status().Is(StatusCode::kUnsupported)) {
      return writer;
    }
    TARN_RETURN_NOT_OK(CheckAbsent(key));
    return inner().OpenWriter(key, Precondition::None());
  }

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    const auto log_key = SplitLogKey(options.prefix);
    // Commits are listed only where names may begin with a digit.
    if (!log_key.has_value() || (!log_key->name.empty() && (log_key->name[0] < '0' || log_key->name[0] > '9'))) {
      return inner().List(options, visit);
    }
    const std::string log = std::string(log_key->table) + std::string(kLogFolder);
    TARN_ASSIGN_OR_RETURN(const auto newest, entries_->Newest(TablePath(log_key->table)));
    if (!newest.has_value() || newest->complete) return inner().List(options, visit);
    TARN_ASSIGN_OR_RETURN(const bool in_place, Settle(log, *newest));
    if (in_place) return inner().List(options, visit);
    ListEntry hidden;
    TARN_ASSIGN_OR_RETURN(hidden.object, inner().Head(log + newest->temp_path));
    hidden.object.key = log + newest->file_name;
    return ListWith(hidden, options, visit);
  }

 private:
  /// When a look at the log was taken.
  struct Moment {
    int64_t wall_micros = 0;
    int64_t monotonic_micros = 0;
  };

  Moment Now() { return {clock_.WallMicros(), clock_.MonotonicMicros()}; }

  /// Whether since then entries of others may have come and gone again, so that the look says nothing any more. The
  /// monotonic clock may stand still while the machine sleeps, the other may be set back.
  bool IsTooLongAgo(const Moment& then) {
    const Moment now = Now();
    const int64_t passed = std::max(now.wall_micros - then.wall_micros, now.monotonic_micros - then.monotonic_micros);
    return passed > options_.ttl_seconds * kMicrosPerSecond / 2;
  }

  std::string TablePath(std::string_view table) const {
    while (table.ends_with('/')) table.remove_suffix(1);
    const std::string path = JoinPath(options_.root, table);
    // As Spark writes the root of a bucket.
    return path.find('/', path.find("://") + 3) == std::string::npos ? path + "/" : path;
  }

  std::string Shown(std::string_view key) { return uri() + "/" + std::string(key); }

  Result<std::optional<CommitEntry>> EntryOf(const CommitPlace& commit) {
    return entries_->Get(TablePath(commit.table), commit.file_name());
  }

  /// Under which key to read a commit that the store does not have; `missing` when there is no such commit.
  Result<std::string> FindByEntry(std::string_view key, const Status& missing) {
    const auto commit = CommitAt(key);
    if (!commit.has_value()) return missing;
    TARN_ASSIGN_OR_RETURN(const auto entry, EntryOf(*commit));
    if (!entry.has_value()) return missing;
    // Complete: it came between the two looks, or the log was cleaned of it.
    if (entry->complete) return std::string(key);
    TARN_ASSIGN_OR_RETURN(const bool in_place, Settle(commit->log(), *entry));
    return in_place ? std::string(key) : commit->log() + entry->temp_path;
  }

  /// Finishes what an entry began: copies and completes. False when its bytes can be read, but not copied.
  Result<bool> Settle(const std::string& log, const CommitEntry& entry) {
    const std::string key = log + entry.file_name;
    const std::string temporary = log + entry.temp_path;
    for (const std::string& named : {key, temporary}) {
      if (!storage::CheckKey(named).ok() || entry.file_name.find('/') != std::string::npos) {
        return Status::Corruption("the entry of " + Shown(key) + " names " + entry.temp_path);
      }
    }
    const auto text = inner().Get(temporary);
    if (text.status().Is(StatusCode::kNotFound)) {
      const auto found = inner().Head(key);
      if (found.status().Is(StatusCode::kNotFound)) {
        return Status::Corruption("the entry of " + Shown(key) + " names " + entry.temp_path +
                                  ", which does not exist; entries of a table that was dropped must be deleted");
      }
      if (!found.ok()) return found.status();
    } else {
      if (!text.ok()) return text.status();
      TARN_RETURN_NOT_OK(CheckPrevious(key));
      const auto copied = Copy(key, AsBytes(*text));
      if (copied.status().Is(StatusCode::kCorruption)) return copied.status();
      if (!copied.ok()) {
        Log(LogLevel::kDebug, "a commit is read from its temporary file",
            {{"commit", Shown(key)}, {"why", copied.status().ToString()}});
        return false;
      }
    }
    MarkComplete(entry);
    return true;
  }

  /// A commit is put into place only behind the one before, so that versions have no gap.
  Status CheckPrevious(const std::string& key) {
    const auto commit = CommitAt(key);
    if (!commit.has_value() || commit->version == 0) return Status::Ok();
    const auto found = inner().Head(commit->previous().key());
    if (!found.status().Is(StatusCode::kNotFound)) return found.status();
    return Status::Corruption(Shown(key) + " has an entry, and the version before it does not exist");
  }

  /// What cannot be marked now is marked by whoever comes next.
  void MarkComplete(const CommitEntry& entry) {
    const int64_t expires = clock_.WallMicros() / kMicrosPerSecond + options_.ttl_seconds;
    const Status status = entries_->Complete(entry, expires);
    if (!status.ok() && !status.Is(StatusCode::kConflict)) {
      Log(LogLevel::kDebug, "an entry could not be completed", {{"file", entry.file_name}, {"why", status.ToString()}});
    }
  }

  Status CheckAbsent(std::string_view key) {
    const auto found = inner().Head(key);
    if (found.ok()) return Status::AlreadyExists(Shown(key) + " exists");
    return found.status().Is(StatusCode::kNotFound) ? Status::Ok() : found.status();
  }

  /// For keys under which nobody puts other bytes: where the store cannot decide between writers a look is enough.
  Result<ObjectInfo> PutIfAbsent(std::string_view key, ByteSpan bytes) {
    auto put = inner().Put(key, bytes, Precondition::IfAbsent());
    if (!put.status().Is(StatusCode::kUnsupported)) return put;
    TARN_RETURN_NOT_OK(CheckAbsent(key));
    return inner().Put(key, bytes, Precondition::None());
  }

  /// Puts the bytes of a commit into place, unless they are there. Corruption when others are.
  Result<ObjectInfo> Copy(const std::string& key, ByteSpan bytes) {
    auto put = PutIfAbsent(key, bytes);
    if (!put.status().Is(StatusCode::kAlreadyExists) && !put.status().Is(StatusCode::kIndeterminate)) return put;
    TARN_ASSIGN_OR_RETURN(const std::string found, inner().Get(key));
    if (found != AsText(bytes)) {
      return Status::Corruption(Shown(key) + " is not what its entry says: somebody committed it without entries");
    }
    return inner().Head(key);
  }

  Result<ObjectInfo> Commit(const CommitPlace& commit, ByteSpan bytes) {
    for (int start = 0; start < kMaxStarts; ++start) {
      const Moment begun = Now();
      TARN_RETURN_NOT_OK(CheckAbsent(commit.key()));
      if (commit.version > 0) TARN_RETURN_NOT_OK(FinishPrevious(commit.previous()));
      const CommitEntry entry{.table_path = TablePath(commit.table),
                              .file_name = commit.file_name(),
                              .temp_path = std::string(kTempFolder) + commit.file_name() + "." + random_.Uuid()};
      if (const auto put = inner().Put(commit.log() + entry.temp_path, bytes, Precondition::None()); !put.ok()) {
        // Nobody knows of the file yet, so that nothing has been committed.
        const bool lost = put.status().Is(StatusCode::kIndeterminate);
        return lost ? Status::Unavailable(put.status().message()) : put.status();
      }
      TARN_ASSIGN_OR_RETURN(const bool claimed, Claim(commit, entry, begun));
      if (claimed) return Finish(commit, entry, bytes, begun);
    }
    return Status::Unavailable(Shown(commit.key()) + ": the log changed or time ran on under every try");
  }

  /// Adds the entry. False when nothing was added and the log has to be looked at again.
  Result<bool> Claim(const CommitPlace& commit, const CommitEntry& entry, const Moment& begun) {
    bool may_be_ours = false;
    for (int claim = 0; claim < kMaxClaims; ++claim) {
      if (IsTooLongAgo(begun)) break;
      const Status added = entries_->Add(entry);
      if (added.ok()) return true;
      may_be_ours = may_be_ours || added.Is(StatusCode::kIndeterminate);
      if (!may_be_ours && !added.Is(StatusCode::kAlreadyExists)) return added;
      // Whose it is tells the temporary file's name.
      const auto found = EntryOf(commit);
      if (!found.ok()) {
        if (may_be_ours) continue;
        return added;
      }
      if (!found->has_value()) continue;
      if ((*found)->temp_path == entry.temp_path) return true;
      return LostTo(commit, **found);
    }
    if (!may_be_ours) return false;
    return Status::Indeterminate(Shown(commit.key()) + ": the entry may or may not have been added");
  }

  /// Why another's entry keeps us from the version.
  Status LostTo(const CommitPlace& commit, const CommitEntry& winner) {
    const Status lost = Status::AlreadyExists(Shown(commit.key()) + " has the entry of another commit");
    if (!winner.complete || !inner().Head(commit.key()).status().Is(StatusCode::kNotFound)) return lost;
    return Status::Corruption(Shown(commit.key()) +
                              " has a complete entry and does not exist; entries of a table that was dropped must be "
                              "deleted before another is made in its place");
  }

  /// The entry is ours and the version with it, whatever happens now: others finish it, too.
  Result<ObjectInfo> Finish(const CommitPlace& commit, const CommitEntry& entry, ByteSpan bytes, const Moment& begun) {
    auto copied = Copy(commit.key(), bytes);
    // After a sleep in the very moment of adding it the entry stands where a winner's was, which expired meanwhile.
    const bool overslept = copied.status().Is(StatusCode::kCorruption) && IsTooLongAgo(begun);
    if (copied.ok() || overslept) MarkComplete(entry);
    if (overslept) return Status::AlreadyExists(Shown(commit.key()) + " was committed while this writer slept");
    if (copied.ok() || copied.status().Is(StatusCode::kCorruption)) return copied;
    Log(LogLevel::kDebug, "a commit is left for others to put into place",
        {{"commit", Shown(commit.key())}, {"why", copied.status().ToString()}});
    return ObjectInfo{.key = commit.key(),
                      .size_bytes = static_cast<int64_t>(bytes.size()),
                      .modified_micros = clock_.WallMicros(),
                      .etag = {}};
  }

  /// Before a version is tried, the one before has to be in place, and made by writers that know of entries.
  Status FinishPrevious(const CommitPlace& previous) {
    TARN_ASSIGN_OR_RETURN(const auto entry, EntryOf(previous));
    if (entry.has_value() && !entry->complete) {
      TARN_ASSIGN_OR_RETURN(const bool in_place, Settle(previous.log(), *entry));
      if (in_place) return Status::Ok();
      return Status::Unavailable(Shown(previous.key()) + " cannot be put into place yet");
    }
    const auto found = inner().Head(previous.key());
    if (found.status().Is(StatusCode::kNotFound)) {
      return Status::Corruption(Shown(previous.key()) + " does not exist, and the version behind it is committed");
    }
    if (!found.ok() || entry.has_value()) return found.status();
    // An entry lasts so long after its commit.
    const int64_t age_seconds = (clock_.WallMicros() - found->modified_micros) / kMicrosPerSecond;
    if (age_seconds >= options_.ttl_seconds) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(const bool had_entry, HasTemporary(inner(), previous.log(), previous.file_name()));
    if (had_entry) return Status::Ok();
    return Status::Unsupported(
        Shown(previous.key()) + " was committed without an entry " + std::to_string(age_seconds) +
        " s ago: a table has one way of committing, and its other writers know nothing of entries. Stop them; " +
        std::to_string(options_.ttl_seconds) + " s after their last commit it can be committed to by entries");
  }

  /// Lists with one more entry, in its place, unless it has come to be there.
  Status ListWith(const ListEntry& hidden, const ListOptions& options,
                  const std::function<bool(const ListEntry&)>& visit) {
    const std::string& key = hidden.object.key;
    bool pending = key.starts_with(options.prefix) && key > options.start_after;
    bool goes_on = true;
    TARN_RETURN_NOT_OK(inner().List(options, [&](const ListEntry& entry) {
      if (pending && entry.object.key >= key) {
        pending = false;
        goes_on = entry.object.key == key || visit(hidden);
      }
      goes_on = goes_on && visit(entry);
      return goes_on;
    }));
    if (pending && goes_on) visit(hidden);
    return Status::Ok();
  }

  const std::shared_ptr<CommitEntries> entries_;
  const ExternalCommitOptions options_;
  Clock& clock_;
  Random& random_;
};

class CommitsWithoutEntries final : public storage::ForwardingStore {
 public:
  explicit CommitsWithoutEntries(std::shared_ptr<ObjectStore> store) : ForwardingStore(std::move(store)) {}

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    if (precondition.kind == Precondition::Kind::kIfAbsent) {
      if (const auto commit = CommitAt(key); commit.has_value()) TARN_RETURN_NOT_OK(CheckTable(*commit));
    }
    return inner().Put(key, bytes, precondition);
  }

 private:
  Status CheckTable(const CommitPlace& commit) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (without_entries_.contains(commit.table)) return Status::Ok();
    }
    TARN_ASSIGN_OR_RETURN(const bool by_entries, HasTemporary(inner(), commit.log(), ""));
    if (by_entries) {
      return Status::Unsupported(uri() + "/" + commit.log() +
                                 " is committed to by entries in DynamoDB, as the files in its .tmp/ tell; name their "
                                 "table (dynamodb.table, TARN_DYNAMODB_TABLE), or commits would be lost");
    }
    MutexLock lock(mutex_);
    if (without_entries_.size() >= kMaxKnownTables) without_entries_.clear();
    without_entries_.insert(commit.table);
    return Status::Ok();
  }

  Mutex mutex_;
  std::set<std::string> without_entries_ GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<ObjectStore> MakeExternalCommits(std::shared_ptr<ObjectStore> store,
                                                 std::shared_ptr<CommitEntries> entries, ExternalCommitOptions options,
                                                 Clock& clock, Random& random) {
  return std::make_shared<ExternalCommits>(std::move(store), std::move(entries), std::move(options), clock, random);
}

std::shared_ptr<ObjectStore> MakeCommitsWithoutEntries(std::shared_ptr<ObjectStore> store) {
  return std::make_shared<CommitsWithoutEntries>(std::move(store));
}

}  // namespace tarn::delta
