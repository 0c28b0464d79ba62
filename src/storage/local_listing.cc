#include "storage/local_listing.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "storage/posix_file.h"

namespace tarn::storage::internal {

namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using OpenedFolder = std::unique_ptr<DIR, CloseFolder>;

/// False once the visitor has had enough.
enum class Walk { kContinue, kStop };

bool IsHidden(std::string_view name) { return name == "." || name == ".." || name.starts_with(kStagedPrefix); }

/// Follows links: a table may be linked into a lake.
enum class EntryType { kFile, kFolder, kOther };
EntryType TypeOf(const dirent& entry, const std::string& path) {
  if (entry.d_type == DT_REG) return EntryType::kFile;
  if (entry.d_type == DT_DIR) return EntryType::kFolder;
  if (entry.d_type != DT_LNK && entry.d_type != DT_UNKNOWN) return EntryType::kOther;
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return EntryType::kOther;
  if (S_ISREG(info.st_mode)) return EntryType::kFile;
  return S_ISDIR(info.st_mode) ? EntryType::kFolder : EntryType::kOther;
}

class Listing {
 public:
  Listing(const std::string& root, const ListOptions& options, const std::function<bool(const ListEntry&)>& visit)
      : root_(root), options_(options), visit_(visit) {}

  /// Visits what lies in `folder` ("" or "a/b/") in the order of full keys.
  Result<Walk> Visit(const std::string& folder) {
    TARN_ASSIGN_OR_RETURN(const OpenedFolder opened, OpenFolder(folder));
    if (opened == nullptr) return Walk::kContinue;
    // A link to a parent would be walked for ever.
    struct stat self;
    if (fstat(dirfd(opened.get()), &self) != 0) return ErrnoStatus(errno, "stat", folder);
    for (const auto& [device, inode] : ancestors_) {
      if (device == self.st_dev && inode == self.st_ino) return Walk::kContinue;
    }
    TARN_ASSIGN_OR_RETURN(const std::vector<std::string> keys, WantedKeys(opened.get(), folder));
    ancestors_.emplace_back(self.st_dev, self.st_ino);
    for (const std::string& key : keys) {
      TARN_ASSIGN_OR_RETURN(const Walk walk, key.back() == '/' ? VisitFolder(key) : VisitFile(key));
      if (walk == Walk::kStop) return walk;
    }
    ancestors_.pop_back();
    return Walk::kContinue;
  }

 private:
  /// Null when there is no such folder.
  Result<OpenedFolder> OpenFolder(const std::string& folder) {
    const std::string path = root_ + "/" + folder;
    OpenedFolder opened(opendir(path.c_str()));
    if (opened == nullptr && errno == EACCES && passes_closed_) return opened;
    if (opened == nullptr && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG && errno != ELOOP) {
      return ErrnoStatus(errno, "list", folder);
    }
    return opened;
  }

  /// Keys of the folder that are wanted or may lead to wanted ones, sorted; those of folders end with '/', which also
  /// puts them where their content sorts.
  Result<std::vector<std::string>> WantedKeys(DIR* opened, const std::string& folder) {
    std::vector<std::string> keys;
    while (true) {
      errno = 0;
      const dirent* entry = readdir(opened);
      if (entry == nullptr) {
        if (errno != 0) return ErrnoStatus(errno, "list", folder);
        break;
      }
      if (IsHidden(entry->d_name)) continue;
      std::string key = folder + entry->d_name;
      if (!MayLeadToWanted(key)) continue;
      const EntryType type = TypeOf(*entry, root_ + "/" + key);
      if (type == EntryType::kOther) continue;
      if (type == EntryType::kFolder) key += '/';
      keys.push_back(std::move(key));
    }
    std::sort(keys.begin(), keys.end());
    return keys;
  }

  /// Decides by the name alone, so that what is not wanted costs no system call.
  bool MayLeadToWanted(std::string_view key) const {
    const std::string_view prefix = options_.prefix;
    if (!key.starts_with(prefix) && !prefix.starts_with(key)) return false;
    const std::string_view after = options_.start_after;
    return key > after || after.starts_with(key);
  }

  bool IsWanted(std::string_view key) const { return key.starts_with(options_.prefix) && key > options_.start_after; }

  Result<Walk> VisitFile(const std::string& key) {
    if (!IsWanted(key)) return Walk::kContinue;
    struct stat info;
    const std::string path = root_ + "/" + key;
    if (stat(path.c_str(), &info) != 0) {
      // Removed since the folder was read.
      if (errno == ENOENT || errno == ENOTDIR) return Walk::kContinue;
      return ErrnoStatus(errno, "stat", key);
    }
    return visit_({InfoOfFile(key, info), false}) ? Walk::kContinue : Walk::kStop;
  }

  Result<Walk> VisitFolder(const std::string& key) {
    const std::string_view prefix = options_.prefix;
    const bool below_prefix = key.size() > prefix.size() && key.starts_with(prefix);
    if (!options_.group_by_folder || !below_prefix) {
      if (key <= options_.start_after && !options_.start_after.starts_with(key)) return Walk::kContinue;
      return Visit(key);
    }
    if (key <= options_.start_after) return Walk::kContinue;
    // As in an object store, a folder is there when an object is.
    bool occupied = false;
    const ListOptions anything;
    const std::function<bool(const ListEntry&)> note = [&](const ListEntry&) {
      occupied = true;
      return false;
    };
    Listing inner(root_, anything, note);
    inner.passes_closed_ = true;
    TARN_RETURN_NOT_OK(inner.Visit(key).status());
    if (!occupied) return Walk::kContinue;
    return visit_({{.key = key}, true}) ? Walk::kContinue : Walk::kStop;
  }

  const std::string& root_;
  const ListOptions& options_;
  const std::function<bool(const ListEntry&)>& visit_;
  std::vector<std::pair<dev_t, ino_t>> ancestors_;
  /// Takes folders that may not be opened for empty ones: what is in lost+found must not hide the folders beside it.
  bool passes_closed_ = false;
};

}  // namespace

ObjectInfo InfoOfFile(std::string key, const struct stat& file) {
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  const int64_t modified_nanos = file.st_mtim.tv_sec * kNanosPerSecond + file.st_mtim.tv_nsec;
  std::array<char, 64> etag;
  std::snprintf(etag.data(), etag.size(), "%llx-%llx-%llx", static_cast<unsigned long long>(file.st_ino),
                static_cast<unsigned long long>(file.st_size), static_cast<unsigned long long>(modified_nanos));
  return {std::move(key), file.st_size, modified_nanos / 1000, etag.data()};
}

Status ListFolder(const std::string& root, const ListOptions& options,
                  const std::function<bool(const ListEntry&)>& visit) {
  const size_t slash = options.prefix.rfind('/');
  std::string folder = slash == std::string::npos ? "" : options.prefix.substr(0, slash + 1);
  // Such a prefix begins no valid key; it must not lead out of the root either.
  if (!folder.empty() && !CheckKey(std::string_view(folder).substr(0, slash)).ok()) return Status::Ok();
  if (options.prefix.find('\0') != std::string::npos) return Status::Ok();
  return Listing(root, options, visit).Visit(folder).status();
}

}  // namespace tarn::storage::internal
