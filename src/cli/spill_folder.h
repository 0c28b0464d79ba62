#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace tarn::cli {

/// A folder that the queries of this process spill into, for this user alone. It goes when the command ends, and that
/// of a process which was killed when the next command makes its own.
class SpillFolder {
 public:
  /// Within `root`, which is what TMPDIR names, else /tmp, when it is empty. Unavailable when none can be made there.
  static Result<SpillFolder> Make(const std::string& root = {});
  ~SpillFolder();
  SpillFolder(SpillFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_fd_(std::exchange(other.lock_fd_, -1)) {}
  SpillFolder& operator=(SpillFolder&&) = delete;
  const std::string& path() const { return path_; }

 private:
  SpillFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  /// The folder itself, locked while this process lives.
  int lock_fd_;
};

}  // namespace tarn::cli
