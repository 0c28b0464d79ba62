#include "cli/config_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/clock.h"
#include "base/environment.h"
#include "cli/command_line.h"
#include "server/config.h"
#include "storage/stores.h"

namespace tarn::cli {

namespace {

/// Keys that say how tables are opened begin with one of these.
constexpr std::string_view kTableKeys[] = {"partition_timezone", "roots", "dynamodb."};
/// Only where tables are queried.
constexpr std::string_view kCacheKeys = "cache.";

bool IsTableKey(std::string_view name) {
  return name.starts_with(kCacheKeys) || std::any_of(std::begin(kTableKeys), std::end(kTableKeys),
                                                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string FlagOf(std::string_view key) {
  std::string flag = "--" + std::string(key);
  for (char& c : flag) {
    if (c == '.' || c == '_') c = '-';
  }
  return flag;
}

/// The keys that are wanted as their variables say and, above them, their flags.
Result<server::Config> ConfigOf(const GivenKeys& given, bool (*is_wanted)(std::string_view key)) {
  const Environment environment = ProcessEnvironment();
  server::Config config;
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    if (!is_wanted(key.name)) continue;
    const std::string variable = server::EnvironmentName(key.name);
    if (const std::string value(ValueOf(environment, variable)); !value.empty()) {
      if (Status status = key.set(config, value); !status.ok()) return status.WithContext(variable);
    }
    const auto flag = given.find(std::string(key.name));
    if (flag == given.end()) continue;
    if (Status status = key.set(config, flag->second); !status.ok()) return status.WithContext(FlagOf(key.name));
  }
  return config;
}

}  // namespace

void AddConfigOptions(CLI::App& app, std::string_view prefix, GivenKeys& given) {
  const std::map<std::string_view, std::string_view> kinds = {
      {"duration", "DURATION"}, {"size", "SIZE"},      {"count", "N"},          {"switch", "true|false"},
      {"text", "TEXT"},         {"list", "TEXT,TEXT"}, {"address", "HOST:PORT"}};
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    if (!key.name.starts_with(prefix)) continue;
    const std::string name(key.name);
    app.add_option_function<std::string>(
           FlagOf(key.name), [&given, name](const std::string& text) { given[name] = text; },
           std::string(key.help) + " [" + std::string(key.default_text) + "]")
        ->type_name(std::string(kinds.at(key.kind)));
  }
}

void AddLakeOptions(CLI::App& app, const std::string& description, LakeChoice& choice) {
  app.add_option("--lake", choice.uri, description)->type_name("URI")->check(MustNotBeEmpty);
  for (const std::string_view prefix : kTableKeys) AddConfigOptions(app, prefix, choice.given);
}

Result<TableSettings> TableSettingsOf(const LakeChoice& choice) {
  TARN_ASSIGN_OR_RETURN(server::Config config, ConfigOf(choice.given, IsTableKey));
  return TableSettings{std::move(config.partition_timezone),
                       std::move(config.roots),
                       std::move(config.dynamodb),
                       {.folder = std::move(config.cache_directory), .max_bytes = config.cache_size}};
}

Result<std::shared_ptr<storage::ObjectStore>> ThroughCache(std::shared_ptr<storage::ObjectStore> store,
                                                           const TableSettings& settings) {
  if (settings.cache.folder.empty() || !storage::IsRemoteUri(store->uri())) return store;
  TARN_ASSIGN_OR_RETURN(const auto cache, storage::DiskCache::Open(settings.cache, SystemClock()));
  return cache->Over(std::move(store));
}

Result<delta::ReadableRoots> RootsFor(std::string_view uri, const TableSettings& settings) {
  TARN_ASSIGN_OR_RETURN(delta::ReadableRoots roots, delta::OpenReadableRoots(settings.roots));
  roots.anywhere = !storage::IsRemoteUri(uri);
  return roots;
}

Result<int64_t> MemoryLimitOf(const GivenKeys& given) {
  TARN_ASSIGN_OR_RETURN(const server::Config config,
                        ConfigOf(given, [](std::string_view key) { return key == "memory_limit"; }));
  return server::MemoryLimit(config);
}

Status CheckServerStandsAlone(bool names_tables, const GivenKeys& given) {
  if (names_tables) return Status::InvalidArgument("--server stands alone: the server has its own lake");
  if (given.empty()) return Status::Ok();
  return Status::InvalidArgument("--server stands alone: " + FlagOf(given.begin()->first) +
                                 " is of this process, and the work is done by another");
}

}  // namespace tarn::cli
