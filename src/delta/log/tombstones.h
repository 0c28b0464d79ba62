#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/table.h"

namespace tarn::delta {

/// Visits every remove that the files of the version's log segment hold, newest commit first and the checkpoint last:
/// also of files that are live again, and one file's as often as it was removed.
Status VisitTombstones(const TableContext& table, int64_t version, const std::function<Status(const Remove&)>& visit);

}  // namespace tarn::delta
