#pragma once

#include "base/status.h"
#include "delta/operations/alter_table.h"

namespace tarn::lake {

/// InvalidArgument for a change by which rows of line protocol would begin a second column for what the table has:
/// `time` of a table that is partitioned by the date of it is neither dropped nor renamed.
Status CheckAlter(const delta::Snapshot& table, const delta::TableChange& change);

}  // namespace tarn::lake
