#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/status.h"
#include "columnar/time_zone.h"
#include "delta/table_store.h"

namespace tarn::server {

/// Everything that can be configured, with its defaults (docs/formats/configuration.md).
struct Config {
  std::string lake = "./tarn-data";
  std::string addr_http = "127.0.0.1:8080";
  int64_t flush_max_age_micros = 1'000'000;
  int64_t flush_max_rows = 1'000'000;
  int64_t flush_max_bytes = 64 << 20;
  int64_t compaction_interval_micros = 60'000'000;
  int64_t compaction_target_size = 128 << 20;
  int64_t vacuum_interval_micros = 0;
  int64_t vacuum_min_retention_micros = 3'600'000'000;
  /// Bytes; 0 is 60 % of the cgroup's or the machine's memory.
  int64_t memory_limit = 0;
  int64_t query_timeout_micros = 0;
  int64_t query_max_rows = 0;
  bool query_writes = false;
  /// Empty as FindLake has it.
  std::string state_directory;
  /// Empty is LakePlace::temp_root.
  std::string temp_directory;
  columnar::TimeZone partition_timezone;
  /// Places, as delta::OpenReadableRoots takes them.
  std::vector<std::string> roots;
  /// Empty is none.
  std::string cache_directory;
  int64_t cache_size = int64_t{10} << 30;
  delta::EntryTable dynamodb;
};

/// One key of the configuration: the only table of them, from which files, environment, flags and documentation follow.
struct ConfigKey {
  /// "flush.max_age"; in YAML `flush: {max_age: …}`.
  std::string_view name;
  /// "duration", "size", "count", "switch", "text", "list" (texts with commas between; a sequence in YAML) or
  /// "address".
  std::string_view kind;
  std::string_view default_text;
  std::string_view help;
  /// Parses and checks; InvalidArgument says what is wrong with the text.
  Status (*set)(Config& config, const std::string& text);
};

const std::vector<ConfigKey>& ConfigKeys();
/// "flush.max_age" -> "TARN_FLUSH_MAX_AGE".
std::string EnvironmentName(std::string_view key);

/// Sets what a YAML text says. InvalidArgument with "<file>:<line>:<column>: " for malformed YAML, an unknown or
/// repeated key, or a bad value.
Status ApplyYaml(std::string_view yaml, const std::string& file, Config& config);
/// Sets what the environment says. Every variable TARN_… is a setting, so that an unknown one is InvalidArgument, but
/// for those of the development tools and those that Kubernetes makes for a service of this name.
Status ApplyEnvironment(const Environment& environment, Config& config);
/// Sets one key by name, as a flag does.
Status ApplyKey(std::string_view key, const std::string& text, Config& config);

/// Defaults, then the file (where there is one), then the environment.
Result<Config> LoadConfig(const std::optional<std::string>& file, const Environment& environment);

/// "1s", "500ms", "250us", "2m", "1h", "1d"; a number needs its unit, except 0.
Result<int64_t> ParseDuration(std::string_view text);
/// "64MiB", "1GB", "512" (bytes), with a unit in powers of 1024 (KiB) or 1000 (KB).
Result<int64_t> ParseSize(std::string_view text);

struct HostPort {
  std::string host;
  uint16_t port = 0;
  /// Only reachable from this machine.
  bool loopback = false;
};
/// "127.0.0.1:8080", "[::1]:8080", "localhost:0", ":8080" (every address).
Result<HostPort> ParseAddress(std::string_view text);

/// The memory that this process may use: the cgroup's limit or the machine's memory, whichever is less.
int64_t AvailableMemoryBytes();
/// Processors that are online, at least one.
int AvailableProcessors();
/// Lets this process have as many files open as the system allows it, and says how many those are.
int64_t RaiseOpenFileLimit();

/// Config::memory_limit, in bytes also where it is not set.
int64_t MemoryLimit(const Config& config);

/// How a memory limit is shared out.
struct MemoryShares {
  int64_t engine = 0;
  int64_t buffers = 0;
  int64_t requests = 0;
};
MemoryShares SplitMemory(int64_t memory_limit);

}  // namespace tarn::server
