#include "delta/operations/vacuum_walk.h"

#include <arrow/type.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "base/clock.h"
#include "delta/files/deletion_vector.h"
#include "delta/log/commit_reader.h"
#include "delta/log/file_chunk.h"
#include "delta/log/remove_visitor.h"
#include "delta/log/replay.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

constexpr std::string_view kChangeFolder = "_change_data";

/// Length of the path up to and including the first hidden part; 0 when none is.
size_t HiddenLength(std::string_view key, const std::vector<std::string>& partition_folders) {
  size_t begin = 0;
  while (begin < key.size()) {
    const size_t end = std::min(key.find('/', begin), key.size());
    if (IsHiddenName(key.substr(begin, end - begin), partition_folders)) return std::min(end + 1, key.size());
    begin = end + 1;
  }
  return 0;
}

/// Hands the files of a commit's removes to a visit.
class RemovedFiles {
 public:
  RemovedFiles(std::string table_uri, const std::vector<std::string>& partition_folders, const VacuumVisit& visit)
      : table_uri_(std::move(table_uri)), partition_folders_(partition_folders), visit_(visit) {}

  Status Take(const Remove& remove) {
    VacuumFile file;
    file.modified_millis = remove.deletion_timestamp_millis.value_or(0);
    file.size_bytes = remove.size_bytes.value_or(0);
    const std::string path = CanonicalPath(remove.path, table_uri_);
    TARN_RETURN_NOT_OK(Visit(file, path, IsKeyOfTable(path)));
    if (!remove.deletion_vector.has_value()) return Status::Ok();
    const auto vector_path = DeletionVectorPath(*remove.deletion_vector, table_uri_);
    if (vector_path.ok() && !vector_path->has_value()) return Status::Ok();
    file.size_bytes = remove.deletion_vector->size_in_bytes;
    if (!vector_path.ok()) return Visit(file, remove.deletion_vector->path_or_inline, /*is_of_table=*/false);
    return Visit(file, **vector_path, IsKeyOfTable(**vector_path));
  }

 private:
  static bool IsKeyOfTable(std::string_view canonical_path) {
    return !IsOutside(canonical_path) && storage::CheckKey(canonical_path).ok();
  }

  Status Visit(VacuumFile file, const std::string& path, bool is_of_table) {
    if (!seen_.insert(HashFileKey(path, {})).second) return Status::Ok();
    file.key = path;
    if (!is_of_table) {
      file.verdict = VacuumFile::Verdict::kOutside;
    } else if (HiddenLength(file.key, partition_folders_) > 0) {
      file.verdict = VacuumFile::Verdict::kHidden;
    } else {
      file.verdict = VacuumFile::Verdict::kExpired;
    }
    return visit_(std::move(file));
  }

  const std::string table_uri_;
  const std::vector<std::string>& partition_folders_;
  const VacuumVisit& visit_;
  std::unordered_set<uint64_t> seen_;
};

}  // namespace

std::vector<std::string> PartitionFolderNames(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const int column : snapshot.partition_columns()) {
    // Folders are named by either, and older ones keep what they were named by.
    for (const std::string& name : {snapshot.schema()->field(column)->name(), snapshot.StoredName(column)}) {
      std::string folder = PartitionFolder({{name, "x"}});
      names.push_back(folder.substr(0, folder.rfind('=') + 1));
    }
  }
  return names;
}

bool IsHiddenName(std::string_view name, const std::vector<std::string>& partition_folders) {
  if (!name.starts_with('_') && !name.starts_with('.')) return false;
  if (name == kChangeFolder) return false;
  return std::none_of(partition_folders.begin(), partition_folders.end(),
                      [&](const std::string& folder) { return name.starts_with(folder); });
}

Status WalkFolder(storage::ObjectStore& store, const std::vector<std::string>& partition_folders,
                  const VacuumVisit& visit) {
  storage::ListOptions options;
  bool more = true;
  while (more) {
    more = false;
    Status visited;
    TARN_RETURN_NOT_OK(store.List(options, [&](const storage::ListEntry& entry) {
      const std::string& key = entry.object.key;
      VacuumFile file{key, entry.object.size_bytes, entry.object.modified_micros / kMicrosPerMilli,
                      VacuumFile::Verdict::kUnreferenced};
      if (const size_t hidden = HiddenLength(key, partition_folders); hidden > 0) {
        file.verdict = VacuumFile::Verdict::kHidden;
        if (key[hidden - 1] == '/') {
          file = {key.substr(0, hidden), 0, 0, VacuumFile::Verdict::kHidden};
          // Goes on behind all that lies in the folder: no key holds this byte.
          options.start_after = file.key + '\xff';
          more = true;
        }
      }
      visited = visit(std::move(file));
      return visited.ok() && !more;
    }));
    TARN_RETURN_NOT_OK(visited);
  }
  return Status::Ok();
}

Status WalkRemoves(const TableContext& table, const std::vector<LogFile>& commits,
                   const std::vector<std::string>& partition_folders, const VacuumVisit& visit) {
  RemovedFiles files(table.store->uri(), partition_folders, visit);
  CommitReader reader(*table.store);
  for (const LogFile& commit : commits) {
    RemoveVisitor visitor([&](const Remove& remove) { return files.Take(remove); });
    TARN_RETURN_NOT_OK(reader.ReadAll(commit, ReplayOptions().window_bytes, visitor));
  }
  return Status::Ok();
}

bool LinkFinder::IsLinked(const std::string& key) {
  const auto path = store_.LocalPath(key);
  if (!path.has_value()) return false;
  const size_t slash = key.rfind('/');
  if (slash != std::string::npos) {
    const std::string folder = key.substr(0, slash);
    auto known = folders_.find(folder);
    if (known == folders_.end()) known = folders_.emplace(folder, IsLinked(folder)).first;
    if (known->second) return true;
  }
  std::error_code error;
  return std::filesystem::is_symlink(std::filesystem::symlink_status(*path, error));
}

}  // namespace tarn::delta
