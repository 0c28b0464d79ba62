#pragma once

#include <cstdint>

#include "base/status.h"
#include "delta/table.h"

namespace tarn::delta {

/// Writes the file that stands for the commits `from` to `to` (PROTOCOL.md, "Log Compaction Files") unless it is there:
/// of each file, application and domain the newest action, tombstones included, line by line as the commits have them.
/// Readers whose checkpoint is older take it instead of the commits, which all stay. Streamed: what is held is one
/// window of a commit and the keys seen. An optional file, so that a failure may be passed over. NotFound when a commit
/// is gone, Corruption when one has two actions of a kind, ResourceExhausted when they are too large to be worth it.
/// Nothing writes them by itself: they pay where each commit costs a request, hardly on a local disk (BM_OpenTail).
Status WriteCompactedLog(const TableContext& table, int64_t from, int64_t to);

}  // namespace tarn::delta
