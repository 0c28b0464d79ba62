#include "delta/log_segment.h"

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "delta/last_checkpoint.h"
#include "delta/log_names.h"
#include "delta/table.h"

namespace tarn::delta {

namespace {

using Parts = std::map<int, LogFile>;

struct Listing {
  std::vector<LogFile> commits;
  /// By version, then by number of parts: sets of different sizes may stand beside each other.
  std::map<int64_t, std::map<int, Parts>> checkpoints;
  std::set<int64_t> uuid_checkpoints;
};

LogFile ToLogFile(const storage::ObjectInfo& object, int64_t version) {
  return {object.key, version, object.size_bytes, object.modified_micros / kMicrosPerMilli};
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
    } else if (parsed->kind == LogName::Kind::kCheckpoint) {
      listing.checkpoints[parsed->version][parsed->parts][parsed->part] = ToLogFile(entry.object, parsed->version);
    } else if (parsed->kind == LogName::Kind::kUuidCheckpoint) {
      listing.uuid_checkpoints.insert(parsed->version);
    }
    return true;
  });
  TARN_RETURN_NOT_OK(status);
  return listing;
}

/// The first of a version's sets that has all its parts, or null.
const Parts* CompleteSet(const std::map<int, Parts>& sets) {
  for (const auto& [parts, files] : sets) {
    if (static_cast<int>(files.size()) == parts) return &files;
  }
  return nullptr;
}

int64_t LastVersion(const Listing& listing) {
  return std::max(listing.commits.empty() ? -1 : listing.commits.back().version,
                  listing.checkpoints.empty() ? -1 : listing.checkpoints.rbegin()->first);
}

/// The newest complete checkpoint not after `limit`.
std::optional<CheckpointFiles> NewestCheckpoint(const Listing& listing, int64_t limit,
                                                const std::set<int64_t>& broken) {
  for (auto version = listing.checkpoints.rbegin(); version != listing.checkpoints.rend(); ++version) {
    if (version->first > limit || broken.contains(version->first)) continue;
    const Parts* const files = CompleteSet(version->second);
    if (files == nullptr) continue;
    CheckpointFiles checkpoint;
    checkpoint.version = version->first;
    for (const auto& [part, file] : *files) checkpoint.parts.push_back(file);
    return checkpoint;
  }
  return std::nullopt;
}

Status MissingVersion(int64_t version, const Listing& listing) {
  if (!listing.uuid_checkpoints.empty() && *listing.uuid_checkpoints.rbegin() >= version) {
    return Status::Unsupported("the table needs the feature v2Checkpoint: version " + std::to_string(version) +
                               " is kept only in a v2 checkpoint");
  }
  return Status::Corruption("the log lacks version " + std::to_string(version));
}

/// For a version that nothing at or before it leads to: what the log has instead, when its beginning was cleaned behind
/// a later checkpoint. Cleanup takes the oldest first, so anything older that is left makes it a gap.
Status CleanedVersion(int64_t version, const Listing& listing) {
  const auto first = std::find_if(listing.checkpoints.upper_bound(version), listing.checkpoints.end(),
                                  [](const auto& entry) { return CompleteSet(entry.second) != nullptr; });
  if (first == listing.checkpoints.end()) return MissingVersion(0, listing);
  return Status::NotFound("version " + std::to_string(version) + " is gone: the log was cleaned and has the versions " +
                          std::to_string(first->first) + " to " + std::to_string(LastVersion(listing)));
}

Result<LogSegment> BuildSegment(Listing listing, const SegmentOptions& options) {
  const int64_t limit = options.version.value_or(std::numeric_limits<int64_t>::max());
  LogSegment segment;
  segment.checkpoint = NewestCheckpoint(listing, limit, options.broken_checkpoints);
  if (listing.commits.empty() && listing.checkpoints.empty()) {
    if (!listing.uuid_checkpoints.empty()) return MissingVersion(0, listing);
    return Status::NotFound("there is no Delta log");
  }
  const int64_t base = segment.checkpoint.has_value() ? segment.checkpoint->version : -1;
  segment.version = base;
  if (segment.checkpoint.has_value()) segment.modified_millis = segment.checkpoint->parts.front().modified_millis;
  int64_t next = base + 1;
  for (LogFile& commit : listing.commits) {
    if (commit.version > limit) break;
    if (commit.version == base) segment.modified_millis = commit.modified_millis;
    if (commit.version < next) continue;
    if (commit.version != next) return next == 0 ? CleanedVersion(limit, listing) : MissingVersion(next, listing);
    segment.modified_millis = commit.modified_millis;
    segment.version = commit.version;
    segment.commits.push_back(std::move(commit));
    ++next;
  }
  if (segment.version < 0) return CleanedVersion(limit, listing);
  if (options.version.has_value() && segment.version != *options.version) {
    if (LastVersion(listing) > segment.version) return MissingVersion(next, listing);
    return Status::NotFound("the log ends at version " + std::to_string(segment.version) + ", before version " +
                            std::to_string(*options.version));
  }
  return segment;
}

}  // namespace

Result<LogSegment> ListSegment(storage::ObjectStore& store, const SegmentOptions& options) {
  int64_t from = 0;
  if (options.use_hint && options.broken_checkpoints.empty()) {
    const auto hint = ReadLastCheckpoint(store);
    if (hint.has_value() && (!options.version.has_value() || hint->version <= *options.version)) from = hint->version;
  }
  if (from > 0) {
    TARN_ASSIGN_OR_RETURN(Listing listing, ListLog(store, from));
    // The hint may name a checkpoint that is gone, incomplete or of another kind.
    if (NewestCheckpoint(listing, options.version.value_or(std::numeric_limits<int64_t>::max()), {}).has_value()) {
      return BuildSegment(std::move(listing), options);
    }
  }
  TARN_ASSIGN_OR_RETURN(Listing listing, ListLog(store, 0));
  return BuildSegment(std::move(listing), options);
}

Result<std::vector<LogFile>> ListCommits(storage::ObjectStore& store, int64_t from_version, int64_t to_version) {
  TARN_ASSIGN_OR_RETURN(Listing listing, ListLog(store, from_version));
  std::erase_if(listing.commits,
                [&](const LogFile& commit) { return commit.version < from_version || commit.version > to_version; });
  return std::move(listing.commits);
}

}  // namespace tarn::delta
