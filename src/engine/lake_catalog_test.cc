#include "engine/lake_catalog.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "base/clock.h"
#include "base/executor.h"
#include "engine/testing/scan_database.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::engine {
namespace {

using testing::FakeSnapshot;
using testing::ScanDatabase;
using testing::TableBuilder;
using Strings = std::vector<std::string>;

class LakeCatalogTest : public ::testing::Test {
 protected:
  std::shared_ptr<arrow::RecordBatch> Rows(int64_t from, int64_t to) {
    return database_.Batch(
        "select range::bigint as id, 'n' || range as name, 'p' || (range // 1000) as part from range(" +
        std::to_string(from) + "," + std::to_string(to) + ")");
  }
  TableBuilder Builder(const std::string& database, const std::string& table,
                       std::shared_ptr<storage::ObjectStore> store = storage::MakeMemoryStore(SystemClock())) {
    return TableBuilder({database, table}, std::move(store), Rows(0, 1)->schema(), {"part"});
  }
  void AddTable(const std::string& database, const std::string& table, int64_t rows) {
    TableBuilder builder = Builder(database, table);
    builder.AddFile(Rows(0, rows));
    database_.catalog.Set(builder.View());
  }

  ScanDatabase database_;
};

TEST_F(LakeCatalogTest, ADatabaseThatIsNotListedYetIsLookedFor) {
  AddTable("fresh", "t", 10);
  database_.catalog.BeginUnlisted("fresh");
  EXPECT_EQ(database_.Rows("select count(*) from Fresh.t"), Strings{"10"});
}

TEST_F(LakeCatalogTest, ListsAndDescribes) {
  AddTable("metrics", "cpu", 10);
  AddTable("metrics", "Disk", 10);
  AddTable("Other", "t", 10);
  EXPECT_EQ(database_.Rows("show tables from metrics"), (Strings{"Disk", "cpu"}));
  EXPECT_EQ(database_.Rows("select column_name, column_type from (describe METRICS.CPU)"),
            (Strings{"id|BIGINT", "name|VARCHAR", "part|VARCHAR"}));
  EXPECT_EQ(
      database_.Rows("select table_schema, table_name from information_schema.tables where table_catalog = 'lake' "
                     "order by all"),
      (Strings{"Other|t", "metrics|Disk", "metrics|cpu"}));
  EXPECT_EQ(database_.Rows("select count(*) from information_schema.columns where table_name = 'cpu'"), Strings{"3"});
  EXPECT_EQ(database_.Rows("select count(*) from other.T"), Strings{"10"});
  EXPECT_EQ(database_.Rows("select count(*) from lake.metrics.disk"), Strings{"10"});
}

TEST_F(LakeCatalogTest, ATableThatCannotBeReadIsListedWithTheReason) {
  AddTable("db", "good", 10);
  database_.catalog.SetError({"db", "bad"}, Status::Unsupported("feature x"));
  EXPECT_EQ(database_.Rows("select table_name, comment from duckdb_tables() where database_name = 'lake' order by 1"),
            (Strings{"bad|cannot be read: Unsupported: feature x", "good|NULL"}));
  Status used = database_.Run("select * from db.bad");
  EXPECT_EQ(used.code(), StatusCode::kUnsupported);
  EXPECT_EQ(used.message(), "feature x");
}

TEST_F(LakeCatalogTest, UnknownNames) {
  AddTable("db", "cpu_usage", 10);
  EXPECT_EQ(database_.Run("select * from db.cpu_usag").code(), StatusCode::kNotFound);
  EXPECT_EQ(database_.catalog.pins(), 0) << "suggestions must not open tables";
  EXPECT_EQ(database_.Run("select * from nodb.t").code(), StatusCode::kNotFound);
  EXPECT_EQ(database_.Run("select * from t").code(), StatusCode::kNotFound);
}

TEST_F(LakeCatalogTest, DatabasesNamedLikeAttachedOnes) {
  AddTable("memory", "t", 3);
  AddTable("lake", "t", 4);
  EXPECT_EQ(database_.Rows("select count(*) from memory.t"), Strings{"3"});
  EXPECT_EQ(database_.Rows("select count(*) from lake.t"), Strings{"4"});
  EXPECT_EQ(database_.Run("select count(*) from memory.missing").code(), StatusCode::kNotFound);
}

class CountingTable final : public SystemTable {
 public:
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  Result<std::shared_ptr<arrow::RecordBatch>> Read() override {
    if (!error.ok()) return error;
    reads++;
    arrow::Int64Builder numbers;
    arrow::StringBuilder texts;
    for (int64_t i = 0; i < 5000; i++) {
      EXPECT_TRUE(numbers.Append(i).ok());
      EXPECT_TRUE((i % 2 == 0 ? texts.Append("a text longer than twelve") : texts.AppendNull()).ok());
    }
    return arrow::RecordBatch::Make(schema_, 5000, {*numbers.Finish(), *texts.Finish()});
  }
  int reads = 0;
  Status error;

 private:
  std::shared_ptr<arrow::Schema> schema_ =
      arrow::schema({arrow::field("number", arrow::int64()), arrow::field("text", arrow::utf8())});
};

TEST_F(LakeCatalogTest, SystemTables) {
  auto table = std::make_shared<CountingTable>();
  ASSERT_TRUE(database_.system_tables->Add("Queries", table).ok());
  EXPECT_EQ(database_.system_tables->Add("queries", table).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(database_.Rows("select count(*), sum(number), count(text) from system.queries"),
            Strings{"5000|12497500|2500"});
  EXPECT_EQ(database_.Rows("select text, number from system.QUERIES where number = 4998"),
            Strings{"a text longer than twelve|4998"});
  EXPECT_EQ(database_.Rows("select count(*) from system.queries a join system.queries b using (number)"),
            Strings{"5000"});
  EXPECT_EQ(table->reads, 4);
  EXPECT_EQ(database_.Rows("select column_name from (describe system.queries)"), (Strings{"number", "text"}));
  EXPECT_EQ(database_.Run("select * from system.nothing").code(), StatusCode::kNotFound);
  table->error = Status::Unavailable("not now");
  EXPECT_EQ(database_.Run("select * from system.queries").ToString(), "Unavailable: not now");
}

TEST_F(LakeCatalogTest, HistoryIsReadByVersionAndTime) {
  TableBuilder builder = Builder("db", "t");
  for (int64_t version = 1; version <= 3; version++) {
    builder.SetVersion(version);
    builder.AddFile(Rows(version * 1000, version * 1000 + 10));
    database_.catalog.SetHistory(version, builder.View());
  }
  builder.AddSegment({Rows(9000, 9001)});
  database_.catalog.Set(builder.View());
  EXPECT_EQ(database_.Rows("select count(*) from db.t"), Strings{"31"});
  EXPECT_EQ(database_.Rows("select count(*) from db.t at (version => 1)"), Strings{"10"});
  EXPECT_EQ(database_.Rows("select count(*), max(id) from db.t at (version => 2)"), Strings{"20|2009"});
  EXPECT_EQ(database_.Rows("select count(*) from db.t at (timestamp => timestamp '1970-01-01 00:00:03')"),
            Strings{"30"});
  EXPECT_EQ(database_.Rows("select (select count(*) from db.t) - (select count(*) from db.t at (version => 1))"),
            Strings{"21"});
  EXPECT_EQ(database_.Run("select * from db.t at (version => 7)").code(), StatusCode::kNotFound);
  for (const char* version : {"'x'", "'1.5'", "1.5", "1.0::double", "true", "random()", "date '2026-01-01'", "null"}) {
    EXPECT_EQ(database_.Run("select * from db.t at (version => " + std::string(version) + ")").code(),
              StatusCode::kInvalidArgument)
        << version;
  }
}

TEST_F(LakeCatalogTest, EveryWriteIsRefused) {
  AddTable("db", "t", 10);
  for (const char* sql :
       {"insert into db.t values (1, 'a', 'p')", "update db.t set id = 1", "delete from db.t", "drop table db.t",
        "create table db.x (i int)", "create table db.x as select 1", "create view db.v as select 1",
        "alter table db.t add column c int", "create index i on db.t (id)", "create schema lake.x",
        "drop schema lake.db", "create sequence lake.db.s", "create macro lake.db.m() as 1",
        "create type lake.db.e as enum ('a')", "comment on table db.t is 'x'", "alter table db.t add primary key (id)",
        "merge into db.t using (select 1 as id) s on t.id = s.id when matched then delete", "truncate db.t"}) {
    Status status = database_.Run(sql);
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << sql << ": " << status.ToString();
  }
  EXPECT_EQ(database_.Rows("select count(*) from db.t"), Strings{"10"}) << "the instance still works";
}

TEST_F(LakeCatalogTest, PathsWithoutAScanAreRefused) {
  AddTable("db", "t", 10);
  std::string path = database_.Rows("select distinct filename from db.t").front();
  EXPECT_EQ(path.rfind(kLakeScheme, 0), 0u) << path;
  for (const std::string& sql : {"select * from read_parquet('" + path + "')", "select * from '" + path + "'",
                                 std::string("select * from read_parquet('tarn://*')"),
                                 "select * from read_blob('" + path + "')", "copy (select 1) to '" + path + "'"}) {
    EXPECT_EQ(database_.Run(sql).code(), StatusCode::kPermissionDenied) << sql;
  }
}

TEST_F(LakeCatalogTest, AMissingOrDamagedFileIsNamed) {
  storage::testing::TempFolder folder;
  auto store = *storage::OpenLocalStore(folder.path());
  TableBuilder builder = Builder("db", "t", store);
  builder.AddFile(Rows(0, 10));
  builder.AddFile(Rows(10, 20));
  database_.catalog.Set(builder.View());
  EXPECT_EQ(database_.Rows("select count(*), sum(id) from db.t"), Strings{"20|190"});
  ASSERT_TRUE(store->Delete("part-1.parquet").ok());
  ScanDatabase fresh;
  fresh.catalog.Set(builder.View());
  Status missing = fresh.Run("select sum(id) from db.t");
  EXPECT_EQ(missing.code(), StatusCode::kCorruption) << missing.ToString();
  EXPECT_EQ(missing.message(), "table db.t version 0: data file part-1.parquet is missing");
  fresh.catalog.SetHistory(0, builder.View());
  const Status removed = fresh.Run("select sum(id) from db.t at (version => 0)");
  EXPECT_EQ(removed.code(), StatusCode::kNotFound) << removed.ToString();
  EXPECT_NE(removed.message().find("part-1.parquet is gone"), std::string::npos) << removed.ToString();
  auto view = std::make_shared<lake::TableView>(*builder.View());
  auto snapshot = builder.Snapshot();
  snapshot->file_error = Status::Corruption("log entry 7");
  view->snapshot = snapshot;
  fresh.catalog.Set(view);
  EXPECT_EQ(fresh.Run("select sum(id) from db.t").ToString(), "Corruption: table db.t version 0: log entry 7");
}

TEST_F(LakeCatalogTest, BytesThatDoNotDecodeAreTheTablesFault) {
  storage::testing::TempFolder folder;
  auto store = *storage::OpenLocalStore(folder.path());
  TableBuilder builder = Builder("db", "t", store);
  builder.AddFile(Rows(0, 5000));
  const std::string path = folder.path() + "/part-0.parquet";
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  // The header of the first page, found by the scan, and the file's last bytes, found when it is opened. Within a page
  // a changed value may decode: pages carry no checksum.
  for (const size_t at : {size_t{4}, whole.size() - 4}) {
    std::string damaged = whole;
    for (size_t i = at; i < std::min(at + 24, whole.size()); ++i) damaged[i] = static_cast<char>(0xA5);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
    ScanDatabase fresh;
    fresh.catalog.Set(builder.View());
    const Status status = fresh.Run("select sum(hash(t)) from db.t");
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << at << ": " << status.ToString();
    EXPECT_TRUE(status.message().starts_with("table db.t version 0")) << status.ToString();
    EXPECT_NE(status.message().find("part-0.parquet"), std::string::npos) << status.ToString();
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << whole;
  ScanDatabase fresh;
  fresh.catalog.Set(builder.View());
  EXPECT_EQ(fresh.Run("select error('mine') from db.t where id > 3").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fresh.Run("select 1 from db.t where error(id::varchar) is null").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fresh.Run("select name::integer from db.t").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fresh.Run("select 1 from db.t where name::integer = 3").code(), StatusCode::kInvalidArgument);
}

TEST_F(LakeCatalogTest, SmallFilesThatAreReadOftenAreKeptDecoded) {
  storage::testing::TempFolder folder;
  auto store = *storage::OpenLocalStore(folder.path());
  TableBuilder builder = Builder("db", "t", store);
  // More than two vectors in one partition.
  builder.AddFile(database_.Batch("select range::bigint as id, 'n' || range as name, 'p4' as part from range(5000)"));
  builder.AddFile(Rows(5000, 5010));
  database_.catalog.Set(builder.View());
  const std::vector<std::string> queries = {
      "select id, name, part from db.t where name = 'n4321' or id > 5008 order by id",
      "select count(*), sum(id), count(distinct part), min(name) from db.t where part <> 'p5'",
      "select id, file_row_number, filename like '%part-1.parquet' from db.t where id in (0, 2048, 5003) order by id",
      "select count(*), sum(length(name)) from db.t",
      "select a.id from db.t a join db.t b on a.id = b.id + 5000 order by 1 limit 3",
  };
  std::vector<Strings> before;
  for (const auto& sql : queries) before.push_back(database_.Rows(sql));
  EXPECT_EQ(before[0], (Strings{"4321|n4321|p4", "5009|n5009|p5"}));
  for (int i = 0; i < 5; i++) database_.Rows(queries[0]);
  // Now nothing is read of the files.
  ASSERT_TRUE(store->Delete("part-0.parquet").ok());
  ASSERT_TRUE(store->Delete("part-1.parquet").ok());
  for (size_t i = 0; i < queries.size(); i++) EXPECT_EQ(database_.Rows(queries[i]), before[i]) << queries[i];
}

TEST_F(LakeCatalogTest, OneTransactionSeesOneView) {
  TableBuilder builder = Builder("db", "t");
  builder.AddFile(Rows(0, 10));
  database_.catalog.Set(builder.View());
  auto connection = database_.Connect();
  ASSERT_FALSE(connection->Query("begin")->HasError());
  EXPECT_EQ(database_.Rows(*connection, "select count(*) from db.t"), Strings{"10"});
  builder.AddSegment({Rows(10, 15)});
  database_.catalog.Set(builder.View());
  EXPECT_EQ(database_.Rows(*connection, "select count(*) from DB.T"), Strings{"10"});
  auto pinned = PinnedTables(*connection->context);
  ASSERT_EQ(pinned.size(), 1u);
  EXPECT_EQ(pinned[0].name.ToString(), "db.t");
  EXPECT_EQ(pinned[0].buffered_rows, 0);
  ASSERT_FALSE(connection->Query("commit")->HasError());
  EXPECT_EQ(database_.Rows(*connection, "select count(*) from db.t"), Strings{"15"});
}

TEST_F(LakeCatalogTest, ExplainTellsVersionFilesAndBuffer) {
  TableBuilder builder = Builder("db", "t");
  builder.SetVersion(42);
  for (int64_t i = 0; i < 5; i++) builder.AddFile(Rows(i * 1000, i * 1000 + 10));
  builder.AddSegment({Rows(9000, 9003)});
  database_.catalog.Set(builder.View());
  std::string plan = database_.Explain("select * from db.t where part = 'p3'");
  EXPECT_NE(plan.find("db.t"), std::string::npos) << plan;
  EXPECT_NE(plan.find("42"), std::string::npos) << plan;
  EXPECT_NE(plan.find("1 of 5"), std::string::npos) << plan;
  EXPECT_NE(plan.find("3 rows"), std::string::npos) << plan;
  EXPECT_EQ(database_.Explain("select count(*) from db.t").find("lake_scan"), std::string::npos);
}

TEST_F(LakeCatalogTest, TopNOpensFewFiles) {
  TableBuilder builder = Builder("db", "t");
  for (int64_t i = 0; i < 60; i++) builder.AddFile(Rows((i * 7 % 60) * 1000, (i * 7 % 60) * 1000 + 500));
  auto view = std::make_shared<lake::TableView>(*builder.View());
  auto snapshot = builder.Snapshot();
  view->snapshot = snapshot;
  database_.catalog.Set(view);
  EXPECT_EQ(database_.Rows("select id from db.t order by id desc limit 2"), (Strings{"59499", "59498"}));
  std::string analyzed = database_.Rows("explain analyze select id from db.t order by id limit 2").back();
  size_t at = analyzed.find("Total Files Read: ");
  ASSERT_NE(at, std::string::npos) << analyzed;
  EXPECT_LT(std::stoi(analyzed.substr(at + 18)), 10) << analyzed;
}

TEST_F(LakeCatalogTest, BindingDoesNotDecodeFiles) {
  constexpr size_t kFiles = 300'000;
  auto schema = Rows(0, 1)->schema();
  std::vector<FakeSnapshot::FakeFile> files(kFiles);
  for (size_t i = 0; i < kFiles; i++) {
    files[i].data.key = "part=" + std::to_string(i / 1000) + "/file-" + std::to_string(i) + ".parquet";
    files[i].data.num_records = 100;
    std::string part = "p" + std::to_string(i / 1000);
    files[i].data.partition_values = {part};
    files[i].bounds = {{int64_t(i) * 100, int64_t(i) * 100 + 99, 0}, {{}, {}, 0}, {part, part, 0}};
  }
  auto view = std::make_shared<lake::TableView>();
  auto snapshot = std::make_shared<FakeSnapshot>(7, schema, std::vector<int>{2}, std::move(files));
  view->name = {"db", "big"};
  view->store = storage::MakeMemoryStore(SystemClock());
  view->snapshot = snapshot;
  view->schema = schema;
  view->partition_columns = {2};
  database_.catalog.Set(view);
  std::string plan = database_.Explain("select max(name) from db.big where part = 'p17' and id > 5");
  EXPECT_NE(plan.find("1000 of 300000"), std::string::npos) << plan;
  EXPECT_LT(snapshot->files_decoded, 2000);
  EXPECT_EQ(database_.Rows("select count(*) from db.big"), Strings{"30000000"});
}

TEST_F(LakeCatalogTest, ReadersNeverMissOrDoubleARow) {
  auto store = storage::MakeMemoryStore(SystemClock());
  TableBuilder builder({"db", "live"}, store, Rows(0, 1)->schema(), {"part"});
  database_.catalog.Set(builder.View());
  std::atomic<int64_t> published{0};
  std::atomic<bool> stop{false};
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (int64_t i = 0; i < 120; i++) batches.push_back(Rows(i * 100, i * 100 + 100));
  Thread writer("writer", [&] {
    std::vector<std::shared_ptr<arrow::RecordBatch>> buffered;
    for (size_t i = 0; i < batches.size(); i++) {
      builder.AddSegment({batches[i]});
      buffered.push_back(batches[i]);
      if (i % 10 == 9) {
        // A flush: ten segments become one file, in one step.
        auto table = *arrow::ConcatenateRecordBatches(buffered);
        builder.ClearSegments();
        builder.AddFile(table);
        buffered.clear();
      }
      database_.catalog.Set(builder.View());
      published = static_cast<int64_t>(i + 1) * 100;
      std::this_thread::yield();
    }
    stop = true;
  });
  auto poll = [&](const std::string& sql) {
    auto connection = database_.Connect();
    int64_t last = 0;
    bool done = false;
    while (!done) {
      done = stop;
      int64_t least = published;
      Strings rows = database_.Rows(*connection, sql);
      ASSERT_EQ(rows.size(), 1u);
      ASSERT_NE(rows[0].rfind("error", 0), 0u) << rows[0];
      int64_t count = std::stoll(rows[0]);
      ASSERT_GE(count, least);
      ASSERT_GE(count, last);
      ASSERT_LE(count, 12'000);
      size_t bar = rows[0].find('|');
      if (bar != std::string::npos && count > 0) {
        ASSERT_EQ(std::stoll(rows[0].substr(bar + 1)), count * (count - 1) / 2);
      }
      last = count;
    }
    ASSERT_EQ(last, 12'000);
  };
  Thread counter("counter", [&] { poll("select count(*) from db.live"); });
  poll("select count(*), coalesce(sum(id), 0) from db.live where id >= 0");
  counter.Join();
  writer.Join();
}

}  // namespace
}  // namespace tarn::engine
