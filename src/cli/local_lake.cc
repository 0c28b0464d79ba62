#include "cli/local_lake.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/uri.h"
#include "cli/command_line.h"
#include "server/config.h"
#include "server/server.h"
#include "storage/stores.h"

namespace tarn::cli {

namespace {

constexpr char kLakeVariable[] = "TARN_LAKE";

}  // namespace

Result<LocalLake> OpenLocalLake(const std::string& uri, LakeAccess access) {
  LocalLake result;
  lake::LakeOptions options;
  if (access == LakeAccess::kRead && storage::IsRemoteUri(uri)) {
    // No write-ahead log is there: what its tables have is all there is.
    TARN_ASSIGN_OR_RETURN(options.store, storage::OpenStore(uri));
  } else {
    TARN_ASSIGN_OR_RETURN(const std::string folder, server::LocalLakeFolder(uri));
    std::error_code error;
    if (access == LakeAccess::kRead && !std::filesystem::is_directory(folder, error)) {
      return Status::NotFound("there is no lake at '" + folder + "'");
    }
    TARN_ASSIGN_OR_RETURN(options.store, storage::OpenLocalStore(folder));
    options.wal_root = JoinPath(folder, "_tarn/wal");
  }
  result.random = std::make_unique<Random>(Random::FromSystem());
  result.buffer_memory =
      std::make_unique<MemoryBudget>("buffers", static_cast<size_t>(server::AvailableMemoryBytes() / 4));
  result.executor = std::make_unique<InlineExecutor>();
  options.read_only = access == LakeAccess::kRead;
  options.clock = &SystemClock();
  options.random = result.random.get();
  options.buffer_budget = result.buffer_memory.get();
  options.executor = result.executor.get();
  TARN_ASSIGN_OR_RETURN(result.lake, lake::Lake::Open(options));
  if (access == LakeAccess::kRead && result.lake->stats().foreign_live_wals > 0) {
    Note(
        "note: a live server writes to this lake; rows that it has not committed to Delta yet are not seen here "
        "(ask it with --server)");
  }
  return result;
}

bool LakeIsInEnvironment() {
  const char* const uri = std::getenv(kLakeVariable);
  return uri != nullptr && *uri != '\0';
}

std::string DefaultLake() { return LakeIsInEnvironment() ? std::getenv(kLakeVariable) : "./tarn-data"; }

}  // namespace tarn::cli
