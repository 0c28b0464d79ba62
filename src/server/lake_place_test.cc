#include "server/lake_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/testing/temp_folder.h"

namespace tarn::server {
namespace {

using ::testing::HasSubstr;

constexpr char kRemote[] = "s3://bucket/some/lake";

StatusCode CodeFor(const std::string& uri, LakeAccess access, const Environment& environment = {{"HOME", "/home/a"}}) {
  return FindLake(uri, {}, environment, access).status().code();
}

TEST(LakePlace, ALocalLakeHasAllWithinItself) {
  const storage::testing::TempFolder folder;
  for (const std::string& uri : {folder.path(), "file://" + folder.path(), folder.path() + "/x/.."}) {
    const LakePlace place = FindLake(uri, {"/state", {}}, {{"HOME", "/home/a"}}, LakeAccess::kRead).value();
    EXPECT_THAT(place.folder, HasSubstr(folder.path()));
    EXPECT_THAT(place.wal_root, HasSubstr(folder.path() + "/_tarn/wal"));
    EXPECT_THAT(place.temp_root, HasSubstr(folder.path() + "/_tarn/tmp"));
  }
  EXPECT_EQ(CodeFor(folder.path() + "/none", LakeAccess::kRead), StatusCode::kNotFound);
  EXPECT_EQ(CodeFor(folder.path() + "/none", LakeAccess::kWrite), StatusCode::kOk);
  EXPECT_EQ(CodeFor("file://relative", LakeAccess::kWrite), StatusCode::kInvalidArgument);
}

TEST(LakePlace, OfALakeElsewhereTheStateIsHere) {
  const auto wal_root = [](const std::string& configured, const Environment& environment) {
    const LakePlace place = FindLake(kRemote, {configured, {}}, environment, LakeAccess::kWrite).value();
    EXPECT_EQ(place.folder, "");
    EXPECT_EQ(place.store->uri(), kRemote);
    EXPECT_EQ(place.temp_root.substr(0, place.temp_root.size() - 3) + "wal", place.wal_root);
    return place.wal_root;
  };
  EXPECT_EQ(wal_root("/state", {{"HOME", "/home/a"}, {"XDG_STATE_HOME", "/xdg"}}), "/state/wal");
  EXPECT_EQ(wal_root("", {{"HOME", "/home/a"}, {"XDG_STATE_HOME", "/xdg"}}), "/xdg/tarn/wal");
  EXPECT_EQ(wal_root("", {{"HOME", "/home/a"}, {"XDG_STATE_HOME", "relative"}}), "/home/a/.local/state/tarn/wal");
  const auto nowhere = FindLake(kRemote, {}, {}, LakeAccess::kWrite);
  EXPECT_EQ(nowhere.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(nowhere.status().message(), HasSubstr("set state_directory"));
  EXPECT_EQ(FindLake(kRemote, {}, {}, LakeAccess::kRead).value().wal_root, "");
}

TEST(LakePlace, LakesAreWhereCommitsCanBeDecided) {
  for (const char* uri : {"https://host/lake", "http://host/lake", "memory://"}) {
    EXPECT_EQ(CodeFor(uri, LakeAccess::kWrite), StatusCode::kUnsupported) << uri;
    EXPECT_EQ(CodeFor(uri, LakeAccess::kRead), StatusCode::kUnsupported) << uri;
  }
  for (const LakeAccess access : {LakeAccess::kRead, LakeAccess::kWrite}) {
    EXPECT_EQ(CodeFor("gs://bucket/lake", access), StatusCode::kUnsupported);
  }
}

}  // namespace
}  // namespace tarn::server
