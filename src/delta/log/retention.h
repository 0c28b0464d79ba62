#pragma once

#include <cstdint>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// How long files that were removed stay, for readers of earlier versions: `delta.deletedFileRetentionDuration`, a week
/// where it is not set. InvalidArgument when it cannot be read, on which nothing may be taken for expired.
Result<int64_t> DeletedFileRetentionMillis(const Metadata& metadata);

/// How long log files stay: `delta.logRetentionDuration`, thirty days where it is not set. InvalidArgument as above.
Result<int64_t> LogRetentionMillis(const Metadata& metadata);

/// False where `delta.enableExpiredLogCleanup` says that the log is not to be cleaned.
bool LogCleanupEnabled(const Metadata& metadata);

}  // namespace tarn::delta
