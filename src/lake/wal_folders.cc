#include "lake/wal_folders.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/uri.h"
#include "storage/stores.h"

namespace tarn::lake {

namespace {

namespace fs = std::filesystem;

class LocalWalFolders final : public WalFolders {
 public:
  LocalWalFolders(std::string root, bool read_only) : root_(std::move(root)), read_only_(read_only) {}

  Result<std::vector<std::string>> ListNodes() override {
    std::vector<std::string> nodes;
    std::error_code error;
    fs::directory_iterator entries(root_, error);
    if (error == std::errc::no_such_file_or_directory) return nodes;
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      std::error_code ignored;
      if (entries->is_directory(ignored)) nodes.push_back(entries->path().filename().string());
    }
    if (error) return Status::Unavailable("cannot list '" + root_ + "': " + error.message());
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

  Result<std::unique_ptr<storage::FolderLock>> Lock(const std::string& node) override {
    return LockAt(JoinPath(root_, node));
  }

  Result<std::unique_ptr<storage::FolderLock>> LockAdoption(const std::string& node) override {
    return LockAt(JoinPath(JoinPath(root_, node), "adoption"));
  }

  Result<std::shared_ptr<storage::SegmentStore>> OpenSegments(const std::string& node) override {
    const std::string folder = JoinPath(JoinPath(root_, node), "0");
    return read_only_ ? storage::OpenLocalSegmentsForReading(folder) : storage::OpenLocalSegments(folder);
  }

 private:
  Result<std::unique_ptr<storage::FolderLock>> LockAt(const std::string& folder) const {
    return read_only_ ? storage::LockFolderForReading(folder) : storage::LockFolder(folder);
  }

  const std::string root_;
  const bool read_only_;
};

}  // namespace

std::unique_ptr<WalFolders> MakeLocalWalFolders(std::string root, bool read_only) {
  return std::make_unique<LocalWalFolders>(std::move(root), read_only);
}

}  // namespace tarn::lake
