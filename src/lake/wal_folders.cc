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
  explicit LocalWalFolders(std::string root) : root_(std::move(root)) {}

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
    return storage::LockFolder(JoinPath(root_, node));
  }

  Result<std::unique_ptr<storage::FolderLock>> LockAdoption(const std::string& node) override {
    return storage::LockFolder(JoinPath(JoinPath(root_, node), "adoption"));
  }

  Result<std::shared_ptr<storage::SegmentStore>> OpenSegments(const std::string& node) override {
    return storage::OpenLocalSegments(JoinPath(JoinPath(root_, node), "0"));
  }

 private:
  const std::string root_;
};

}  // namespace

std::unique_ptr<WalFolders> MakeLocalWalFolders(std::string root) {
  return std::make_unique<LocalWalFolders>(std::move(root));
}

}  // namespace tarn::lake
