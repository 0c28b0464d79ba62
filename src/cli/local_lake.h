#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "base/status.h"
#include "cli/config_options.h"
#include "lake/lake.h"
#include "server/lake_place.h"

namespace tarn::cli {

/// A lake opened by the command line itself, beside whatever else uses it.
struct LocalLake {
  std::unique_ptr<Random> random;
  std::unique_ptr<MemoryBudget> buffer_memory;
  /// Nothing happens in the background: what a command does is done when it ends.
  std::unique_ptr<InlineExecutor> executor;
  std::unique_ptr<lake::Lake> lake;
};

using server::LakeAccess;

/// Errors as server::FindLake has them. For reading, the rows in write-ahead logs without a living owner are replayed
/// into memory; when another process lives, stderr says that its buffered rows are not seen.
Result<LocalLake> OpenLocalLake(const LakeChoice& choice, LakeAccess access);

/// Tells on stderr that rows which were acknowledged stay in the log, and why.
void NoteRowsLeft(const Status& why);

/// What --lake is when it is not given: TARN_LAKE, else ./tarn-data.
std::string DefaultLake();
/// Whether TARN_LAKE names one. An empty variable is as none.
bool LakeIsInEnvironment();

}  // namespace tarn::cli
