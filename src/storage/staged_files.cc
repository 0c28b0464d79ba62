#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/posix_file.h"
#include "storage/stores.h"

namespace tarn::storage {

namespace fs = std::filesystem;

namespace {

bool RemoveWhenOld(const fs::path& path, int64_t before_wall_micros) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const int64_t written = info.st_mtim.tv_sec * int64_t{1'000'000} + info.st_mtim.tv_nsec / 1000;
  return written < before_wall_micros && unlink(path.c_str()) == 0;
}

}  // namespace

int64_t RemoveStagedFiles(const std::string& root, int64_t before_wall_micros, const std::atomic<bool>& stop) {
  int64_t removed = 0;
  std::vector<fs::path> folders = {root};
  while (!folders.empty() && !stop) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && !stop && entry != fs::directory_iterator();
         entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_symlink(ignored)) continue;
      if (entry->is_directory(ignored)) {
        folders.push_back(entry->path());
      } else if (entry->path().filename().native().starts_with(internal::kStagedPrefix)) {
        removed += RemoveWhenOld(entry->path(), before_wall_micros) ? 1 : 0;
      }
    }
  }
  return removed;
}

}  // namespace tarn::storage
