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
  /// Takes a node's folder for this process, creating it; Conflict while another process lives that has it.
  virtual Result<std::unique_ptr<storage::FolderLock>> Lock(const std::string& node) = 0;
  virtual Result<std::shared_ptr<storage::SegmentStore>> OpenSegments(const std::string& node) = 0;
};

/// Folders below `root`: "<root>/<node>/LOCK" and the segments of its one shard in "<root>/<node>/0/".
std::unique_ptr<WalFolders> MakeLocalWalFolders(std::string root);

}  // namespace tarn::lake
