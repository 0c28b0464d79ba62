#include "cli/config_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/environment.h"
#include "cli/command_line.h"
#include "server/config.h"

namespace tarn::cli {

namespace {

/// Keys that say how tables are opened begin with one of these.
constexpr std::string_view kTableKeys[] = {"partition_timezone", "dynamodb."};

bool IsTableKey(std::string_view name) {
  return std::any_of(std::begin(kTableKeys), std::end(kTableKeys),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

void AddConfigOptions(CLI::App& app, std::string_view prefix, GivenKeys& given) {
  const std::map<std::string_view, std::string_view> kinds = {{"duration", "DURATION"}, {"size", "SIZE"},
                                                              {"count", "N"},           {"switch", "true|false"},
                                                              {"text", "TEXT"},         {"address", "HOST:PORT"}};
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    if (!key.name.starts_with(prefix)) continue;
    std::string flag = "--" + std::string(key.name);
    for (char& c : flag) {
      if (c == '.' || c == '_') c = '-';
    }
    const std::string name(key.name);
    app.add_option_function<std::string>(
           flag, [&given, name](const std::string& text) { given[name] = text; },
           std::string(key.help) + " [" + std::string(key.default_text) + "]")
        ->type_name(std::string(kinds.at(key.kind)));
  }
}

void AddLakeOptions(CLI::App& app, const std::string& description, LakeChoice& choice) {
  app.add_option("--lake", choice.uri, description)->type_name("URI")->check(MustNotBeEmpty);
  for (const std::string_view prefix : kTableKeys) AddConfigOptions(app, prefix, choice.given);
}

Result<TableSettings> TableSettingsOf(const LakeChoice& choice) {
  const Environment environment = ProcessEnvironment();
  server::Config config;
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    if (!IsTableKey(key.name)) continue;
    const std::string variable = server::EnvironmentName(key.name);
    if (const std::string value(ValueOf(environment, variable)); !value.empty()) {
      if (Status status = key.set(config, value); !status.ok()) return status.WithContext(variable);
    }
    const auto given = choice.given.find(std::string(key.name));
    if (given == choice.given.end()) continue;
    if (Status status = key.set(config, given->second); !status.ok()) return status.WithContext(key.name);
  }
  return TableSettings{std::move(config.partition_timezone), std::move(config.dynamodb)};
}

}  // namespace tarn::cli
