#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "engine/query_service.h"
#include "lake/lake.h"

namespace tarn::server {

/// Adds `system.tables` (one row per table, its buffer included) and `system.commits` (each table's latest commits).
/// All arguments outlive the service.
Status RegisterSystemTables(lake::Lake& lake, Clock& clock, Random& random, engine::QueryService& queries);

}  // namespace tarn::server
