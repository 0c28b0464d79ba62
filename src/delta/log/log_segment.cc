#include "delta/log/log_segment.h"

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/table.h"

namespace tarn::delta {

namespace {

using Parts = std::map<int, LogFile>;

struct Listing {
  std::vector<LogFile> commits;
  /// By the first version that they cover.
  std::multimap<int64_t, LogFile> compacted;
  /// By version, then by number of parts: sets of different sizes may stand beside each other.
  std::map<int64_t, std::map<int, Parts>> classic;
  std::multimap<int64_t, LogFile> under_uuid;
  /// Ascending.
  std::vector<LogFile> checksums;
};

LogFile ToLogFile(const storage::ObjectInfo& object, int64_t version) {
  return {.key = object.key,
          .version = version,
          .size_bytes = object.size_bytes,
          .modified_millis = object.modified_micros / kMicrosPerMilli,
          .etag = object.etag};
}

/// A folder on disk that is listed while others commit to it may be shown with a commit and without the one before, if
/// neither was there when the listing began. Each that is missing between two others is asked for by its name.
Status AddOverlookedCommits(storage::ObjectStore& store, Listing& listing) {
  std::vector<LogFile> all;
  all.reserve(listing.commits.size());
  for (LogFile& commit : listing.commits) {
    for (int64_t missing = all.empty() ? commit.version : all.back().version + 1; missing < commit.version; ++missing) {
      const Result<storage::ObjectInfo> found = store.Head(CommitKey(missing));
      if (found.status().Is(StatusCode::kNotFound)) break;
      TARN_RETURN_NOT_OK(found.status());
      all.push_back(ToLogFile(*found, missing));
    }
    all.push_back(std::move(commit));
  }
  listing.commits = std::move(all);
  return Status::Ok();
}

Result<Listing> ListLog(storage::ObjectStore& store, int64_t from_version) {
  Listing listing;
  storage::ListOptions options;
  options.prefix = std::string(kLogFolder);
  options.group_by_folder = true;
  if (from_version > 0) options.start_after = std::string(kLogFolder) + PaddedVersion(from_version);
  const Status status = store.List(options, [&](const storage::ListEntry& entry) {
    if (entry.object.key.size() <= kLogFolder.size()) return true;
    const std::string_view name = std::string_view(entry.object.key).substr(kLogFolder.size());
    // Every version sorts before '_' and letters, so nothing of interest follows.
    if (name[0] > '9') return false;
    if (entry.is_folder) return true;
    const auto parsed = ParseLogName(name);
    if (!parsed.has_value()) return true;
    if (parsed->kind == LogName::Kind::kCommit) {
      listing.commits.push_back(ToLogFile(entry.object, parsed->version));
    } else if (parsed->kind == LogName::Kind::kChecksum) {
      listing.checksums.push_back(ToLogFile(entry.object, parsed->version));
    } else if (parsed->kind == LogName::Kind::kCheckpoint) {
      listing.classic[parsed->version][parsed->parts][parsed->part] = ToLogFile(entry.object, parsed->version);
    } else if (parsed->kind == LogName::Kind::kUuidCheckpoint) {
      listing.under_uuid.emplace(parsed->version, ToLogFile(entry.object, parsed->version));
    } else if (parsed->kind == LogName::Kind::kCompacted && parsed->end_version > parsed->version) {
      LogFile file = ToLogFile(entry.object, parsed->version);
      file.compacted_to = parsed->end_version;
      listing.compacted.emplace(parsed->version, std::move(file));
    }
    return true;
  });
  TARN_RETURN_NOT_OK(status);
  TARN_RETURN_NOT_OK(AddOverlookedCommits(store, listing));
  return listing;
}

/// The complete checkpoints of a version.
std::vector<CheckpointFiles> CheckpointsAt(const Listing& listing, int64_t version) {
  std::vector<CheckpointFiles> found;
  if (const auto classic = listing.classic.find(version); classic != listing.classic.end()) {
    for (const auto& [parts, files] : classic->second) {
      if (static_cast<int>(files.size()) != parts) continue;
      CheckpointFiles& checkpoint = found.emplace_back();
      checkpoint.version = version;
      for (const auto& [part, file] : files) checkpoint.parts.push_back(file);
    }
  }
  const auto [begin, end] = listing.under_uuid.equal_range(version);
  for (auto it = begin; it != end; ++it) found.push_back({version, {it->second}});
  return found;
}

/// Ascending versions that have a checkpoint, complete or not.
std::set<int64_t> CheckpointVersions(const Listing& listing) {
  std::set<int64_t> versions;
  for (const auto& [version, sets] : listing.classic) versions.insert(version);
  for (const auto& [version, file] : listing.under_uuid) versions.insert(version);
  return versions;
}

int64_t LastVersion(const Listing& listing) {
  const std::set<int64_t> checkpoints = CheckpointVersions(listing);
  return std::max(listing.commits.empty() ? -1 : listing.commits.back().version,
                  checkpoints.empty() ? -1 : *checkpoints.rbegin());
}

/// The newest complete checkpoint not after `limit`.
std::optional<CheckpointFiles> NewestCheckpoint(const Listing& listing, int64_t limit,
                                                const std::set<std::string>& broken) {
  const std::set<int64_t> versions = CheckpointVersions(listing);
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    if (*version > limit) continue;
    for (CheckpointFiles& checkpoint : CheckpointsAt(listing, *version)) {
      if (!broken.contains(checkpoint.key())) return std::move(checkpoint);
    }
  }
  return std::nullopt;
}

Status MissingVersion(int64_t version) {
  return Status::Corruption("the log lacks version " + std::to_string(version));
}

/// For a version that nothing at or before it leads to: what the log has instead, when its beginning was cleaned behind
/// a later checkpoint. Cleanup takes the oldest first, so anything older that is left makes it a gap.
Status CleanedVersion(int64_t version, const Listing& listing) {
  const std::set<int64_t> versions = CheckpointVersions(listing);
  const auto first = std::find_if(versions.upper_bound(version), versions.end(),
                                  [&](int64_t later) { return !CheckpointsAt(listing, later).empty(); });
  if (first == versions.end()) return MissingVersion(0);
  return Status::NotFound("version " + std::to_string(version) + " is gone: the log was cleaned and has the versions " +
                          std::to_string(*first) + " to " + std::to_string(LastVersion(listing)));
}

/// The compacted file that covers the most versions from `version` to at most `limit`, or null.
const LogFile* WidestCompacted(const Listing& listing, int64_t version, int64_t limit,
                               const std::set<std::string>& broken) {
  const LogFile* widest = nullptr;
  const auto [begin, end] = listing.compacted.equal_range(version);
  for (auto it = begin; it != end; ++it) {
    const LogFile& file = it->second;
    if (file.compacted_to > limit || broken.contains(file.key)) continue;
    if (widest == nullptr || file.compacted_to > widest->compacted_to) widest = &file;
  }
  return widest;
}

/// The one of a version among files in its order, or null.
const LogFile* FindVersion(const std::vector<LogFile>& files, int64_t version) {
  const auto found = std::lower_bound(files.begin(), files.end(), version,
                                      [](const LogFile& file, int64_t wanted) { return file.version < wanted; });
  return found != files.end() && found->version == version ? &*found : nullptr;
}

/// Fills in what follows the checkpoint up to `limit`; Corruption for a gap.
Status TakeCommits(const Listing& listing, int64_t limit, const std::set<std::string>& broken, LogSegment& segment) {
  const int64_t base = segment.version;
  const int64_t last = std::min(limit, listing.commits.empty() ? -1 : listing.commits.back().version);
  for (int64_t next = base + 1; next <= last;) {
    if (const LogFile* compacted = WidestCompacted(listing, next, last, broken)) {
      segment.commits.push_back(*compacted);
      next = compacted->compacted_to + 1;
    } else if (const LogFile* commit = FindVersion(listing.commits, next)) {
      segment.commits.push_back(*commit);
      ++next;
    } else {
      return next == 0 ? CleanedVersion(limit, listing) : MissingVersion(next);
    }
  }
  segment.version = std::max(base, last);
  if (const LogFile* checksum = FindVersion(listing.checksums, segment.version)) segment.checksum = *checksum;
  const LogFile* own = FindVersion(listing.commits, segment.version);
  if (own == nullptr) return Status::Ok();
  segment.modified_millis = own->modified_millis;
  if (last > base && segment.commits.back().is_compacted()) segment.commits.push_back(*own);
  return Status::Ok();
}

Result<LogSegment> BuildSegment(const Listing& listing, const SegmentOptions& options) {
  const int64_t limit = options.version.value_or(std::numeric_limits<int64_t>::max());
  LogSegment segment;
  segment.checkpoint = NewestCheckpoint(listing, limit, options.broken);
  if (listing.commits.empty() && LastVersion(listing) < 0) return Status::NotFound("there is no Delta log");
  segment.version = segment.checkpoint.has_value() ? segment.checkpoint->version : -1;
  if (segment.checkpoint.has_value()) segment.modified_millis = segment.checkpoint->parts.front().modified_millis;
  TARN_RETURN_NOT_OK(TakeCommits(listing, limit, options.broken, segment));
  if (segment.version < 0) return CleanedVersion(limit, listing);
  if (options.version.has_value() && segment.version != *options.version) {
    if (LastVersion(listing) > segment.version) return MissingVersion(segment.version + 1);
    return Status::NotFound("the log ends at version " + std::to_string(segment.version) + ", before version " +
                            std::to_string(*options.version));
  }
  return segment;
}

}  // namespace

Result<LogSegment> ListSegment(storage::ObjectStore& store, const SegmentOptions& options) {
  int64_t from = 0;
  if (options.use_hint && options.broken.empty()) {
    const auto hint = ReadLastCheckpoint(store);
    if (hint.has_value() && (!options.version.has_value() || hint->version <= *options.version)) from = hint->version;
  }
  if (from > 0) {
    TARN_ASSIGN_OR_RETURN(const Listing listing, ListLog(store, from));
    // The hint may name a checkpoint that is gone or incomplete.
    if (NewestCheckpoint(listing, options.version.value_or(std::numeric_limits<int64_t>::max()), {}).has_value()) {
      return BuildSegment(listing, options);
    }
  }
  TARN_ASSIGN_OR_RETURN(const Listing listing, ListLog(store, 0));
  return BuildSegment(listing, options);
}

Result<std::vector<LogFile>> ListCommits(storage::ObjectStore& store, int64_t from_version, int64_t to_version) {
  TARN_ASSIGN_OR_RETURN(Listing listing, ListLog(store, from_version));
  std::erase_if(listing.commits,
                [&](const LogFile& commit) { return commit.version < from_version || commit.version > to_version; });
  return std::move(listing.commits);
}

Result<std::vector<CheckpointFiles>> ListCheckpoints(storage::ObjectStore& store) {
  TARN_ASSIGN_OR_RETURN(const Listing listing, ListLog(store, 0));
  std::vector<CheckpointFiles> all;
  for (const int64_t version : CheckpointVersions(listing)) {
    for (CheckpointFiles& checkpoint : CheckpointsAt(listing, version)) all.push_back(std::move(checkpoint));
  }
  return all;
}

void MakeMonotone(std::vector<LogFile>& commits) {
  for (size_t i = 1; i < commits.size(); ++i) {
    if (commits[i].modified_millis <= 0) continue;
    commits[i].modified_millis = std::max(commits[i].modified_millis, commits[i - 1].modified_millis + 1);
  }
}

}  // namespace tarn::delta
