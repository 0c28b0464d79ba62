// The validator over tables that Spark and delta-rs wrote: good ones give no error, broken ones do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing/source_tree.h"
#include "delta/testing/expect_valid.h"
#include "delta/validate/validate.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::RulesOf;

Result<ValidationReport> Validate(const fs::path& folder, bool check_data) {
  TARN_ASSIGN_OR_RETURN(const auto store, storage::OpenLocalStore(folder.string()));
  FakeClock clock;
  Random random(1);
  ValidateOptions options;
  options.check_data = check_data;
  return ValidateTable({store, &clock, &random, nullptr}, options);
}

std::string Listed(const ValidationReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.ToString() + "\n";
  return text;
}

/// The tables that are not as they should be, and the rules that say so; all others have not even a warning. Two more
/// have no log.
const std::map<std::string, std::vector<std::string>> kFindings = {
    {"checkpoint", {"file-missing"}},
    {"corrupted-last-checkpoint-kernel", {"hint (warning)"}},
    {"data-reader-absolute-paths-escaped-chars", {"no-metadata"}},
    {"delete-re-add-same-file-different-transactions", {"file-missing"}},
    {"deltalog-commit-info", {"required-field"}},
    {"deltalog-invalid-protocol-version", {"protocol-version"}},
    {"deltalog-state-reconstruction-from-checkpoint-missing-metadata", {"checkpoint", "required-field"}},
    {"deltalog-state-reconstruction-from-checkpoint-missing-protocol", {"checkpoint", "required-field"}},
    {"deltalog-state-reconstruction-without-metadata", {"no-metadata"}},
    {"deltalog-state-reconstruction-without-protocol", {"no-protocol"}},
    {"log-replay-special-characters-b", {"file-missing"}},
    {"update-deleted-directory", {"checkpoint", "required-field"}},
    {"versions-not-contiguous", {"log-gap", "required-field"}},
};

TEST(ValidateGoldenTables, GoodOnesHaveNoErrorAndBrokenOnesHave) {
  const std::optional<fs::path> folder = SharedFixture("delta-golden");
  if (!folder) GTEST_SKIP() << "the Delta golden tables are not beside this checkout: 89 tables were not validated";
  storage::testing::TempFolder temp;
  size_t tables = 0;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    std::string name = entry.path().filename().string();
    if (!name.ends_with(".tar.zst")) continue;
    name = name.substr(0, name.find(".tar"));
    SCOPED_TRACE(name);
    ++tables;
    const std::string command = "tar --zstd -xf '" + entry.path().string() + "' -C '" + temp.path() + "' 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const fs::path table = fs::path(temp.path()) / name;
    const auto report = Validate(table / "delta", /*check_data=*/true);
    fs::remove_all(table);
    if (name == "hive" || name == "no-delta-log-folder") {
      EXPECT_EQ(report.status().code(), StatusCode::kNotFound);
      continue;
    }
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    const auto found = kFindings.find(name);
    const auto expected = found == kFindings.end() ? std::vector<std::string>() : found->second;
    EXPECT_EQ(RulesOf(*report), expected) << Listed(*report);
  }
  EXPECT_EQ(tables, 89u);
}

TEST(ValidateCorpus, TablesOfOtherWritersAreValid) {
  size_t tables = 0;
  for (const auto& entry : fs::directory_iterator(SourceRoot() / "tests/fixtures/delta")) {
    SCOPED_TRACE(entry.path().filename().string());
    ++tables;
    const auto report = Validate(entry.path() / "table", /*check_data=*/true);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_THAT(RulesOf(*report), ElementsAre()) << Listed(*report);
    EXPECT_GE(report->last_version, 0);
  }
  EXPECT_GE(tables, 14u);
}

}  // namespace
}  // namespace tarn::delta
