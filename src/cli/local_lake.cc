#include "cli/local_lake.h"

#include <cstdlib>
#include <utility>

#include "base/environment.h"
#include "cli/command_line.h"
#include "server/config.h"

namespace tarn::cli {

namespace {

constexpr char kLakeVariable[] = "TARN_LAKE";
constexpr char kStateVariable[] = "TARN_STATE_DIRECTORY";

}  // namespace

Result<LocalLake> OpenLocalLake(const LakeChoice& choice, LakeAccess access) {
  const Environment environment = ProcessEnvironment();
  TARN_ASSIGN_OR_RETURN(TableSettings tables, TableSettingsOf(choice));
  TARN_ASSIGN_OR_RETURN(delta::ReadableRoots roots, RootsFor(choice.uri, tables));
  const server::RemoteSettings settings{.state_directory = std::string(ValueOf(environment, kStateVariable)),
                                        .entries = tables.entries};
  TARN_ASSIGN_OR_RETURN(const server::LakePlace place, server::FindLake(choice.uri, settings, environment, access));
  LocalLake result;
  lake::LakeOptions options;
  TARN_ASSIGN_OR_RETURN(options.store, ThroughCache(place.store, tables));
  options.wal_root = place.wal_root;
  options.partition_timezone = std::move(tables.partition_timezone);
  options.readable_roots = std::move(roots);
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

void NoteRowsLeft(const Status& why) {
  Note("note: rows stay in the write-ahead log until their table takes them: " + why.message());
}

std::string DefaultLake() { return LakeIsInEnvironment() ? std::getenv(kLakeVariable) : "./tarn-data"; }

}  // namespace tarn::cli
