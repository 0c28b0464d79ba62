#include "storage/local_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "storage/posix_file.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

std::vector<std::string> Keys(ObjectStore& store, const ListOptions& options = {}) {
  const std::vector<ListEntry> entries = store.ListAll(options).value();
  std::vector<std::string> keys;
  for (const ListEntry& entry : entries) keys.push_back(entry.object.key);
  return keys;
}

TEST(LocalStore, CreatesItsRootOnTheFirstWriteOnly) {
  const testing::TempFolder folder;
  const std::string root = folder.path() + "/new/root";
  const auto store = OpenLocalStore(root).value();
  EXPECT_THAT(Keys(*store), IsEmpty());
  EXPECT_EQ(store->Head("a").status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(root));
  ASSERT_TRUE(store->Put("a", {}, Precondition::None()).ok());
  EXPECT_TRUE(fs::exists(root + "/a"));
}

TEST(LocalStore, LeavesNothingButItsObjects) {
  const testing::TempFolder folder;
  for (const bool allow_unnamed : {true, false}) {
    const std::string root = folder.path() + (allow_unnamed ? "/unnamed" : "/named");
    const auto store = internal::MakeLocalStore(root, allow_unnamed).value();
    ASSERT_TRUE(store->Put("a", AsBytes("1"), Precondition::IfAbsent()).ok());
    ASSERT_FALSE(store->Put("a", AsBytes("2"), Precondition::IfAbsent()).ok());
    ASSERT_TRUE(store->Put("a", AsBytes("3"), Precondition::None()).ok());
    ASSERT_FALSE(store->Put("a", AsBytes("4"), Precondition::IfMatch("x")).ok());
    {
      auto abandoned = store->OpenWriter("b", Precondition::None()).value();
    }
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root)) names.push_back(entry.path().filename());
    EXPECT_THAT(names, ElementsAre("a"));
  }
}

TEST(LocalStore, HidesAndRefusesTheNamesOfItsOwnFiles) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  std::ofstream(folder.path() + "/.tarn-tmp-leftover") << "x";
  EXPECT_THAT(Keys(*store), IsEmpty());
  EXPECT_EQ(store->Put("a/.tarn-tmp-1", {}, Precondition::None()).status().code(), StatusCode::kInvalidArgument);
}

TEST(LocalStore, WhatKilledWritersLeftIsRemovedOnceItIsOld) {
  const testing::TempFolder folder;
  const testing::TempFolder elsewhere;
  constexpr int64_t kThen = 1'700'000'000'000'000;
  const auto put = [&](const std::string& path, int64_t micros) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << "x";
    const timespec time = {micros / 1'000'000, micros % 1'000'000 * 1000};
    const timespec times[2] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  const std::string root = folder.path();
  for (const char* name : {"/.tarn-tmp-1", "/b/m/_delta_log/.tarn-tmp-2", "/_tarn/wal/node-0/0/.tarn-tmp-3"}) {
    put(root + name, kThen - 1);
  }
  for (const char* name : {"/.tarn-tmp-new", "/b/m/.tarn-tmp-new"}) put(root + name, kThen);
  put(root + "/b/m/part-0.parquet", 0);
  put(elsewhere.path() + "/.tarn-tmp-4", 0);
  fs::create_directory_symlink(elsewhere.path(), root + "/linked");
  fs::create_directory_symlink(root, root + "/b/up");
  fs::create_symlink(elsewhere.path() + "/.tarn-tmp-4", root + "/.tarn-tmp-link");
  fs::create_directory(root + "/.tarn-tmp-folder");
  std::atomic<bool> stop = true;
  EXPECT_EQ(RemoveStagedFiles(root, kThen, stop), 0);
  stop = false;
  EXPECT_EQ(RemoveStagedFiles(root, kThen, stop), 3);
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_directory() || entry.is_symlink()) left.push_back(entry.path().filename());
  }
  std::sort(left.begin(), left.end());
  EXPECT_THAT(left, ElementsAre(".tarn-tmp-link", ".tarn-tmp-new", ".tarn-tmp-new", "linked", "part-0.parquet", "up"));
  EXPECT_TRUE(fs::exists(elsewhere.path() + "/.tarn-tmp-4"));
  EXPECT_EQ(RemoveStagedFiles(root + "/nowhere", kThen, stop), 0);
}

TEST(LocalStore, FollowsLinksButNotInCircles) {
  const testing::TempFolder folder;
  const testing::TempFolder elsewhere;
  const auto store = OpenLocalStore(folder.path()).value();
  ASSERT_TRUE(store->Put("d/f", AsBytes("x"), Precondition::None()).ok());
  std::ofstream(elsewhere.path() + "/g") << "y";
  fs::create_directory_symlink(elsewhere.path(), folder.path() + "/linked");
  fs::create_directory_symlink(folder.path(), folder.path() + "/d/up");
  fs::create_symlink(folder.path() + "/nowhere", folder.path() + "/dangling");
  EXPECT_THAT(Keys(*store), ElementsAre("d/f", "linked/g"));
  EXPECT_EQ(store->Get("linked/g").value(), "y");
}

TEST(LocalStore, ListsWithoutLookingAtWhatIsNotWanted) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  ASSERT_TRUE(store->Put("log/1", {}, Precondition::None()).ok());
  ASSERT_TRUE(store->Put("log/3", {}, Precondition::None()).ok());
  // A pipe, a dangling link and an unreadable folder would each show if they were looked at.
  ASSERT_EQ(mkfifo((folder.path() + "/log/2").c_str(), 0600), 0);
  ASSERT_TRUE(store->Put("secret/x", {}, Precondition::None()).ok());
  fs::permissions(folder.path() + "/secret", fs::perms::none);
  EXPECT_THAT(Keys(*store, {.prefix = "log/", .start_after = "log/1"}), ElementsAre("log/3"));
  EXPECT_THAT(Keys(*store, {.prefix = "l"}), ElementsAre("log/1", "log/3"));
  EXPECT_EQ(store->Head("log/2").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store->Open("log/2").status().code(), StatusCode::kNotFound);
  fs::permissions(folder.path() + "/secret", fs::perms::owner_all);
}

TEST(LocalStore, GroupsByFolderAsIfClosedFoldersWereEmpty) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  ASSERT_TRUE(store->Put("a/closed/x", {}, Precondition::None()).ok());
  ASSERT_TRUE(store->Put("a/open/x", {}, Precondition::None()).ok());
  ASSERT_TRUE(store->Put("closed/x", {}, Precondition::None()).ok());
  fs::create_directory_symlink("self", folder.path() + "/self");
  for (const char* closed : {"/a/closed", "/closed"}) fs::permissions(folder.path() + closed, fs::perms::none);
  // Whoever may open everything sees it as it is.
  const bool sees_all = access((folder.path() + "/closed").c_str(), R_OK) == 0;
  const auto keys = Keys(*store, {.prefix = "", .start_after = {}, .group_by_folder = true});
  if (sees_all) {
    EXPECT_THAT(keys, ElementsAre("a/", "closed/"));
  } else {
    EXPECT_THAT(keys, ElementsAre("a/"));
  }
  EXPECT_THAT(Keys(*store, {.prefix = "self/"}), IsEmpty());
  for (const char* closed : {"/a/closed", "/closed"}) fs::permissions(folder.path() + closed, fs::perms::owner_all);
}

TEST(LocalStore, ErrorsOfReadingNameKeysOnly) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  fs::create_directories(folder.path() + "/a/folder");
  fs::create_symlink("self", folder.path() + "/a/self");
  for (const char* key : {"a/missing", "a/folder", "a/self"}) {
    for (const Status& status : {store->Head(key).status(), store->Open(key).status()}) {
      EXPECT_FALSE(status.ok()) << key;
      EXPECT_NE(status.message().find(key), std::string::npos) << status.message();
      EXPECT_EQ(status.message().find(folder.path()), std::string::npos) << status.message();
    }
  }
}

TEST(LocalStore, CannotPutBelowAFileOrOverAFolder) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  ASSERT_TRUE(store->Put("a/b", {}, Precondition::None()).ok());
  EXPECT_EQ(store->Put("a/b/c", {}, Precondition::None()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store->Put("a", {}, Precondition::None()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store->Put(std::string(300, 'x'), {}, Precondition::None()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenLocalStore(folder.path() + "/a/b").status().code(), StatusCode::kInvalidArgument);
}

TEST(LocalStore, SurvivesTheRemovalOfAFolderItKnows) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path()).value();
  ASSERT_TRUE(store->Put("a/b/1", {}, Precondition::None()).ok());
  fs::remove_all(folder.path() + "/a");
  EXPECT_TRUE(store->Put("a/b/2", {}, Precondition::None()).ok());
  EXPECT_THAT(Keys(*store), ElementsAre("a/b/2"));
}

TEST(LocalStore, SaysWhereItIs) {
  const testing::TempFolder folder;
  const auto store = OpenLocalStore(folder.path() + "/./x y%/").value();
  EXPECT_EQ(store->uri(), "file://" + folder.path() + "/x%20y%25");
  EXPECT_EQ(store->LocalPath("a/b").value(), folder.path() + "/x y%/a/b");
  ASSERT_TRUE(store->Put("k", AsBytes("v"), Precondition::None()).ok());
  EXPECT_EQ(OpenStore(store->uri()).value()->Get("k").value(), "v");
  EXPECT_EQ(MakePrefixStore(store, "p q")->uri(), store->uri() + "/p%20q");
  EXPECT_EQ(MakePrefixStore(store, "p")->LocalPath("k").value(), folder.path() + "/x y%/p/k");
}

TEST(OpenStore, TakesPathsAndTheSchemesItKnows) {
  const testing::TempFolder folder;
  EXPECT_EQ(OpenStore(folder.path()).value()->uri(), "file://" + folder.path());
  EXPECT_EQ(OpenStore("file://localhost" + folder.path()).value()->uri(), "file://" + folder.path());
  EXPECT_EQ(OpenStore("memory://").value()->uri(), "memory://");
  EXPECT_EQ(MakePrefixStore(OpenStore("memory://").value(), "a/b")->uri(), "memory://a/b");
  EXPECT_EQ(OpenStore("s3a://bucket/x%20y//").value()->uri(), "s3://bucket/x%20y");
  EXPECT_EQ(OpenStore("s3://bucket").value()->uri(), "s3://bucket");
  EXPECT_EQ(OpenStore("https://host:1/x/").value()->uri(), "https://host:1/x");
  EXPECT_EQ(OpenStore("gs://bucket/x").status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(OpenStore("s3:///x").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStore("s3://bucket/a/../b").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStore("file://host/x").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStore("memory://x").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStore("").status().code(), StatusCode::kInvalidArgument);
}

TEST(OpenStore, KnowsWhatIsNotOnTheLocalDisk) {
  for (const char* uri : {"s3://b/t", "https://h/t", "memory://"}) EXPECT_TRUE(IsRemoteUri(uri)) << uri;
  for (const char* uri : {"/a", "./s3", "file:///a"}) EXPECT_FALSE(IsRemoteUri(uri)) << uri;
}

TEST(ErrnoStatus, TellsFaultsApart) {
  const std::pair<int, StatusCode> expected[] = {{ENOENT, StatusCode::kNotFound},
                                                 {EEXIST, StatusCode::kAlreadyExists},
                                                 {EACCES, StatusCode::kPermissionDenied},
                                                 {EROFS, StatusCode::kPermissionDenied},
                                                 {ENOSPC, StatusCode::kResourceExhausted},
                                                 {EDQUOT, StatusCode::kResourceExhausted},
                                                 {ENAMETOOLONG, StatusCode::kInvalidArgument},
                                                 {EIO, StatusCode::kUnavailable},
                                                 {EMFILE, StatusCode::kUnavailable}};
  for (const auto& [error, code] : expected) EXPECT_EQ(internal::ErrnoStatus(error, "x", "y").code(), code) << error;
}

TEST(LocalStore, AFullDiskIsResourceExhaustedAndNothingIsThere) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full, the device whose writes find no space";
  const auto full = internal::OpenFd("/dev/full", O_WRONLY).value();
  EXPECT_EQ(internal::WriteAll(full.get(), AsBytes("x"), "k").code(), StatusCode::kResourceExhausted);
  const ByteSpan piece = AsBytes("x");
  EXPECT_EQ(internal::WritePieces(full.get(), {&piece, 1}, "k").code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tarn::storage
