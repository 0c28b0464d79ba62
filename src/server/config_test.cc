#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>

#include "base/testing/source_tree.h"

namespace tarn::server {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Status Apply(const std::string& yaml, Config* config = nullptr) {
  Config scratch;
  return ApplyYaml(yaml, "tarn.yaml", config != nullptr ? *config : scratch);
}

TEST(ConfigYaml, EveryKeyOfTheContract) {
  Config config;
  const Status status = Apply(R"(
lake: /data/lake
addr: {http: "127.0.0.1:9000"}
flush:
  max_age: 250ms
  max_rows: 5000
  max_bytes: 16MiB
compaction:
  interval: 2m
  target_size: 1GB
memory_limit: 2GiB
query:
  timeout: 30s
  max_rows: 100
state_directory: /var/lib/tarn
temp_directory: /tmp/x
roots: [/data/old, "s3://bucket/shared"]
)",
                              &config);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(config.lake, "/data/lake");
  EXPECT_EQ(config.addr_http, "127.0.0.1:9000");
  EXPECT_EQ(config.flush_max_age_micros, 250'000);
  EXPECT_EQ(config.flush_max_rows, 5000);
  EXPECT_EQ(config.flush_max_bytes, 16 << 20);
  EXPECT_EQ(config.compaction_interval_micros, 120'000'000);
  EXPECT_EQ(config.compaction_target_size, 1'000'000'000);
  EXPECT_EQ(config.memory_limit, int64_t{2} << 30);
  EXPECT_EQ(config.query_timeout_micros, 30'000'000);
  EXPECT_EQ(config.query_max_rows, 100);
  EXPECT_EQ(config.state_directory, "/var/lib/tarn");
  EXPECT_EQ(config.temp_directory, "/tmp/x");
  EXPECT_THAT(config.roots, ElementsAre("/data/old", "s3://bucket/shared"));
}

TEST(ConfigYaml, NothingIsAConfiguration) {
  EXPECT_TRUE(Apply("").ok());
  EXPECT_TRUE(Apply("# only a comment\n").ok());
  EXPECT_TRUE(Apply("flush:\n").ok());
  EXPECT_TRUE(Apply("roots: []\n").ok());
}

TEST(ConfigYaml, FaultsNameTheirPlace) {
  const auto message = [](const std::string& yaml) {
    const Status status = Apply(yaml);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << yaml;
    return status.message();
  };
  EXPECT_THAT(message("lake: x\nflsh: 1\n"), StartsWith("tarn.yaml:2:1: unknown key 'flsh'; there are addr, "));
  EXPECT_THAT(message("flush:\n  maxage: 1s\n"), EndsWith("; did you mean flush.max_age?"));
  EXPECT_THAT(message("flush:\n  max_ages: 1s\n"), StartsWith("tarn.yaml:2:3: unknown key 'flush.max_ages'"));
  EXPECT_THAT(message("flush:\n  max_age: soon\n"), StartsWith("tarn.yaml:2:12: flush.max_age: 'soon' is not"));
  EXPECT_THAT(message("flush: 1s\n"), StartsWith("tarn.yaml:1:8: 'flush' takes keys of its own: max_age"));
  EXPECT_THAT(message("lake: [a]\n"), StartsWith("tarn.yaml:1:7: "));
  EXPECT_EQ(message("roots: {a: b}\n"), "tarn.yaml:1:8: 'roots' takes a list");
  EXPECT_EQ(message("roots: [a, [b]]\n"), "tarn.yaml:1:12: 'roots' takes a list of texts");
  EXPECT_THAT(message("roots: ['', a]\n"), HasSubstr("a place without text"));
  EXPECT_THAT(message("roots: ['a,b']\n"), StartsWith("tarn.yaml:1:9: roots: a comma"));
  EXPECT_THAT(message("lake: x\nlake: y\n"), StartsWith("tarn.yaml:2:1: 'lake' is given twice, first in line 1"));
  EXPECT_EQ(message("addr: {http: 127.0.0.1:1}\naddr.http: 127.0.0.1:2\n"),
            "tarn.yaml:2:1: 'addr.http' is given twice, first in line 1");
  EXPECT_EQ(message("query.timeout: 1s\nlake: x\nquery:\n  timeout: 2s\n"),
            "tarn.yaml:4:3: 'query.timeout' is given twice, first in line 1");
  EXPECT_EQ(message("flush: {max_rows: 1}\nflush: {max_age: 1s}\n"),
            "tarn.yaml:2:1: 'flush' is given twice, first in line 1");
  EXPECT_THAT(message("lake: [\n"), StartsWith("tarn.yaml:"));
  EXPECT_THAT(message("- a\n"), StartsWith("tarn.yaml:1:1: "));
  EXPECT_THAT(message("memory_limit: 101%\n"), StartsWith("tarn.yaml:1:15: memory_limit: "));
  EXPECT_THAT(message("flush: {max_age: 0}\n"), HasSubstr("more than 0"));
  EXPECT_THAT(message("addr: {http: nowhere}\n"), HasSubstr("not an address"));
  EXPECT_THAT(message("query: {max_rows: -1}\n"), HasSubstr("not a whole number"));
}

TEST(ConfigYaml, ValuesThatMakeNoSenseAreRefusedWhereTheyStand) {
  const auto message = [](const std::string& yaml) { return Apply(yaml).message(); };
  EXPECT_EQ(message("flush:\n  max_age: 99999999d\n"), "tarn.yaml:2:12: flush.max_age: must be at most 1d");
  EXPECT_EQ(message("flush.max_age: 1441m"), "tarn.yaml:1:16: flush.max_age: must be at most 1d");
  EXPECT_EQ(message("flush.max_age: 0ms"), "tarn.yaml:1:16: flush.max_age: must be more than 0");
  EXPECT_EQ(message("flush.max_age: -1s"), "tarn.yaml:1:16: flush.max_age: '-1s' is negative");
  EXPECT_EQ(message("flush.max_age: 1e3s").substr(0, 38), "tarn.yaml:1:16: flush.max_age: '1e3s' ");
  EXPECT_EQ(message("flush.max_age: 0.4us"), "tarn.yaml:1:16: flush.max_age: '0.4us' is too small");
  EXPECT_EQ(message("flush.max_age: 9999999999999999999d"),
            "tarn.yaml:1:16: flush.max_age: '9999999999999999999d' is too large");
  EXPECT_EQ(message("compaction.interval: 31d"), "tarn.yaml:1:22: compaction.interval: must be at most 30d");
  // Rounded to nothing it would be no limit.
  EXPECT_EQ(message("query.timeout: 0.1us"), "tarn.yaml:1:16: query.timeout: '0.1us' is too small");
  EXPECT_EQ(message("query.timeout: 800h"), "tarn.yaml:1:16: query.timeout: must be at most 30d");
  EXPECT_EQ(message("flush.max_bytes: 2TiB"), "tarn.yaml:1:18: flush.max_bytes: must be at most 1TiB");
  EXPECT_EQ(message("flush.max_bytes: 0"), "tarn.yaml:1:18: flush.max_bytes: must be at least 1KiB");
  EXPECT_EQ(message("compaction.target_size: 8000000TiB"),
            "tarn.yaml:1:25: compaction.target_size: must be at most 1TiB");
  EXPECT_EQ(message("compaction.target_size: 9000000TiB"),
            "tarn.yaml:1:25: compaction.target_size: '9000000TiB' is too large");
  EXPECT_EQ(message("memory_limit: 2000TiB"), "tarn.yaml:1:15: memory_limit: must be at most 1024TiB");
  EXPECT_EQ(message("flush.max_rows: 0"), "tarn.yaml:1:17: flush.max_rows: must be at least 1");
  EXPECT_EQ(message("flush.max_rows: 99999999999999999999"),
            "tarn.yaml:1:17: flush.max_rows: '99999999999999999999' is not a whole number");
  EXPECT_TRUE(Apply("flush: {max_age: 1d}\ncompaction: {interval: 30d}\nquery: {timeout: 0}\n").ok());
}

TEST(ConfigYaml, AQuoteThatIsNotClosedIsNamedWhereItBegins) {
  const auto message = [](const std::string& yaml) { return Apply(yaml).message(); };
  EXPECT_EQ(message("flush:\n  max_age: 1s\nlake: \"/data\nquery:\n  max_rows: 5\n"),
            "tarn.yaml:3:7: a quote is not closed");
  EXPECT_EQ(message("# it's \"odd\nlake: it's\ntemp_directory: 'a''b\n"), "tarn.yaml:3:17: a quote is not closed");
  EXPECT_EQ(message("lake: 'a''b' # '\naddr: {http: \"1\\\"\n"), "tarn.yaml:2:14: a quote is not closed");
  EXPECT_EQ(message("lake: \"a\n  b\"\n\"addr.http: x"), "tarn.yaml:3:1: a quote is not closed");
  EXPECT_EQ(message("lake: \"a\\\""), "tarn.yaml:1:7: a quote is not closed");
}

TEST(ConfigYaml, IsOneDocument) {
  EXPECT_THAT(Apply("lake: a\n---\nlake: b\n").message(), StartsWith("tarn.yaml:2:1: a configuration is one document"));
  // Of these the YAML library makes documents without end.
  for (const char* text : {",: ", "]", "lake: a\n,: "}) EXPECT_FALSE(Apply(text).ok()) << text;
}

TEST(ConfigPrecedence, TheEnvironmentWinsOverTheFile) {
  Environment environment = {{"TARN_FLUSH_MAX_AGE", "5s"}, {"TARN_QUERY_MAX_ROWS", "7"}};
  Config config;
  ASSERT_TRUE(Apply("flush: {max_age: 1m, max_rows: 3}\n", &config).ok());
  ASSERT_TRUE(ApplyEnvironment(environment, config).ok());
  EXPECT_EQ(config.flush_max_age_micros, 5'000'000);
  EXPECT_EQ(config.flush_max_rows, 3);
  EXPECT_EQ(config.query_max_rows, 7);
  EXPECT_FALSE(config.query_writes);
  ASSERT_TRUE(ApplyKey("query.writes", "true", config).ok());
  EXPECT_TRUE(config.query_writes);
  EXPECT_EQ(ApplyKey("query.writes", "yes", config).message(), "is true or false");
  ASSERT_TRUE(ApplyKey("flush.max_age", "2s", config).ok());
  EXPECT_EQ(config.flush_max_age_micros, 2'000'000);
  environment["TARN_MEMORY_LIMIT"] = "lots";
  EXPECT_THAT(ApplyEnvironment(environment, config).message(), StartsWith("TARN_MEMORY_LIMIT: "));
  EXPECT_EQ(LoadConfig("/nonexistent/tarn.yaml", environment).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(LoadConfig("/", {}).status().message(), "the configuration file '/' is a folder");
}

TEST(ConfigEnvironment, AnUnknownSettingIsAnError) {
  const auto message = [](const std::string& name) {
    Config config;
    const Status status = ApplyEnvironment({{"PATH", "/bin"}, {name, "1s"}}, config);
    EXPECT_TRUE(status.ok() || status.Is(StatusCode::kInvalidArgument)) << status.ToString();
    return status.message();
  };
  EXPECT_EQ(message("TARN_FLUSH_MAXAGE"),
            "unknown setting 'TARN_FLUSH_MAXAGE' in the environment; did you mean TARN_FLUSH_MAX_AGE?");
  EXPECT_EQ(message("TARN_SOMETHING_ELSE_ALTOGETHER"),
            "unknown setting 'TARN_SOMETHING_ELSE_ALTOGETHER' in the environment");
  EXPECT_NE(message("TARN_"), "");
  for (const char* ours_not : {"TARNISHED", "TARN_SHARED", "TARN_REQUIRE_SHARED", "TARN_TOOLCHAIN", "TARN_SERVICE_HOST",
                               "TARN_SERVICE_PORT_HTTP", "TARN_PORT", "TARN_PORT_8080_TCP_ADDR", "TARN_HTTP_PORT"}) {
    EXPECT_EQ(message(ours_not), "") << ours_not;
  }
}

TEST(ConfigValues, Durations) {
  EXPECT_EQ(*ParseDuration("1s"), 1'000'000);
  EXPECT_EQ(*ParseDuration("500ms"), 500'000);
  EXPECT_EQ(*ParseDuration("20 us"), 20);
  EXPECT_EQ(*ParseDuration("1.5m"), 90'000'000);
  EXPECT_EQ(*ParseDuration("0"), 0);
  for (const char* wrong : {"", "s", "1", "-1s", "1 year", "1ss", "nan s", "1e9s", "99999999999d"}) {
    EXPECT_FALSE(ParseDuration(wrong).ok()) << wrong;
  }
}

TEST(ConfigValues, Sizes) {
  EXPECT_EQ(*ParseSize("64MiB"), 64 << 20);
  EXPECT_EQ(*ParseSize("1GB"), 1'000'000'000);
  EXPECT_EQ(*ParseSize("512"), 512);
  EXPECT_EQ(*ParseSize("1.5 KiB"), 1536);
  for (const char* wrong : {"", "MiB", "1Mib", "-1", "1 XB", "0x10", "1e30", "99999999999TiB"}) {
    EXPECT_FALSE(ParseSize(wrong).ok()) << wrong;
  }
}

TEST(ConfigValues, Addresses) {
  EXPECT_EQ(ParseAddress("127.0.0.1:8080")->port, 8080);
  EXPECT_TRUE(ParseAddress("127.0.0.1:8080")->loopback);
  EXPECT_TRUE(ParseAddress("localhost:0")->loopback);
  EXPECT_EQ(ParseAddress("[::1]:80")->host, "::1");
  EXPECT_TRUE(ParseAddress("[::1]:80")->loopback);
  EXPECT_FALSE(ParseAddress("0.0.0.0:80")->loopback);
  EXPECT_FALSE(ParseAddress(":80")->loopback);
  EXPECT_FALSE(ParseAddress("[::]:80")->loopback);
  for (const char* wrong : {"", "8080", "host", "host:", "host:70000", "::1:80", "[::1]80", "h:80x", "h:-1"}) {
    EXPECT_FALSE(ParseAddress(wrong).ok()) << wrong;
  }
}

TEST(ConfigValues, SharesOfMemoryLeaveRoomForTheRest) {
  const MemoryShares shares = SplitMemory(1000);
  EXPECT_GT(shares.engine, 0);
  EXPECT_GT(shares.buffers, 0);
  EXPECT_GT(shares.requests, 0);
  EXPECT_LT(shares.engine + shares.buffers + shares.requests, 1000);
  EXPECT_GT(AvailableMemoryBytes(), 0);
}

TEST(ConfigValues, OpenFilesAreAsManyAsTheSystemAllows) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t before = std::exchange(limit.rlim_cur, 64);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const int64_t raised = RaiseOpenFileLimit();
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
  EXPECT_EQ(raised, static_cast<int64_t>(std::min<rlim_t>(limit.rlim_max, INT32_MAX)));
  limit.rlim_cur = before;
  setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(ConfigKeys, DefaultsAreWhatTheTableSays) {
  const Config defaults;
  Config set;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == "memory_limit" || key.name.ends_with("_directory") || key.name == "roots") continue;
    EXPECT_TRUE(key.set(set, std::string(key.default_text)).ok()) << key.name;
  }
  EXPECT_EQ(set.lake, defaults.lake);
  EXPECT_EQ(set.addr_http, defaults.addr_http);
  EXPECT_EQ(set.flush_max_age_micros, defaults.flush_max_age_micros);
  EXPECT_EQ(set.flush_max_rows, defaults.flush_max_rows);
  EXPECT_EQ(set.flush_max_bytes, defaults.flush_max_bytes);
  EXPECT_EQ(set.compaction_interval_micros, defaults.compaction_interval_micros);
  EXPECT_EQ(set.compaction_target_size, defaults.compaction_target_size);
  EXPECT_EQ(set.query_timeout_micros, defaults.query_timeout_micros);
  EXPECT_EQ(set.query_max_rows, defaults.query_max_rows);
  EXPECT_EQ(set.partition_timezone.name(), defaults.partition_timezone.name());
  EXPECT_EQ(set.dynamodb.scheme, defaults.dynamodb.scheme);
}

std::string KeyTable() {
  std::string text = "| key | environment | kind | default | meaning |\n|---|---|---|---|---|\n";
  for (const ConfigKey& key : ConfigKeys()) {
    text += "| `" + std::string(key.name) + "` | `" + EnvironmentName(key.name) + "` | " + std::string(key.kind) +
            " | `" + std::string(key.default_text) + "` | " + std::string(key.help) + " |\n";
  }
  return text;
}

TEST(ConfigKeys, ThePageListsThem) {
  const std::filesystem::path path = SourceRoot() / "docs/formats/configuration.md";
  EXPECT_THAT(FileContent(path), HasSubstr(KeyTable())) << "the table in " << path << " must be:\n" << KeyTable();
}

}  // namespace
}  // namespace tarn::server
