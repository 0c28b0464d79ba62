#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "delta/log/log_segment.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "delta/validate/validate_rules.h"

namespace tarn::delta::validation {

/// Whether a checkpoint can be read and has what every one must have.
Status CheckOpens(const TableContext& table, const CheckpointFiles& checkpoint, Findings& findings);

/// Compares a checkpoint with the state of its version.
Status CheckCheckpoint(const TableContext& table, const CheckpointFiles& checkpoint, const LogRules& state,
                       Findings& findings);

/// Compares a version checksum with the state of its version; `info` is its commit's.
Status CheckChecksum(const TableContext& table, const Place& place, const LogRules& state,
                     const std::optional<CommitInfo>& info, Findings& findings);

/// Compares a compacted file with the commits that it stands for, all of which are there.
Status CheckCompacted(const TableContext& table, const LogFile& compacted, Findings& findings);

/// Compares what our reader makes of the newest version with the state.
Status CheckReplay(const TableContext& table, const LogRules& state, int64_t version, Findings& findings);

}  // namespace tarn::delta::validation
