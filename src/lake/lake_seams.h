#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lake/lake.h"
#include "lake/wal_folders.h"

namespace tarn::lake {

/// What tests and simulation put in the place of the world, beyond LakeOptions.
struct LakeSeams {
  /// Instead of LakeOptions::wal_root.
  std::unique_ptr<WalFolders> wal_folders;
  /// Called at each point of kCrashPoints; a status that is not OK ends the operation there, as a crash would.
  std::function<Status(std::string_view point)> at_point;
  /// A bug for the simulation to find: replay does not look at what is committed already.
  bool canary_replays_twice = false;
};

/// The places in the way of a row at which a crash is tested, in that order.
inline constexpr std::string_view kCrashPoints[] = {
    "before-wal-append", "after-wal-append", "before-rejected", "before-data-file", "after-data-file", "before-commit",
    "after-commit",      "before-settle",    "before-publish",  "before-release",   "after-release",   "before-close",
};

/// Lake::Open with seams.
Result<std::unique_ptr<Lake>> OpenLake(const LakeOptions& options, LakeSeams seams);

}  // namespace tarn::lake
