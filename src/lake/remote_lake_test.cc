#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "lake/lake.h"
#include "lake/testing/lake_world.h"
#include "storage/proven_store.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"
#include "storage/testing/temp_folder.h"

namespace tarn::lake {
namespace {

using storage::testing::FakeReply;
using storage::testing::FakeRequest;
using storage::testing::FakeS3;
using storage::testing::FaultMode;
using storage::testing::TempFolder;
using ::testing::AllOf;
using testing::AppendIds;
using testing::CommittedIdsOf;
using ::testing::HasSubstr;
using testing::Ids;
using testing::IdsIn;
using ::testing::IsEmpty;
using testing::kTable;
using testing::LakeWorld;
using testing::MustOpen;
using testing::RejectedIds;
using ::testing::SizeIs;

/// Lakes that are not on the disk, at "memory://<place>", with their logs below one folder that is.
class RemoteLakeTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Lake>> Open(const std::string& place, bool read_only = false) {
    auto options = world_.Options();
    options.store = storage::MakePrefixStore(options.store, place);
    options.wal_root = folder_.path() + "/wal";
    options.read_only = read_only;
    return Lake::Open(options);
  }
  /// All folders of lakes that have logs here.
  std::vector<std::string> LogFolders() const {
    std::vector<std::string> names;
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() + "/wal", missing)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  /// Everything below one place stands below another, too.
  void Copy(const std::string& from, const std::string& to) {
    const auto entries = *world_.store->ListAll({.prefix = from + "/"});
    for (const auto& entry : entries) {
      const std::string& key = entry.object.key;
      ASSERT_OK(world_.store->Put(to + key.substr(from.size()), AsBytes(*world_.store->Get(key)),
                                  storage::Precondition::None()));
    }
  }

  TempFolder folder_;
  LakeWorld world_;
};

TEST_F(RemoteLakeTest, EachLakeHasItsOwnLogsByItsId) {
  auto one = std::move(*Open("one"));
  auto two = std::move(*Open("two"));
  ASSERT_OK(AppendIds(*one, {1}));
  ASSERT_OK(AppendIds(*two, {2}));
  one.reset();
  two.reset();
  EXPECT_THAT(LogFolders(), SizeIs(2));
  two = std::move(*Open("two"));
  EXPECT_EQ(IdsIn(*two, kTable), Ids{2});
  one = std::move(*Open("one"));
  EXPECT_EQ(IdsIn(*one, kTable), Ids{1});
  ASSERT_OK(one->FlushAll());
  EXPECT_EQ(CommittedIdsOf(**one->Pin(kTable, std::nullopt)), Ids{1});
  EXPECT_THAT(LogFolders(), SizeIs(2));
}

TEST_F(RemoteLakeTest, ReadingShowsWhatADeadServerOfThisMachineLeft) {
  EXPECT_THAT((*Open("one", true))->ListDatabases().value(), IsEmpty());
  EXPECT_THAT(LogFolders(), IsEmpty()) << "reading makes nothing";
  auto lake = std::move(*Open("one"));
  ASSERT_OK(AppendIds(*lake, {1}));
  EXPECT_EQ((*Open("one", true))->stats().foreign_live_wals, 1);
  lake.reset();
  EXPECT_EQ(IdsIn(**Open("one", true), kTable), Ids{1});
}

TEST_F(RemoteLakeTest, ACopyDoesNotGetTheRowsOfItsOriginal) {
  auto lake = std::move(*Open("one"));
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  ASSERT_OK(AppendIds(*lake, {2}));
  lake.reset();
  Copy("one", "copy");
  const auto refused = Open("copy");
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr("are those of memory://one, and memory://copy has the"),
                                                HasSubstr(folder_.path()), HasSubstr("lake-uri'")));
  EXPECT_EQ(IdsIn(**Open("copy", true), kTable), Ids{1});
  EXPECT_EQ(IdsIn(**Open("one"), kTable), (Ids{1, 2}));
  // It was moved.
  std::filesystem::remove(folder_.path() + "/wal/" + LogFolders().front() + "/lake-uri");
  EXPECT_EQ(IdsIn(**Open("copy"), kTable), (Ids{1, 2}));
}

TEST_F(RemoteLakeTest, KeysAreNoFoldersOfThisMachine) {
  auto lake = std::move(*Open("one"));
  ASSERT_OK(AppendIds(*lake, {1}));
  ASSERT_OK(lake->FlushAll());
  Copy("one/db/cpu", "one/db/CPU");
  // Where the process runs, one folder has both names.
  std::filesystem::create_directories(folder_.path() + "/run/db/cpu");
  std::filesystem::create_directory_symlink("cpu", folder_.path() + "/run/db/CPU");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path() + "/run");
  lake = std::move(*Open("one"));
  EXPECT_EQ(IdsIn(*lake, {"db", "CPU"}), Ids{1});
  ASSERT_OK(AppendIds(*lake, {2}));
  EXPECT_EQ(IdsIn(*lake, kTable), (Ids{1, 2}));
  EXPECT_EQ(IdsIn(*lake, {"db", "CPU"}), Ids{1});
  lake.reset();
  std::filesystem::current_path(before);
}

TEST_F(RemoteLakeTest, AStoreThatCannotDecideIsRefusedBeforeARowIsAcknowledged) {
  const FakeS3 server(FakeS3::Habits{.ignores_preconditions = true});
  auto options = world_.Options();
  options.store = storage::MakeProvenStore(server.MakeStore(), world_.random);
  options.wal_root = folder_.path() + "/wal";
  for (const bool is_there : {false, true}) {
    const auto opened = Lake::Open(options);
    EXPECT_EQ(opened.status().code(), StatusCode::kUnsupported) << is_there;
    EXPECT_THAT(opened.status().message(), HasSubstr("s3://bucket cannot be committed to"));
    EXPECT_THAT(LogFolders(), IsEmpty());
    // A lake that was made on another store and copied here.
    const std::string identity = R"({"format_version": 1, "id": "f00"})";
    ASSERT_OK(options.store->Put("_tarn/lake.json", AsBytes(identity), storage::Precondition::None()));
  }
  options.read_only = true;
  EXPECT_TRUE(Lake::Open(options).ok());
}

TEST_F(RemoteLakeTest, AnOutageOfWhateverKindLosesAndDoublesNothing) {
  auto lake = std::move(*Open("one"));
  ASSERT_OK(AppendIds(*lake, {0}));
  ASSERT_OK(lake->FlushAll());
  Ids all = {0};
  int64_t id = 0;
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kPermissionDenied, StatusCode::kUnauthenticated,
                                StatusCode::kNotFound, StatusCode::kIndeterminate, StatusCode::kInternal}) {
    world_.faults->Arm({.nth = 1, .mode = FaultMode::kForever, .code = code});
    for (int i = 0; i < 2; ++i) {
      ASSERT_OK(AppendIds(*lake, {++id}));
      all.insert(id);
      EXPECT_FALSE(lake->FlushAll().ok()) << StatusCodeName(code);
    }
    if (code == StatusCode::kPermissionDenied) {
      // A restart is no way out and no loss either.
      lake.reset();
      EXPECT_EQ(Open("one").status().code(), code);
    }
    world_.faults->Disarm();
    if (lake == nullptr) lake = std::move(*Open("one"));
    EXPECT_EQ(IdsIn(*lake, kTable), all) << StatusCodeName(code);
    ASSERT_OK(lake->FlushAll());
    EXPECT_EQ(CommittedIdsOf(**lake->Pin(kTable, std::nullopt)), all) << StatusCodeName(code);
  }
  EXPECT_EQ(lake->stats().rows_rejected, 0);
}

TEST_F(RemoteLakeTest, WhateverS3AnswersRowsAreThereOnce) {
  FakeS3 server;
  auto options = world_.Options();
  options.store = storage::MakeProvenStore(server.MakeStore(), world_.random);
  options.wal_root = folder_.path() + "/wal";
  auto lake = std::move(*Lake::Open(options));
  // More in a row than are sent again.
  constexpr int kFaults = 7;
  constexpr int kRequests = 16;
  struct Fault {
    std::string name;
    FakeReply reply;
    bool is_done = false;
  };
  const Fault faults[] = {{"busy", FakeS3::Error(503, "SlowDown")},
                          {"failed", FakeS3::Error(500, "InternalError")},
                          {"garbled", FakeS3::Error(400, "BadDigest")},
                          {"denied", FakeS3::Error(403, "AccessDenied")},
                          {"unsent", {.drop = true}},
                          {"unanswered", {.drop = true}, true}};
  for (const Fault& fault : faults) {
    for (int first = 1; first <= kRequests; ++first) {
      const TableName name = {"db", fault.name + std::to_string(first)};
      // A request of the round before may still be under way.
      const auto requests = std::make_shared<std::atomic<int>>(0);
      const auto meddle = [requests, first, &fault](const FakeRequest&) -> std::optional<FakeReply> {
        const int request = ++*requests;
        if (request < first || request >= first + kFaults) return std::nullopt;
        return fault.reply;
      };
      fault.is_done ? server.AnswerAfter(meddle) : server.AnswerInstead(meddle);
      Ids all;
      for (const int64_t id : {1, 2}) {
        if (AppendIds(*lake, {id}, 0, name).ok()) all.insert(id);
        (void)lake->FlushAll();
      }
      server.AnswerInstead(nullptr);
      server.AnswerAfter(nullptr);
      ASSERT_OK(AppendIds(*lake, {3}, 0, name));
      all.insert(3);
      EXPECT_EQ(IdsIn(*lake, name), all) << name.ToString();
      ASSERT_OK(lake->FlushAll());
      EXPECT_EQ(CommittedIdsOf(**lake->Pin(name, std::nullopt)), all) << name.ToString();
    }
  }
  EXPECT_EQ(lake->stats().rows_rejected, 0);
}

}  // namespace
}  // namespace tarn::lake
