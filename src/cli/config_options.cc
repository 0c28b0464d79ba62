#include "cli/config_options.h"

#include <CLI/CLI.hpp>

#include "base/environment.h"
#include "cli/command_line.h"
#include "server/config.h"

namespace tarn::cli {

namespace {

constexpr char kEntryKeys[] = "dynamodb.";

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
  AddConfigOptions(app, kEntryKeys, choice.entries);
}

Result<delta::EntryTable> EntryTableOf(const LakeChoice& choice) {
  const Environment environment = ProcessEnvironment();
  server::Config config;
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    if (!key.name.starts_with(kEntryKeys)) continue;
    const std::string variable = server::EnvironmentName(key.name);
    if (const std::string value(ValueOf(environment, variable)); !value.empty()) {
      if (Status status = key.set(config, value); !status.ok()) return status.WithContext(variable);
    }
    const auto given = choice.entries.find(std::string(key.name));
    if (given == choice.entries.end()) continue;
    if (Status status = key.set(config, given->second); !status.ok()) return status.WithContext(key.name);
  }
  return std::move(config.dynamodb);
}

}  // namespace tarn::cli
