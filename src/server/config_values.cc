// What configuration values look like as text.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include "server/config.h"

namespace tarn::server {

namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

/// A decimal number followed by one of the units, as a whole number of the smallest.
Result<int64_t> ParseWithUnit(std::string_view text, const Unit* units, size_t count, std::string_view expected) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const auto wrong = [&] {
    return Status::InvalidArgument("'" + std::string(text) + "' is not " + std::string(expected));
  };
  if (error != std::errc() || !std::isfinite(number)) return wrong();
  if (number < 0) return Status::InvalidArgument("'" + std::string(text) + "' is negative");
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (unit.empty() && number == 0) return 0;
  for (size_t i = 0; i < count; ++i) {
    if (units[i].name != unit) continue;
    const double value = number * static_cast<double>(units[i].factor);
    if (value > 0 && value < 0.5) return Status::InvalidArgument("'" + std::string(text) + "' is too small");
    if (value >= 9.2e18) return Status::InvalidArgument("'" + std::string(text) + "' is too large");
    return static_cast<int64_t>(std::llround(value));
  }
  return wrong();
}

int64_t ReadNumber(const std::string& file) {
  std::ifstream in(file);
  std::string text;
  if (!(in >> text)) return std::numeric_limits<int64_t>::max();
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && number > 0 ? number : std::numeric_limits<int64_t>::max();
}

}  // namespace

Result<int64_t> ParseDuration(std::string_view text) {
  static constexpr std::array<Unit, 6> kUnits = {
      {{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}}};
  return ParseWithUnit(text, kUnits.data(), kUnits.size(), "a duration such as 500ms, 1s, 2m or 1h");
}

Result<int64_t> ParseSize(std::string_view text) {
  static constexpr std::array<Unit, 10> kUnits = {{{"", 1},
                                                   {"B", 1},
                                                   {"KiB", int64_t{1} << 10},
                                                   {"MiB", int64_t{1} << 20},
                                                   {"GiB", int64_t{1} << 30},
                                                   {"TiB", int64_t{1} << 40},
                                                   {"KB", 1'000},
                                                   {"MB", 1'000'000},
                                                   {"GB", 1'000'000'000},
                                                   {"TB", 1'000'000'000'000}}};
  return ParseWithUnit(text, kUnits.data(), kUnits.size(), "a size such as 64MiB or 1GB");
}

Result<HostPort> ParseAddress(std::string_view text) {
  const auto wrong = [&] {
    return Status::InvalidArgument("'" + std::string(text) + "' is not an address such as 127.0.0.1:8080");
  };
  HostPort result;
  size_t colon;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || end + 1 >= text.size() || text[end + 1] != ':') return wrong();
    result.host = text.substr(1, end - 1);
    colon = end + 1;
  } else {
    colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) return wrong();
    result.host = text.substr(0, colon);
  }
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) return wrong();
  if (result.host.empty()) result.host = "0.0.0.0";
  result.loopback = result.host == "localhost" || result.host == "::1" || result.host.starts_with("127.");
  return result;
}

int64_t AvailableMemoryBytes() {
  const int64_t machine = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  // The file of cgroup v2 holds "max" when there is no limit; v1's then holds a number beyond any machine.
  const int64_t cgroup =
      std::min(ReadNumber("/sys/fs/cgroup/memory.max"), ReadNumber("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  return std::min(machine, cgroup);
}

int64_t RaiseOpenFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT32_MAX));
}

int AvailableProcessors() { return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

int64_t MemoryLimit(const Config& config) {
  return config.memory_limit > 0 ? config.memory_limit : AvailableMemoryBytes() / 100 * 60;
}

MemoryShares SplitMemory(int64_t memory_limit) {
  // The engine's work can spill to disk, what was acknowledged and what is arriving cannot; the rest of the limit is
  // for what is not accounted: code, stacks, allocator, snapshots.
  return {.engine = memory_limit * 55 / 100, .buffers = memory_limit * 20 / 100, .requests = memory_limit * 10 / 100};
}

}  // namespace tarn::server
