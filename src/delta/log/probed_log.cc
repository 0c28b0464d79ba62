#include "delta/log/probed_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/parallel.h"
#include "delta/table.h"
#include "storage/forwarding_store.h"

namespace tarn::delta {

namespace {

using storage::ListEntry;
using storage::ListOptions;
using storage::ObjectInfo;
using storage::ObjectReader;
using storage::ObjectStore;

/// As many names are asked for at once; a walk begins with few: most find one, and two more tell the end from a gap.
constexpr size_t kFirstProbes = 3;
constexpr size_t kMaxProbes = 32;
/// More files than this are asked for by no walk: whoever answers for each name might never come to an end.
constexpr size_t kMaxFiles = 20'000;
/// Memory is taken by the size that a server tells, true or not.
constexpr int64_t kMaxFileBytes = int64_t{16} << 30;
/// A hint that claims more parts is not followed.
constexpr int64_t kMaxParts = 4096;
/// No log has as many versions, and counting on from here does not overflow.
constexpr int64_t kMaxVersion = 1'000'000'000'000'000;
constexpr size_t kVersionDigits = 20;
/// No version is as large, so that no log has the first one. The other tells who denies what is not there from who
/// denies the commits from some version on.
constexpr std::string_view kImpossible[] = {"99999999999999999999.json", "_not_of_a_log"};

using Found = std::vector<std::optional<ObjectInfo>>;

bool IsOfLog(std::string_view key) { return key.starts_with(kLogFolder); }

/// The version that keys behind `start_after` begin with.
int64_t FirstVersion(std::string_view start_after) {
  if (!IsOfLog(start_after)) return 0;
  const std::string_view digits = start_after.substr(kLogFolder.size()).substr(0, kVersionDigits);
  int64_t version = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  return error == std::errc() ? std::clamp<int64_t>(version, 0, kMaxVersion) : 0;
}

class ProbedLog final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<ObjectInfo> Head(std::string_view key) override {
    auto found = inner().Head(key);
    if (found.ok()) return found;
    return WhyNot(key, found.status());
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    auto opened = inner().Open(key);
    if (opened.ok()) return opened;
    return WhyNot(key, opened.status());
  }

  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    auto opened = inner().OpenKnown(key, size_bytes);
    if (opened.ok()) return opened;
    return WhyNot(key, opened.status());
  }

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    if (!IsOfLog(options.prefix) || options.prefix.substr(kLogFolder.size()).starts_with('_')) {
      return inner().List(options, visit);
    }
    std::vector<ObjectInfo> files;
    TARN_RETURN_NOT_OK(Walk(FirstVersion(options.start_after), files));
    std::sort(files.begin(), files.end(), [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
    const auto same = [](const ObjectInfo& a, const ObjectInfo& b) { return a.key == b.key; };
    files.erase(std::unique(files.begin(), files.end(), same), files.end());
    for (ObjectInfo& file : files) {
      if (!file.key.starts_with(options.prefix) || file.key <= options.start_after) continue;
      if (!visit({.object = std::move(file), .is_folder = false})) break;
    }
    return Status::Ok();
  }

 private:
  /// What a server says of a file that cannot be there.
  enum class Absent : uint8_t { kNotFound, kDenied };

  Result<Absent> AskForTheImpossible() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (absent_.has_value()) return *absent_;
    }
    Absent absent = Absent::kDenied;
    for (const std::string_view name : kImpossible) {
      const std::string key = std::string(kLogFolder) + std::string(name);
      const Status answer = inner().Head(key).status();
      if (answer.ok()) {
        return Status::Unsupported(uri() + ": its server answers for files that it does not have (" + key +
                                   "), so that the files of a Delta log cannot be told by their names");
      }
      if (answer.Is(StatusCode::kPermissionDenied)) continue;
      if (!answer.Is(StatusCode::kNotFound)) return answer;
      absent = Absent::kNotFound;
      break;
    }
    MutexLock lock(mutex_);
    absent_ = absent;
    return absent;
  }

  Status WhyNot(std::string_view key, const Status& status) {
    if (!status.Is(StatusCode::kPermissionDenied) || !IsOfLog(key)) return status;
    TARN_ASSIGN_OR_RETURN(const Absent absent, AskForTheImpossible());
    return absent == Absent::kDenied ? Status::NotFound(status.message()) : status;
  }

  /// Those of the keys that are there, in their places.
  Result<Found> Probe(const std::vector<std::string>& keys) {
    Found found(keys.size());
    TARN_RETURN_NOT_OK(RunParallel(keys.size(), static_cast<int>(kMaxProbes), [&](size_t i) -> Status {
      auto info = Head(keys[i]);
      if (info.status().Is(StatusCode::kNotFound)) return Status::Ok();
      TARN_RETURN_NOT_OK(info.status());
      if (info->size_bytes > kMaxFileBytes) {
        return Status::Unsupported(uri() + ": " + keys[i] + " is said to have " + std::to_string(info->size_bytes) +
                                   " bytes, more than a file of a log");
      }
      found[i] = *std::move(info);
      return Status::Ok();
    }));
    return found;
  }

  /// Adds the commits from `version` on up to the first that is not there, whose version is returned. What is seen
  /// behind it is added, too: whoever takes the listing finds that it has a gap.
  Result<int64_t> WalkUp(int64_t version, std::vector<ObjectInfo>& files) {
    for (size_t probes = kFirstProbes;; probes = std::min(probes * 2, kMaxProbes)) {
      std::vector<std::string> keys;
      for (size_t i = 0; i < probes; ++i) keys.push_back(CommitKey(version + static_cast<int64_t>(i)));
      TARN_ASSIGN_OR_RETURN(Found found, Probe(keys));
      const auto missing = std::find(found.begin(), found.end(), std::nullopt);
      const bool is_last = missing != found.end() && missing + 1 == found.end();
      version += missing - found.begin();
      const bool ends = missing != found.end();
      Take(std::move(found), files);
      if (!ends) {
        TARN_RETURN_NOT_OK(CheckEnds(probes, files));
        continue;
      }
      if (is_last) {
        TARN_ASSIGN_OR_RETURN(Found behind, Probe({CommitKey(version + 1)}));
        Take(std::move(behind), files);
      }
      return version;
    }
  }

  static void Take(Found found, std::vector<ObjectInfo>& files) {
    for (auto& file : found) {
      if (file.has_value()) files.push_back(*std::move(file));
    }
  }

  /// For a walk that has come this far: whether there may be an end to it.
  Status CheckEnds(size_t probes, const std::vector<ObjectInfo>& files) {
    if (probes < kMaxProbes) return Status::Ok();
    if (files.size() > kMaxFiles) {
      return Status::ResourceExhausted(uri() + ": its log has more than " + std::to_string(kMaxFiles) +
                                       " files behind its last checkpoint, or answers for more than it has");
    }
    return AskForTheImpossible().status();
  }

  /// Adds commits and classic checkpoints from `version` down to `last`, or to where neither is there.
  Status WalkDown(int64_t version, int64_t last, std::vector<ObjectInfo>& files) {
    for (size_t probes = kFirstProbes; version >= last; probes = std::min(probes * 2, kMaxProbes)) {
      std::vector<std::string> keys;
      for (size_t i = 0; i < probes && version >= last; i += 2, --version) {
        keys.push_back(CommitKey(version));
        keys.push_back(CheckpointKey(version));
      }
      TARN_ASSIGN_OR_RETURN(Found found, Probe(keys));
      for (size_t i = 0; i < found.size(); i += 2) {
        if (!found[i].has_value() && !found[i + 1].has_value()) return Status::Ok();
        Take({std::move(found[i]), std::move(found[i + 1])}, files);
      }
      TARN_RETURN_NOT_OK(CheckEnds(probes, files));
    }
    return Status::Ok();
  }

  /// The files of the checkpoint that the table's hint names, if all are there.
  Result<std::vector<ObjectInfo>> HintedCheckpoint(const LastCheckpoint& hint) {
    std::vector<std::string> keys;
    if (hint.manifest.has_value()) {
      keys.push_back(std::string(kLogFolder) + *hint.manifest);
    } else if (!hint.parts.has_value()) {
      keys.push_back(CheckpointKey(hint.version));
    } else if (*hint.parts >= 1 && *hint.parts <= kMaxParts) {
      for (int part = 1; part <= static_cast<int>(*hint.parts); ++part) {
        keys.push_back(CheckpointPartKey(hint.version, part, static_cast<int>(*hint.parts)));
      }
    }
    std::vector<ObjectInfo> files;
    for (size_t begin = 0; begin < keys.size(); begin += kMaxProbes) {
      const size_t end = std::min(keys.size(), begin + kMaxProbes);
      TARN_ASSIGN_OR_RETURN(Found found, Probe({keys.begin() + static_cast<ptrdiff_t>(begin),
                                                keys.begin() + static_cast<ptrdiff_t>(end)}));
      for (auto& part : found) {
        if (!part.has_value()) return std::vector<ObjectInfo>();
        files.push_back(*std::move(part));
      }
    }
    return files;
  }

  /// PermissionDenied where nothing of a log that begins before `from` is shown, and the server does not tell what is
  /// not there from what it does not show.
  Status CheckLetIn(int64_t from) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (absent_ != Absent::kDenied) return Status::Ok();
    }
    return inner().Head(CommitKey(std::max<int64_t>(from - 1, 0))).status();
  }

  /// Adds what the log has of the versions from `from` on, in no order and perhaps twice.
  Status Walk(int64_t from, std::vector<ObjectInfo>& files) {
    TARN_ASSIGN_OR_RETURN(int64_t next, WalkUp(from, files));
    // The log may have been cleaned of what came next.
    const auto found = FindLastCheckpoint(*this);
    if (files.empty() && from == 0) TARN_RETURN_NOT_OK(found.status());
    const auto hint = found.ok() ? *found : std::nullopt;
    if (files.empty() && !hint.has_value()) TARN_RETURN_NOT_OK(CheckLetIn(from));
    if (hint.has_value() && hint->version >= from && hint->version < kMaxVersion) {
      TARN_RETURN_NOT_OK(FollowHint(*hint, from, next, files));
    }
    if (next == 0) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(Found checksum, Probe({ChecksumKey(next - 1)}));
    Take(std::move(checksum), files);
    return Status::Ok();
  }

  /// Adds the checkpoint that the hint names and, where it lies behind `next`, the commits around it.
  Status FollowHint(const LastCheckpoint& hint, int64_t from, int64_t& next, std::vector<ObjectInfo>& files) {
    TARN_ASSIGN_OR_RETURN(std::vector<ObjectInfo> parts, HintedCheckpoint(hint));
    const size_t before = files.size();
    for (ObjectInfo& part : parts) files.push_back(std::move(part));
    if (hint.version < next) return Status::Ok();
    TARN_RETURN_NOT_OK(WalkDown(hint.version, next, files));
    if (files.size() > before) {
      TARN_ASSIGN_OR_RETURN(next, WalkUp(hint.version + 1, files));
    }
    // Whoever began at a hint asks again from the log's beginning on.
    if (!files.empty() || from > 0) return Status::Ok();
    return Status::Corruption(std::string(kLastCheckpointKey) + " names a checkpoint of version " +
                              std::to_string(hint.version) +
                              ", which is not there, nor is any commit from version 0 on");
  }

  Mutex mutex_;
  /// Once it was asked.
  std::optional<Absent> absent_ GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<ObjectStore> MakeProbedLog(std::shared_ptr<ObjectStore> store) {
  return std::make_shared<ProbedLog>(std::move(store));
}

}  // namespace tarn::delta
