#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/segment_store.h"

namespace tarn::lake {

/// The folders of all nodes that ever wrote to a lake from this machine, one WAL in each. Thread-safe.
class WalFolders {
 public:
  virtual ~WalFolders() = default;
  /// Names of the nodes that have a folder, sorted; none when there is no state yet.
  virtual Result<std::vector<std::string>> ListNodes() = 0;
  /// Takes a node's folder for this process, creating it; Conflict while another process lives that has it. Folders
  /// that are only read are kept from owners meanwhile, and NotFound when they never had one; nothing is created.
  virtual Result<std::unique_ptr<storage::FolderLock>> Lock(const std::string& node) = 0;
  /// To be held by whoever takes a folder that is not its own, to take over what a dead owner left there: before Lock
  /// and for as long. Conflict while another process has it; a folder that is held without it is that of a live owner.
  virtual Result<std::unique_ptr<storage::FolderLock>> LockAdoption(const std::string& node) = 0;
  /// NotFound when there are none, for folders that are only read.
  virtual Result<std::shared_ptr<storage::SegmentStore>> OpenSegments(const std::string& node) = 0;
};

/// The folder below `wal_root` with the logs of one lake that is not on this disk, by the lake's id. It says where that
/// lake is, the first to write there sees to that; InvalidArgument when it is at another place, where one lake must be
/// a copy of the other and rows must not go from one to the other. For reading nothing is made, and the logs of the
/// other lake are passed over: the path is empty.
Result<std::string> WalFolderOf(const std::string& wal_root, const std::string& lake_id, const std::string& lake_uri,
                                bool read_only);

/// Folders below `root`: "<root>/<node>/LOCK", "<root>/<node>/adoption/LOCK" and the segments of its one shard in
/// "<root>/<node>/0/".
std::unique_ptr<WalFolders> MakeLocalWalFolders(std::string root, bool read_only);

}  // namespace tarn::lake
