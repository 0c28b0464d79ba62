#include "cli/spill_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "storage/testing/temp_folder.h"

namespace tarn::cli {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

TEST(SpillFolder, IsThisUsersAloneAndGoesWithTheCommand) {
  const storage::testing::TempFolder root;
  {
    const auto spill = SpillFolder::Make(root.path());
    ASSERT_TRUE(spill.ok()) << spill.status().ToString();
    struct stat info;
    ASSERT_EQ(stat(spill->path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    std::ofstream(spill->path() + "/spilled") << "x";
  }
  EXPECT_TRUE(fs::is_empty(root.path()));
}

TEST(SpillFolder, WhatAKilledCommandLeftGoesWithTheNext) {
  const storage::testing::TempFolder root;
  const fs::path left = root.path() + "/tarn-sql-abcdef";
  fs::create_directories(left / "deeper");
  std::ofstream(left / "deeper" / "spilled") << "x";
  std::ofstream(root.path() + "/tarn-sql-papers") << "a file";
  fs::create_directories(root.path() + "/tarn-sql-is-a-longer-name");
  fs::create_directories(root.path() + "/others/kept");
  fs::create_directory_symlink(root.path() + "/others", root.path() + "/tarn-sql-linked");
  const auto first = SpillFolder::Make(root.path());
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_FALSE(fs::exists(left));
  for (const char* others : {"tarn-sql-papers", "tarn-sql-is-a-longer-name", "tarn-sql-linked", "others/kept"}) {
    EXPECT_TRUE(fs::exists(root.path() + "/" + others)) << others;
  }
  std::ofstream(first->path() + "/spilled") << "x";
  const auto second = SpillFolder::Make(root.path());
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_NE(second->path(), first->path());
  EXPECT_TRUE(fs::exists(first->path() + "/spilled")) << "its command still runs";
}

TEST(SpillFolder, NoPlaceForOneIsAnError) {
  const storage::testing::TempFolder root;
  const Status refused = SpillFolder::Make(root.path() + "/nowhere").status();
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr(root.path() + "/nowhere/tarn-sql-"));
}

}  // namespace
}  // namespace tarn::cli
