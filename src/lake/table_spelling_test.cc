#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lake/lake.h"
#include "lake/testing/lake_world.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::lake {
namespace {

namespace fs = std::filesystem;
using testing::AppendIds;
using testing::Ids;
using testing::IdsIn;
using testing::LakeWorld;
using testing::MustOpen;
using Strings = std::vector<std::string>;

const TableName kUpper = {"Home", "Room"};
const TableName kLower = {"home", "room"};
const TableName kMixed = {"home", "Room"};

/// Two servers that begin tables at once, neither of which sees the other's.
void AppendUnseen(LakeWorld& world, const TableName& one, const TableName& two) {
  auto first = MustOpen(world);
  auto second = MustOpen(world);
  ASSERT_OK(AppendIds(*first, {1}, 0, one));
  ASSERT_OK(AppendIds(*second, {2}, 0, two));
  ASSERT_OK(first->FlushAll());
  ASSERT_OK(second->FlushAll());
}

void CopyFolder(storage::ObjectStore& store, const std::string& from, const std::string& to) {
  Strings keys;
  ASSERT_OK(store.List({.prefix = from + "/", .start_after = {}, .group_by_folder = false},
                       [&](const storage::ListEntry& entry) {
                         keys.push_back(entry.object.key);
                         return true;
                       }));
  for (const std::string& key : keys) {
    const std::string bytes = store.Get(key).value();
    ASSERT_OK(store.Put(to + key.substr(from.size()), AsBytes(bytes), storage::Precondition::None()));
  }
}

Status WhyNot(Lake& lake, const TableName& name) { return lake.Pin(name, std::nullopt).status(); }

TEST(TableSpelling, TablesThatDifferOnlyInCaseAreFoundAsSpelled) {
  LakeWorld world;
  AppendUnseen(world, kLower, kMixed);
  // Whichever is asked for first.
  for (const bool lower_first : {true, false}) {
    auto lake = MustOpen(world);
    const TableName& first = lower_first ? kLower : kMixed;
    EXPECT_EQ(IdsIn(*lake, first).size(), 1u);
    EXPECT_EQ(IdsIn(*lake, kMixed), Ids{2});
    EXPECT_EQ(IdsIn(*lake, kLower), Ids{1});
    const Status ambiguous = WhyNot(*lake, {"home", "ROOM"});
    EXPECT_EQ(ambiguous.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(ambiguous.message().find("'home/Room' and 'home/room'"), std::string::npos) << ambiguous.message();
    EXPECT_EQ(lake->ListTables("home").value(), (Strings{"Room", "room"}));
    EXPECT_EQ(lake->ListTableStatus().value().size(), 2u);
  }
}

TEST(TableSpelling, DatabasesThatDifferOnlyInCaseAreFoundAsSpelled) {
  LakeWorld world;
  AppendUnseen(world, kUpper, kLower);
  auto lake = MustOpen(world);
  EXPECT_EQ(lake->ListDatabases().value(), (Strings{"Home", "home"}));
  EXPECT_EQ(lake->ListTables("Home").value(), Strings{"Room"});
  EXPECT_EQ(lake->ListTables("home").value(), Strings{"room"});
  EXPECT_EQ(IdsIn(*lake, kUpper), Ids{1});
  EXPECT_EQ(IdsIn(*lake, kMixed), Ids{2}) << "in the database as spelled";
  const Status ambiguous = WhyNot(*lake, {"HOME", "room"});
  EXPECT_EQ(ambiguous.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(ambiguous.message().find("'Home' and 'home'"), std::string::npos) << ambiguous.message();
  EXPECT_EQ(lake->ListTables("HOME").status().code(), StatusCode::kInvalidArgument);
}

TEST(TableSpelling, RowsGoToTheTableAsSpelledAndAreRefusedInAnotherCase) {
  LakeWorld world;
  AppendUnseen(world, kUpper, kLower);
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {3}, 0, kUpper));
  ASSERT_OK(AppendIds(*lake, {4}, 0, kLower));
  ASSERT_OK(AppendIds(*lake, {5}, 0, {"home", "other"}));
  for (const TableName& name : {kMixed, TableName{"HOME", "room"}, TableName{"HOME", "new"}}) {
    EXPECT_EQ(AppendIds(*lake, {6}, 0, name).code(), StatusCode::kInvalidArgument) << name.ToString();
  }
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  lake = MustOpen(world);
  EXPECT_EQ(IdsIn(*lake, kUpper), (Ids{1, 3}));
  EXPECT_EQ(IdsIn(*lake, kLower), (Ids{2, 4}));
}

TEST(TableSpelling, AcknowledgedRowsAreReplayedWhateverSpellingsThereAreByThen) {
  LakeWorld world;
  auto lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"home", "new"}));
  ASSERT_OK(AppendIds(*lake, {2}, 0, kLower));
  lake.reset();
  world.nodes.KillProcess();
  const auto saved = world.nodes.Backup("node-0");
  world.nodes.Delete("node-0");
  lake = MustOpen(world);
  ASSERT_OK(AppendIds(*lake, {3}, 0, kUpper));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  world.nodes.Restore("node-0", saved);

  for (int opened = 0; opened < 2; ++opened) {
    lake = MustOpen(world);
    ASSERT_NE(lake, nullptr);
    EXPECT_EQ(IdsIn(*lake, {"home", "new"}), Ids{1});
    EXPECT_EQ(IdsIn(*lake, kLower), Ids{2});
    EXPECT_EQ(IdsIn(*lake, kUpper), Ids{3});
    ASSERT_OK(lake->FlushAll());
  }
}

TEST(TableSpelling, AnAppendThatFailedDoesNotSettleTheSpelling) {
  LakeWorld world;
  // Asked for until the lake is closed.
  bool fails = true;
  auto lake = MustOpen(world);
  lake.reset();
  world.at_point = [&fails](std::string_view at) {
    return fails && at == "before-wal-append" ? Status::Unavailable("no disk") : Status::Ok();
  };
  lake = MustOpen(world);
  EXPECT_EQ(AppendIds(*lake, {1}, 0, kUpper).code(), StatusCode::kUnavailable);
  fails = false;
  ASSERT_OK(AppendIds(*lake, {2}, 0, kLower));
  EXPECT_EQ(AppendIds(*lake, {3}, 0, kUpper).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(IdsIn(*lake, kUpper), Ids{2}) << "the only one there is";
}

TEST(TableSpelling, OfTwoEncodingsTheCanonicalOneIsTheTable) {
  LakeWorld world;
  auto lake = MustOpen(world);
  const TableName name = {"db", "sp ace"};
  ASSERT_OK(AppendIds(*lake, {1}, 0, name));
  ASSERT_OK(lake->FlushAll());
  CopyFolder(*world.store, "db/sp%20ace", "db/sp ace");
  ASSERT_OK(AppendIds(*lake, {2}, 0, name));
  ASSERT_OK(lake->FlushAll());
  CopyFolder(*world.store, "db/sp ace", "db/other one");
  lake.reset();
  lake = MustOpen(world);
  EXPECT_EQ(lake->ListTables("db").value(), (Strings{"other one", "sp ace"}));
  EXPECT_EQ(IdsIn(*lake, name), (Ids{1, 2}));
  EXPECT_EQ(IdsIn(*lake, {"DB", "SP ACE"}), (Ids{1, 2}));
  EXPECT_EQ(IdsIn(*lake, {"db", "other one"}), Ids{1}) << "alone, any encoding serves";
}

/// A lake in a folder, for what only a file system has.
struct FolderLake {
  FolderLake() { options.store = storage::OpenLocalStore(folder.path()).value(); }
  std::unique_ptr<Lake> Open() { return world.Open(options).value(); }

  storage::testing::TempFolder folder;
  LakeWorld world;
  LakeOptions options = world.Options();
};

TEST(TableSpelling, ALinkGivesOneTableTwoNames) {
  FolderLake on_disk;
  auto lake = on_disk.Open();
  ASSERT_OK(AppendIds(*lake, {1}, 0, kLower));
  ASSERT_OK(lake->FlushAll());
  fs::create_directory_symlink("home", on_disk.folder.path() + "/linked");
  on_disk.world.clock.Advance(2 * kMicrosPerSecond);
  const TableName linked = {"linked", "room"};
  for (int64_t round = 0; round < 2; ++round) {
    // Had each its own buffer, what one commits would count as held by the other's rows.
    ASSERT_OK(AppendIds(*lake, {2}, 0, linked));
    ASSERT_OK(AppendIds(*lake, {3}, 0, kLower));
    EXPECT_EQ(IdsIn(*lake, kLower), IdsIn(*lake, linked));
    ASSERT_OK(lake->FlushAll());
    lake.reset();
    lake = on_disk.Open();
  }
  EXPECT_EQ(IdsIn(*lake, kLower), (Ids{1, 2, 2, 3, 3}));
  EXPECT_EQ(IdsIn(*lake, linked), (Ids{1, 2, 2, 3, 3}));
  EXPECT_EQ(lake->ListDatabases().value(), (Strings{"home", "linked"}));
  EXPECT_EQ(lake->ListTables("linked").value(), Strings{"room"});
}

TEST(TableSpelling, LinksToNowhereAndInCirclesAndClosedFoldersHideNothingElse) {
  FolderLake on_disk;
  auto lake = on_disk.Open();
  ASSERT_OK(AppendIds(*lake, {1}, 0, kLower));
  ASSERT_OK(lake->FlushAll());
  lake.reset();
  const fs::path root = on_disk.folder.path();
  for (const fs::path& parent : {root, root / "home"}) {
    fs::create_directory_symlink("nowhere", parent / "dangling");
    fs::create_directory_symlink("self", parent / "self");
    fs::create_directory_symlink(".", parent / "loop");
    fs::create_directory_symlink("..", parent / "up");
    fs::create_directories(parent / "lost+found");
    fs::permissions(parent / "lost+found", fs::perms::none);
  }
  lake = on_disk.Open();
  EXPECT_EQ(lake->ListTables("home").value(), Strings{"room"});
  EXPECT_EQ(IdsIn(*lake, {"HOME", "ROOM"}), Ids{1});
  for (const std::string database : {"dangling", "self", "loop", "nowhere"}) {
    EXPECT_EQ(WhyNot(*lake, {database, "room"}).code(), StatusCode::kNotFound) << database;
  }
}

}  // namespace
}  // namespace tarn::lake
