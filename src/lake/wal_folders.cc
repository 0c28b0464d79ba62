#include "lake/wal_folders.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/uri.h"
#include "storage/stores.h"

namespace tarn::lake {

namespace {

namespace fs = std::filesystem;

/// In the folder with the logs of a lake that is elsewhere: the URI of that lake.
constexpr char kOwnerKey[] = "lake-uri";

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

Result<std::string> WalFolderOf(const std::string& wal_root, const std::string& lake_id, const std::string& lake_uri,
                                bool read_only) {
  const std::string folder = JoinPath(wal_root, EncodePathPart(lake_id));
  TARN_ASSIGN_OR_RETURN(const auto store, storage::OpenLocalStore(folder));
  auto owner = store->Get(kOwnerKey);
  if (owner.status().Is(StatusCode::kNotFound) && !read_only) {
    const Status put = store->Put(kOwnerKey, AsBytes(lake_uri + "\n"), storage::Precondition::IfAbsent()).status();
    if (!put.ok() && !put.Is(StatusCode::kAlreadyExists)) return put;
    owner = store->Get(kOwnerKey);
  }
  if (read_only && owner.status().Is(StatusCode::kNotFound)) return folder;
  TARN_RETURN_NOT_OK(owner.status());
  if (*owner == lake_uri + "\n") return folder;
  if (read_only) return std::string();
  return Status::InvalidArgument("the write-ahead logs in '" + folder + "' are those of " +
                                 owner->substr(0, owner->find('\n')) + ", and " + lake_uri +
                                 " has the same id, as a copy has: give it another state_directory, or, if the lake "
                                 "was moved, delete '" +
                                 JoinPath(folder, kOwnerKey) + "'");
}

std::unique_ptr<WalFolders> MakeLocalWalFolders(std::string root, bool read_only) {
  return std::make_unique<LocalWalFolders>(std::move(root), read_only);
}

}  // namespace tarn::lake
