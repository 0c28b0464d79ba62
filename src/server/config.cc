#include "server/config.h"

#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <utility>

namespace tarn::server {

namespace {

template <int64_t Config::* Member>
Status SetDuration(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(config.*Member, ParseDuration(text));
  return Status::Ok();
}

template <int64_t Config::* Member>
Status SetPositiveDuration(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t micros, ParseDuration(text));
  if (micros <= 0) return Status::InvalidArgument("must be more than 0");
  config.*Member = micros;
  return Status::Ok();
}

template <int64_t Config::* Member>
Status SetSize(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t bytes, ParseSize(text));
  if (bytes < (1 << 10)) return Status::InvalidArgument("must be at least 1KiB");
  config.*Member = bytes;
  return Status::Ok();
}

Result<int64_t> ParseCount(const std::string& text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value < 0) {
    return Status::InvalidArgument("'" + text + "' is not a whole number");
  }
  return value;
}

template <int64_t Config::* Member, int64_t Least>
Status SetCount(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t value, ParseCount(text));
  if (value < Least) return Status::InvalidArgument("must be at least " + std::to_string(Least));
  config.*Member = value;
  return Status::Ok();
}

template <std::string Config::* Member>
Status SetText(Config& config, const std::string& text) {
  if (text.empty()) return Status::InvalidArgument("must not be empty");
  config.*Member = text;
  return Status::Ok();
}

Status SetAddress(Config& config, const std::string& text) {
  TARN_RETURN_NOT_OK(ParseAddress(text).status());
  config.addr_http = text;
  return Status::Ok();
}

/// A size, or a share of what the cgroup or the machine has.
Status SetMemoryLimit(Config& config, const std::string& text) {
  constexpr int64_t kLeast = int64_t{128} << 20;
  int64_t bytes = 0;
  if (text.ends_with('%')) {
    TARN_ASSIGN_OR_RETURN(const int64_t percent, ParseCount(text.substr(0, text.size() - 1)));
    if (percent < 1 || percent > 100) return Status::InvalidArgument("'" + text + "' is not between 1% and 100%");
    bytes = AvailableMemoryBytes() / 100 * percent;
  } else {
    TARN_ASSIGN_OR_RETURN(bytes, ParseSize(text));
  }
  if (bytes < kLeast) return Status::InvalidArgument("must be at least 128MiB");
  config.memory_limit = bytes;
  return Status::Ok();
}

/// Remembers where documents begin.
class DocumentBegins final : public YAML::EventHandler {
 public:
  std::vector<YAML::Mark> marks;
  void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Where the documents begin, the first two at most: in text like ",: " the library finds documents without end.
std::vector<YAML::Mark> FirstDocuments(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentBegins begins;
  while (begins.marks.size() < 2 && parser.HandleNextDocument(begins)) continue;
  return std::move(begins.marks);
}

std::string Place(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file + ": ";
  return file + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
}

bool IsSection(const std::string& name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name.starts_with(name + ".")) return true;
  }
  return false;
}

const ConfigKey* FindKey(std::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

/// Edits of one byte between two names.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// "; did you mean …?" with the nearest of `names`, where one is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& names) {
  const size_t bound = std::max<size_t>(2, name.size() / 3);
  const std::string* best = nullptr;
  size_t least = bound + 1;
  for (const std::string& candidate : names) {
    const size_t distance = Distance(name, candidate);
    if (distance < least) {
      least = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : "; did you mean " + *best + "?";
}

/// Variables of this project's development tools, which share the prefix.
constexpr std::array<std::string_view, 7> kToolVariables = {"TARN_CACHE",          "TARN_KILLS",  "TARN_PROGRAM",
                                                            "TARN_REQUIRE_SHARED", "TARN_SHARED", "TARN_TOOLCHAIN",
                                                            "TARN_UPDATE_GOLDEN"};

/// What Kubernetes puts into the environment for a service that is called tarn or tarn-something.
bool IsServiceLink(std::string_view name) {
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos) return true;
  const size_t port = name.rfind("_PORT");
  if (port == std::string_view::npos) return false;
  const std::string_view rest = name.substr(port + 5);
  return rest.empty() || (rest.size() > 1 && rest[0] == '_' && std::isdigit(static_cast<unsigned char>(rest[1])) != 0);
}

/// The keys that may stand where an unknown one was found.
std::string KnownKeys(const std::string& section) {
  std::set<std::string> names;
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.name.starts_with(prefix)) continue;
    const std::string_view rest = key.name.substr(prefix.size());
    names.emplace(rest.substr(0, rest.find('.')));
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Status ApplyMapping(const YAML::Node& node, const std::string& section, const std::string& file, Config& config) {
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string where = Place(file, entry.first.Mark());
    if (!entry.first.IsScalar()) return Status::InvalidArgument(where + "a key must be a word");
    const std::string word = entry.first.Scalar();
    const std::string name = section.empty() ? word : section + "." + word;
    if (!seen.insert(word).second) return Status::InvalidArgument(where + "'" + name + "' is given twice");
    if (const ConfigKey* key = FindKey(name)) {
      const std::string value_place = Place(file, entry.second.Mark());
      if (!entry.second.IsScalar()) {
        return Status::InvalidArgument(value_place + "'" + name + "' takes a " + std::string(key->kind));
      }
      if (Status status = key->set(config, entry.second.Scalar()); !status.ok()) {
        return Status::InvalidArgument(value_place + name + ": " + status.message());
      }
    } else if (section.empty() && IsSection(word)) {
      if (entry.second.IsNull()) continue;
      if (!entry.second.IsMap()) {
        return Status::InvalidArgument(Place(file, entry.second.Mark()) + "'" + word +
                                       "' takes keys of its own: " + KnownKeys(word));
      }
      TARN_RETURN_NOT_OK(ApplyMapping(entry.second, word, file, config));
    } else {
      std::vector<std::string> names;
      for (const ConfigKey& key : ConfigKeys()) names.emplace_back(key.name);
      return Status::InvalidArgument(where + "unknown key '" + name + "'; there are " + KnownKeys(section) +
                                     DidYouMean(name, names));
    }
  }
  return Status::Ok();
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> kKeys = {
      {"lake", "text", "./tarn-data", "where the tables are: a folder, or a URI", SetText<&Config::lake>},
      {"addr.http", "address", "127.0.0.1:8080",
       "where HTTP listens; port 0 lets the system choose; an address that others can reach needs --insecure-listen",
       SetAddress},
      {"flush.max_age", "duration", "1s", "rows wait in the buffer at most this long before they are committed",
       SetPositiveDuration<&Config::flush_max_age_micros>},
      {"flush.max_rows", "count", "1000000", "a table with so many rows in the buffer is committed at once",
       SetCount<&Config::flush_max_rows, 1>},
      {"flush.max_bytes", "size", "64MiB", "a table with so many bytes in the buffer is committed at once",
       SetSize<&Config::flush_max_bytes>},
      {"compaction.interval", "duration", "60s", "how often small files are merged; 0 turns it off",
       SetDuration<&Config::compaction_interval_micros>},
      {"compaction.target_size", "size", "128MiB", "the size of file that compaction aims at",
       SetSize<&Config::compaction_target_size>},
      {"memory_limit", "size", "60%",
       "a size, or a share of the cgroup's or the machine's memory; split among engine, buffers and requests",
       SetMemoryLimit},
      {"query.timeout", "duration", "0", "a query that takes longer is ended; 0 is no limit",
       SetDuration<&Config::query_timeout_micros>},
      {"query.max_rows", "count", "0", "a query with more rows in its result is ended; 0 is no limit",
       SetCount<&Config::query_max_rows, 0>},
      {"temp_directory", "text", "<lake>/_tarn/tmp", "where queries spill; emptied at start",
       SetText<&Config::temp_directory>},
  };
  return kKeys;
}

std::string EnvironmentName(std::string_view key) {
  std::string name = "TARN_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

Status ApplyKey(std::string_view name, const std::string& text, Config& config) {
  const ConfigKey* key = FindKey(name);
  if (key == nullptr) return Status::InvalidArgument("unknown key '" + std::string(name) + "'");
  return key->set(config, text);
}

Status ApplyYaml(std::string_view yaml, const std::string& file, Config& config) {
  try {
    const std::string text(yaml);
    const std::vector<YAML::Mark> begins = FirstDocuments(text);
    if (begins.size() > 1) {
      return Status::InvalidArgument(Place(file, begins[1]) + "a configuration is one document");
    }
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) return Status::Ok();
    if (!document.IsMap()) {
      return Status::InvalidArgument(Place(file, document.Mark()) + "a configuration is a mapping of keys");
    }
    return ApplyMapping(document, "", file, config);
  } catch (const YAML::Exception& error) {
    return Status::InvalidArgument(Place(file, error.mark) + error.msg);
  }
}

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Status ApplyEnvironment(const Environment& environment, Config& config) {
  std::map<std::string, const ConfigKey*, std::less<>> keys;
  std::vector<std::string> names;
  for (const ConfigKey& key : ConfigKeys()) {
    names.push_back(EnvironmentName(key.name));
    keys.emplace(names.back(), &key);
  }
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("TARN_")) continue;
    const auto found = keys.find(name);
    if (found != keys.end()) {
      if (Status status = found->second->set(config, value); !status.ok()) return status.WithContext(name);
    } else if (std::ranges::find(kToolVariables, name) == kToolVariables.end() && !IsServiceLink(name)) {
      return Status::InvalidArgument("unknown setting '" + name + "' in the environment" + DidYouMean(name, names));
    }
  }
  return Status::Ok();
}

Result<Config> LoadConfig(const std::optional<std::string>& file, const Environment& environment) {
  Config config;
  if (file.has_value()) {
    std::ifstream in(*file);
    if (!in) return Status::NotFound("the configuration file '" + *file + "' cannot be read");
    std::ostringstream text;
    text << in.rdbuf();
    TARN_RETURN_NOT_OK(ApplyYaml(text.str(), *file, config));
  }
  TARN_RETURN_NOT_OK(ApplyEnvironment(environment, config));
  return config;
}

}  // namespace tarn::server
