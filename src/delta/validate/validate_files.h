#pragma once

#include "base/status.h"
#include "delta/table.h"
#include "delta/validate/validate_shape.h"

namespace tarn::delta::validation {

/// Checks the live data files of the newest version: they are there with the log's sizes and their deletion vectors can
/// be read; with `data` also their rows against their statistics. Nothing where the table cannot be opened.
Status CheckFiles(const TableContext& table, const TableShape& shape, bool data, Findings& findings);

}  // namespace tarn::delta::validation
