#include "lake/table_directory.h"

#include <gtest/gtest.h>

#include <map>

#include "lake/testing/lake_world.h"
#include "storage/stores.h"

namespace tarn::lake {
namespace {

using testing::AppendIds;
using testing::Ids;
using testing::IdsIn;
using testing::LakeWorld;
using testing::MakeRows;
using testing::MustOpen;

/// Counts how often the folders below a key are listed, and lets time pass with every operation.
class ListingCounter final : public storage::ObjectStore {
 public:
  ListingCounter(std::shared_ptr<storage::ObjectStore> inner, FakeClock& clock)
      : inner_(std::move(inner)), clock_(clock) {}

  Status List(const storage::ListOptions& options,
              const std::function<bool(const storage::ListEntry&)>& visit) override {
    if (options.group_by_folder) ++listings[options.prefix];
    clock_.Advance(micros_per_listing);
    return inner_->List(options, visit);
  }
  Result<storage::ObjectInfo> Head(std::string_view key) override { return inner_->Head(key); }
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key) override {
    ++opened[std::string(key)];
    return inner_->Open(key);
  }
  Result<storage::ObjectInfo> Put(std::string_view key, ByteSpan bytes,
                                  const storage::Precondition& precondition) override {
    return inner_->Put(key, bytes, precondition);
  }
  Result<std::unique_ptr<storage::ObjectWriter>> OpenWriter(std::string_view key,
                                                            const storage::Precondition& precondition) override {
    return inner_->OpenWriter(key, precondition);
  }
  Status Delete(std::string_view key) override { return inner_->Delete(key); }
  std::string uri() const override { return inner_->uri(); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return inner_->LocalPath(key); }

  std::map<std::string, int> listings;
  std::map<std::string, int> opened;
  int64_t micros_per_listing = 10 * kMicrosPerMilli;

 private:
  const std::shared_ptr<storage::ObjectStore> inner_;
  FakeClock& clock_;
};

constexpr int kNewTables = 200;

struct CountedLake {
  CountedLake() : counter(std::make_shared<ListingCounter>(world.store, world.clock)) {
    options.store = counter;
    auto lake = MustOpen(world);
    EXPECT_TRUE(AppendIds(*lake, {1}, 0, {"db", "old"}).ok());
    EXPECT_TRUE(lake->FlushAll().ok());
  }

  static TableName NewTable(int i) { return {"db", "t" + std::to_string(i)}; }

  LakeWorld world;
  std::shared_ptr<ListingCounter> counter;
  LakeOptions options = world.Options();
};

TEST(TableDirectory, ListsADatabaseOnceForAllNewTablesOfAnAppend) {
  CountedLake counted;
  auto lake = counted.world.Open(counted.options).value();
  std::vector<TableBatch> batches;
  for (int i = 0; i < kNewTables; ++i) batches.push_back({CountedLake::NewTable(i), MakeRows({.ids = {i}})});
  ASSERT_OK(lake->Append(std::move(batches)));
  EXPECT_EQ(counted.counter->listings[""], 1);
  EXPECT_EQ(counted.counter->listings["db/"], 1);
}

TEST(TableDirectory, ListsADatabaseOnceForAllNewTablesOfAReplay) {
  CountedLake counted;
  auto lake = MustOpen(counted.world);
  for (int i = 0; i < kNewTables; ++i) ASSERT_OK(AppendIds(*lake, {i}, 0, CountedLake::NewTable(i)));
  lake.reset();
  counted.world.nodes.KillProcess();

  lake = counted.world.Open(counted.options).value();
  EXPECT_EQ(counted.counter->listings[""], 1);
  EXPECT_EQ(counted.counter->listings["db/"], 1);
  for (int i = 0; i < kNewTables; ++i) EXPECT_EQ(IdsIn(*lake, CountedLake::NewTable(i)), Ids{i});
}

TEST(TableDirectory, LooksForTheExactNameWithoutAListing) {
  CountedLake counted;
  auto lake = counted.world.Open(counted.options).value();
  EXPECT_EQ(IdsIn(*lake, {"db", "old"}), Ids{1});
  EXPECT_EQ(counted.counter->listings[""], 0);
  EXPECT_EQ(counted.counter->listings["db/"], 0);
}

TEST(TableDirectory, ANewAppendSeesTheNamesThatOthersBeganMeanwhile) {
  CountedLake counted;
  auto lake = counted.world.Open(counted.options).value();
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"db", "mine"}));
  auto other = MustOpen(counted.world);
  ASSERT_OK(AppendIds(*other, {2}, 0, {"db", "Theirs"}));
  ASSERT_OK(other->FlushAll());
  counted.world.clock.Advance(1);
  EXPECT_EQ(AppendIds(*lake, {3}, 0, {"db", "theirs"}).code(), StatusCode::kInvalidArgument);
}

TEST(TableDirectory, ADatabaseThatAnotherWriterBeganIsLookedForAnewButNotAllTheTime) {
  CountedLake counted;
  counted.counter->micros_per_listing = 0;
  auto lake = counted.world.Open(counted.options).value();
  EXPECT_EQ(lake->ListDatabases().value(), std::vector<std::string>{"db"});
  auto other = MustOpen(counted.world);
  ASSERT_OK(AppendIds(*other, {1}, 0, {"fresh", "t"}));
  ASSERT_OK(other->FlushAll());

  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(lake->ListTables("fresh").value().size(), 0u) << "listed a moment ago";
  }
  EXPECT_EQ(counted.counter->listings[""], 1);
  counted.world.clock.Advance(101 * kMicrosPerMilli);
  EXPECT_EQ(lake->ListTables("fresh").value(), std::vector<std::string>{"t"});
  EXPECT_EQ(lake->ListDatabases().value(), (std::vector<std::string>{"db", "fresh"}));
  EXPECT_EQ(counted.counter->listings[""], 2);
  EXPECT_EQ(IdsIn(*lake, {"FRESH", "T"}), Ids{1});
}

TEST(TableDirectory, TablesInReservedFoldersAreListedWithTheReason) {
  CountedLake counted;
  const std::string commit = "/_delta_log/00000000000000000000.json";
  for (const char* folder : {"main/a", "Temp/b", "system/empty/deeper", "pg_catalog/c", "_tarn/d"}) {
    ASSERT_OK(counted.world.store->Put(folder + commit, AsBytes("{}\n"), storage::Precondition::None()));
  }
  auto lake = counted.world.Open(counted.options).value();
  const auto tables = lake->ListTableStatus().value();
  std::vector<std::string> names;
  for (const TableStatus& table : tables) names.push_back(table.name.ToString());
  EXPECT_EQ(names, (std::vector<std::string>{"db.old", "main.a", "pg_catalog.c", "Temp.b"}));
  EXPECT_EQ(tables[1].readable.ToString(), "InvalidArgument: rename the folder: database name 'main' is reserved");
  EXPECT_EQ(tables[1].version, -1);
  EXPECT_EQ(lake->ListDatabases().value(), std::vector<std::string>{"db"});
  EXPECT_TRUE(lake->ListTables("main").value().empty());
  EXPECT_EQ(lake->Pin({"main", "a"}, std::nullopt).status().code(), StatusCode::kNotFound);
}

TEST(TableDirectory, ATableWithoutACommitHasNoVersions) {
  CountedLake counted;
  auto lake = counted.world.Open(counted.options).value();
  ASSERT_OK(AppendIds(*lake, {1}, 0, {"db", "new"}));
  const auto version = [&](const std::string& table, int64_t at) {
    return lake->Pin({"db", table}, AsOf{.version = at, .timestamp_micros = {}, .changes = {}}).status().ToString();
  };
  EXPECT_EQ(version("new", 0), "NotFound: table db.new has no version yet: no row of it is committed so far");
  EXPECT_EQ(version("old", 0), "OK");
  EXPECT_NE(version("old", 9).find("before version 9"), std::string::npos) << version("old", 9);
  ASSERT_OK(lake->FlushAll());
  EXPECT_EQ(version("new", 0), "OK");
}

TEST(TableDirectory, ADamagedLogThatTakesLongIsNotReadAtEachListing) {
  CountedLake counted;
  const std::string broken = "db/old/_delta_log/00000000000000000001.json";
  ASSERT_OK(counted.world.store->Put(broken, AsBytes("no JSON\n"), storage::Precondition::None()));
  auto lake = counted.world.Open(counted.options).value();
  counted.counter->micros_per_listing = kMicrosPerSecond;
  const auto readable = [&lake] { return lake->ListTableStatus().value().at(0).readable.code(); };
  EXPECT_EQ(readable(), StatusCode::kCorruption);
  const int opened = counted.counter->opened[broken];
  EXPECT_GT(opened, 0);
  EXPECT_EQ(readable(), StatusCode::kCorruption);
  EXPECT_EQ(lake->Pin({"db", "old"}, std::nullopt).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(counted.counter->opened[broken], opened);
  ASSERT_OK(counted.world.store->Delete(broken));
  counted.world.clock.Advance(60 * kMicrosPerSecond);
  EXPECT_EQ(readable(), StatusCode::kOk);
}

}  // namespace
}  // namespace tarn::lake
