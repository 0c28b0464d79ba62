#include "engine/instance_settings.h"

#include <algorithm>
#include <string>
#include <vector>

#include "duckdb/main/config.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

/// What each thread of a large join, sort or aggregate needs before it can spill (DuckDB's own advice, "Tuning
/// Workloads"): with less the query fails where fewer threads would have finished it.
constexpr int64_t kBytesPerThread = 125 << 20;

int ThreadsFor(const DatabaseOptions& options) {
  if (options.memory_limit_bytes <= 0) return std::max(options.threads, 1);
  const int64_t enough = std::max<int64_t>(options.memory_limit_bytes / kBytesPerThread, 1);
  return static_cast<int>(std::clamp<int64_t>(options.threads, 1, enough));
}

}  // namespace

void ConfigureInstance(duckdb::DBConfig& config, const DatabaseOptions& options) {
  // Both are on by default and reach for the network and the user's home folder.
  config.SetOptionByName("autoinstall_known_extensions", duckdb::Value::BOOLEAN(false));
  config.SetOptionByName("autoload_known_extensions", duckdb::Value::BOOLEAN(false));
  config.options.maximum_threads = static_cast<duckdb::idx_t>(ThreadsFor(options));
  if (options.memory_limit_bytes > 0) {
    config.options.maximum_memory = static_cast<duckdb::idx_t>(options.memory_limit_bytes);
  }
  config.options.temporary_directory = options.temp_directory;
  config.options.use_temporary_directory = !options.temp_directory.empty();
}

Status LockInstance(duckdb::Connection& setup, const DatabaseOptions& options) {
  std::vector<std::string> statements = {
      "SET GLOBAL TimeZone = 'UTC'",
      // Planning takes more than quadratic time in the depth of an expression, and nothing interrupts it.
      "SET GLOBAL max_expression_depth = 300",
      "SET allow_community_extensions = false",
      "SET allow_persistent_secrets = false",
  };
  if (!options.temp_directory.empty()) {
    // As an option of the configuration it is not looked at.
    statements.push_back("SET GLOBAL max_temp_directory_size = '" + std::to_string(options.max_temp_bytes) + "B'");
  }
  if (!options.policy.local_files) {
    statements.push_back(std::string("SET allowed_directories = ['") + kLakeScheme + "']");
    statements.push_back("SET enable_external_access = false");
  }
  statements.push_back("SET lock_configuration = true");
  for (const std::string& sql : statements) {
    auto result = setup.Query(sql);
    if (result->HasError()) return StatusFromError(result->GetErrorObject()).WithContext(sql);
  }
  return Status::Ok();
}

}  // namespace tarn::engine
