#include "server/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "base/nearest_name.h"

namespace tarn::server {

namespace {

constexpr int64_t kDayMicros = 86'400'000'000;
constexpr int64_t kTiB = int64_t{1} << 40;

template <int64_t Config::* Member, int64_t MostDays>
Status SetDuration(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t micros, ParseDuration(text));
  if (micros > MostDays * kDayMicros) {
    return Status::InvalidArgument("must be at most " + std::to_string(MostDays) + "d");
  }
  config.*Member = micros;
  return Status::Ok();
}

template <int64_t Config::* Member, int64_t MostDays>
Status SetPositiveDuration(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t micros, ParseDuration(text));
  if (micros <= 0) return Status::InvalidArgument("must be more than 0");
  return SetDuration<Member, MostDays>(config, text);
}

template <int64_t Config::* Member>
Status SetSize(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(const int64_t bytes, ParseSize(text));
  if (bytes < (1 << 10)) return Status::InvalidArgument("must be at least 1KiB");
  if (bytes > kTiB) return Status::InvalidArgument("must be at most 1TiB");
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

template <bool Config::* Member>
Status SetSwitch(Config& config, const std::string& text) {
  if (text != "true" && text != "false") return Status::InvalidArgument("is true or false");
  config.*Member = text == "true";
  return Status::Ok();
}

template <std::string Config::* Member>
Status SetText(Config& config, const std::string& text) {
  if (text.empty()) return Status::InvalidArgument("must not be empty");
  config.*Member = text;
  return Status::Ok();
}

template <std::string delta::EntryTable::* Member>
Status SetEntryText(Config& config, const std::string& text) {
  if (text.empty()) return Status::InvalidArgument("must not be empty");
  config.dynamodb.*Member = text;
  return Status::Ok();
}

Status SetEntryScheme(Config& config, const std::string& text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; })) {
    return Status::InvalidArgument("is what stands before :// in a URI, as s3a");
  }
  config.dynamodb.scheme = text;
  return Status::Ok();
}

Status SetTimeZone(Config& config, const std::string& text) {
  TARN_ASSIGN_OR_RETURN(config.partition_timezone, columnar::TimeZone::Find(text));
  return Status::Ok();
}

Status SetRoots(Config& config, const std::string& text) {
  std::vector<std::string> roots;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string root = text.substr(begin, end - begin);
    const size_t first = root.find_first_not_of(' ');
    root = first == std::string::npos ? "" : root.substr(first, root.find_last_not_of(' ') - first + 1);
    if (root.empty()) return Status::InvalidArgument("names a place without text");
    roots.push_back(std::move(root));
    begin = end + 1;
  }
  config.roots = std::move(roots);
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
  constexpr int64_t kMost = 1024 * kTiB;
  int64_t bytes = 0;
  if (text.ends_with('%')) {
    TARN_ASSIGN_OR_RETURN(const int64_t percent, ParseCount(text.substr(0, text.size() - 1)));
    if (percent < 1 || percent > 100) return Status::InvalidArgument("'" + text + "' is not between 1% and 100%");
    bytes = AvailableMemoryBytes() / 100 * percent;
  } else {
    TARN_ASSIGN_OR_RETURN(bytes, ParseSize(text));
  }
  if (bytes < kLeast) return Status::InvalidArgument("must be at least 128MiB");
  if (bytes > kMost) return Status::InvalidArgument("must be at most 1024TiB");
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

/// One document, applied key by key.
class YamlConfig {
 public:
  YamlConfig(const std::string& file, Config& config) : file_(file), config_(config) {}

  Status Apply(const YAML::Node& node, const std::string& section) {
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return Wrong(entry.first, "a key must be a word");
      const std::string word = entry.first.Scalar();
      const std::string name = section.empty() ? word : section + "." + word;
      // `addr: {http: …}` and `addr.http: …` are the same key.
      const auto [first, is_new] = first_lines_.emplace(name, entry.first.Mark().line + 1);
      if (!is_new) {
        return Wrong(entry.first, "'" + name + "' is given twice, first in line " + std::to_string(first->second));
      }
      if (const ConfigKey* key = FindKey(name)) {
        TARN_RETURN_NOT_OK(Set(*key, entry.second));
      } else if (section.empty() && IsSection(word)) {
        if (entry.second.IsNull()) continue;
        if (!entry.second.IsMap()) {
          return Wrong(entry.second, "'" + word + "' takes keys of its own: " + KnownKeys(word));
        }
        TARN_RETURN_NOT_OK(Apply(entry.second, word));
      } else {
        std::vector<std::string> names;
        for (const ConfigKey& key : ConfigKeys()) names.emplace_back(key.name);
        return Wrong(entry.first,
                     "unknown key '" + name + "'; there are " + KnownKeys(section) + DidYouMean(name, names));
      }
    }
    return Status::Ok();
  }

 private:
  Status Wrong(const YAML::Node& node, const std::string& what) const {
    return Status::InvalidArgument(Place(file_, node.Mark()) + what);
  }

  Status Set(const ConfigKey& key, const YAML::Node& value) {
    const std::string name(key.name);
    std::string text;
    if (value.IsScalar()) {
      text = value.Scalar();
    } else if (key.kind == "list" && value.IsSequence()) {
      for (const YAML::Node& entry : value) {
        if (!entry.IsScalar()) return Wrong(entry, "'" + name + "' takes a list of texts");
        if (entry.Scalar().find(',') != std::string::npos) {
          return Wrong(entry, name + ": a comma stands between places; within one, a URI has it as %2C");
        }
        text += (entry == value[0] ? "" : ",") + entry.Scalar();
      }
      if (value.size() == 0) return Status::Ok();
    } else {
      return Wrong(value, "'" + name + "' takes a " + std::string(key.kind));
    }
    const Status status = key.set(config_, text);
    return status.ok() ? status : Wrong(value, name + ": " + status.message());
  }

  const std::string& file_;
  Config& config_;
  std::map<std::string, int> first_lines_;
};

/// Where the quoted text begins that the end of the file cuts off. The YAML library names the end of the file instead.
YAML::Mark UnclosedQuote(std::string_view text) {
  size_t unclosed = std::string_view::npos;
  // Elsewhere a quote is a character like any other.
  bool may_begin = true;
  for (size_t i = 0; i < text.size() && unclosed == std::string_view::npos; ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\n';
    if (c == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n')) {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (may_begin && (c == '"' || c == '\'')) {
      const size_t begin = i++;
      const std::string_view escape = c == '"' ? "\\" : "''";
      while (i < text.size() && (text[i] != c || text.substr(i).starts_with(escape))) {
        i += text.substr(i).starts_with(escape) ? 2 : 1;
      }
      if (i >= text.size()) unclosed = begin;
      may_begin = false;
    } else if (c != ' ') {
      may_begin =
          c == '\n' || c == '[' || c == '{' || c == ',' || ((c == ':' || c == '-') && (next == ' ' || next == '\n'));
    }
  }
  if (unclosed == std::string_view::npos) return YAML::Mark::null_mark();
  YAML::Mark mark;
  const std::string_view before = text.substr(0, unclosed);
  mark.line = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  mark.column = static_cast<int>(unclosed - (before.rfind('\n') + 1));
  return mark;
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> kKeys = {
      {"lake", "text", "./tarn-data", "where the tables are: a folder, or a URI", SetText<&Config::lake>},
      {"addr.http", "address", "127.0.0.1:8080",
       "where HTTP listens; port 0 lets the system choose; an address that others can reach needs --insecure-listen",
       SetAddress},
      {"flush.max_age", "duration", "1s", "rows wait in the buffer at most this long before they are committed",
       SetPositiveDuration<&Config::flush_max_age_micros, 1>},
      {"flush.max_rows", "count", "1000000", "a table with so many rows in the buffer is committed at once",
       SetCount<&Config::flush_max_rows, 1>},
      {"flush.max_bytes", "size", "64MiB", "a table with so many bytes in the buffer is committed at once",
       SetSize<&Config::flush_max_bytes>},
      {"compaction.interval", "duration", "60s", "how often small files are merged; 0 turns it off",
       SetDuration<&Config::compaction_interval_micros, 30>},
      {"compaction.target_size", "size", "128MiB", "the size of file that compaction aims at",
       SetSize<&Config::compaction_target_size>},
      {"vacuum.interval", "duration", "0",
       "how often files that no version within a table's retention needs are deleted from every table; 0 turns it off",
       SetDuration<&Config::vacuum_interval_micros, 30>},
      {"vacuum.min_retention", "duration", "1h",
       "the retention for tables whose own is shorter; longer than any flush, rewrite or query takes",
       SetPositiveDuration<&Config::vacuum_min_retention_micros, 30>},
      {"memory_limit", "size", "60%",
       "a size, or a share of the cgroup's or the machine's memory; split among engine, buffers and requests",
       SetMemoryLimit},
      {"query.timeout", "duration", "0", "a query that takes longer is ended; 0 is no limit",
       SetDuration<&Config::query_timeout_micros, 30>},
      {"query.max_rows", "count", "0", "a query with more rows in its result is ended; 0 is no limit",
       SetCount<&Config::query_max_rows, 0>},
      {"query.writes", "switch", "false", "SQL may change tables, for everybody who can reach the server",
       SetSwitch<&Config::query_writes>},
      {"state_directory", "text", "<home>/.local/state/tarn",
       "a folder on this machine's disk that lasts, for the write-ahead logs of lakes in object stores; a local lake "
       "has its own within itself",
       SetText<&Config::state_directory>},
      {"temp_directory", "text", "<lake>/_tarn/tmp", "where queries spill; emptied at start",
       SetText<&Config::temp_directory>},
      {"partition_timezone", "text", "UTC",
       "the time zone of partition values that are timestamps and name none, as in tables that Spark wrote",
       SetTimeZone},
      {"roots", "list", "<none>",
       "folders and URIs besides the lake whose files its tables may name, as shallow clones do; the command line "
       "reads any file for a table on this machine's disk",
       SetRoots},
      {"cache.directory", "text", "<none>",
       "a folder on this machine's disk, of this user alone, for what was read of lakes in object stores; processes "
       "may share it",
       SetText<&Config::cache_directory>},
      {"cache.size", "size", "10GiB", "how much of them it holds; what was used longest ago goes first",
       SetSize<&Config::cache_size>},
      {"dynamodb.table", "text", "<none>",
       "the DynamoDB table whose entries decide commits to tables in S3, as Spark's S3DynamoDBLogStore has it; "
       "without one If-None-Match decides",
       SetEntryText<&delta::EntryTable::name>},
      {"dynamodb.region", "text", "<AWS_REGION>", "where that table is", SetEntryText<&delta::EntryTable::region>},
      {"dynamodb.endpoint", "text", "<AWS_ENDPOINT_URL_DYNAMODB>", "the service that has it, as https://host:8000",
       SetEntryText<&delta::EntryTable::endpoint>},
      {"dynamodb.scheme", "text", "s3a", "what Spark calls the tables by in entries: s3a://bucket/folder",
       SetEntryScheme},
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
    // The library misses an open quote when the file ends with an empty line.
    const std::string text(yaml.substr(0, yaml.find_last_not_of(" \t\r\n") + 1));
    const std::vector<YAML::Mark> begins = FirstDocuments(text);
    if (begins.size() > 1) {
      return Status::InvalidArgument(Place(file, begins[1]) + "a configuration is one document");
    }
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) return Status::Ok();
    if (!document.IsMap()) {
      return Status::InvalidArgument(Place(file, document.Mark()) + "a configuration is a mapping of keys");
    }
    return YamlConfig(file, config).Apply(document, "");
  } catch (const YAML::Exception& error) {
    if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
      return Status::InvalidArgument(Place(file, UnclosedQuote(yaml)) + "a quote is not closed");
    }
    return Status::InvalidArgument(Place(file, error.mark) + error.msg);
  }
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
    std::error_code error;
    if (std::filesystem::is_directory(*file, error)) {
      return Status::InvalidArgument("the configuration file '" + *file + "' is a folder");
    }
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
