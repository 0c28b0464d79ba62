#pragma once

#include <memory>
#include <string>

#include "base/environment.h"
#include "base/status.h"
#include "delta/table_store.h"
#include "storage/object_store.h"

namespace tarn::server {

/// Where a lake is, and where this machine keeps what belongs to it and cannot be in an object store.
struct LakePlace {
  std::shared_ptr<storage::ObjectStore> store;
  /// The folder of a local lake, absolute; empty for others.
  std::string folder;
  /// For lake::LakeOptions. Empty where a lake is only read and nothing says where its logs would be.
  std::string wal_root;
  /// Below which queries spill unless another folder is configured; empty as above.
  std::string temp_root;
};

enum class LakeAccess : uint8_t { kRead, kWrite };

/// What matters for lakes in object stores.
struct RemoteSettings {
  std::string state_directory;
  /// Where commits are decided.
  delta::EntryTable entries;
};

/// By a path or a URI. A local lake has all of it within itself; for others it is below `state_directory`, else
/// $XDG_STATE_HOME/tarn, else ~/.local/state/tarn. NotFound when there is no such folder to be read; Unsupported for
/// stores that this access is not for; InvalidArgument when rows would be written and none of the three is set.
Result<LakePlace> FindLake(const std::string& uri, const RemoteSettings& settings, const Environment& environment,
                           LakeAccess access);

}  // namespace tarn::server
