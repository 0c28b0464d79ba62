#include "cli/spill_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/uri.h"

namespace tarn::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "tarn-sql-";
/// What mkdtemp makes a name of.
constexpr std::string_view kRandomPart = "XXXXXX";
/// How often another process may take a new folder for an abandoned one.
constexpr int kAttempts = 8;

int OpenFolder(const std::string& path) { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/// False for one of another user, and for one that whoever had it locked before has removed.
bool IsOwnFolder(int fd, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(fd, &opened) == 0 && lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev && opened.st_uid == geteuid();
}

void RemoveAbandoned(const std::string& root) {
  std::error_code error;
  for (fs::directory_iterator entry(root, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + kRandomPart.size()) continue;
    const int fd = OpenFolder(entry->path());
    if (fd < 0) continue;
    std::error_code ignored;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && IsOwnFolder(fd, entry->path())) fs::remove_all(entry->path(), ignored);
    close(fd);
  }
}

Status CannotMake(const std::string& what, const std::error_code& error) {
  return Status::Unavailable("queries need a folder for temporary files: " + what + ": " + error.message());
}

}  // namespace

Result<SpillFolder> SpillFolder::Make(const std::string& root) {
  std::error_code error;
  const std::string within = root.empty() ? fs::temp_directory_path(error).string() : root;
  if (error) return CannotMake("TMPDIR", error);
  RemoveAbandoned(within);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string path = JoinPath(within, std::string(kPrefix) + std::string(kRandomPart));
    if (mkdtemp(path.data()) == nullptr) return CannotMake(path, std::error_code(errno, std::generic_category()));
    const int fd = OpenFolder(path);
    // Where folders cannot be locked nobody takes this one for abandoned either.
    const bool is_taken = fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
    if (!is_taken && IsOwnFolder(fd, path)) return SpillFolder(std::move(path), fd);
    if (fd >= 0) close(fd);
  }
  return Status::Unavailable("queries need a folder for temporary files: others remove it from " + within);
}

SpillFolder::~SpillFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace tarn::cli
