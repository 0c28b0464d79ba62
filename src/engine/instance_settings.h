#pragma once

#include "base/status.h"
#include "engine/database.h"

namespace duckdb {
class Connection;
struct DBConfig;
}  // namespace duckdb

/// The settings of an instance: its limits, and layer 4 of the gate (sql_gate.h).
namespace tarn::engine {

/// What has to be set before the instance opens.
void ConfigureInstance(duckdb::DBConfig& config, const DatabaseOptions& options);

/// The last statements that may change a setting: UTC, no external access unless the policy has local files, no
/// extensions, then the lock. To be called once the lake is attached.
Status LockInstance(duckdb::Connection& setup, const DatabaseOptions& options);

}  // namespace tarn::engine
