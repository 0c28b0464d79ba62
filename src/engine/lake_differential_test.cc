// The same queries over a lake table (files of several shapes and buffered rows) and over a plain table that holds the
// same rows must give the same answers, with file skipping and without.
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "engine/testing/scan_database.h"
#include "storage/stores.h"

namespace tarn::engine {
namespace {

using testing::ScanDatabase;
using testing::TableBuilder;
using Strings = std::vector<std::string>;

/// All columns as later files and the buffer have them.
std::string AllColumns(const std::string& region) {
  return "range::bigint as id, " + region +
         "::varchar as region, 'n' || (range % 1000) as name, "
         "case when range % 97 = 0 then null when range % 89 = 0 then 'nan'::double else (range % 100)::double end as "
         "amount, (case when range % 2 = 0 then range % 30000 end)::smallint as added, range % 3 = 0 as flag, "
         "date '2024-01-01' + (range // 1000)::int as day, "
         "timestamptz '2024-01-01 00:00:00+00' + to_seconds(range) as moment, (range * 1000000000000)::decimal(20,0) "
         "as "
         "price, {'a': (range % 1000)::int, 'b': 'b' || (range % 5)} as s, [range::int, null, (range % 7)::int] as l, "
         "case when range % 11 <> 0 then 'a rather long text number ' || range end as long_text, "
         "(range / 3)::float as ratio, map {'k' || (range % 3): range} as m, timestamp '2024-01-01' + "
         "to_seconds(range) "
         "as local_time, ('x' || range)::blob as bin, (range % 100000)::int as number ";
}

struct Part {
  int from;
  int to;
  std::string region;
};

const std::vector<Part>& FileParts() {
  static const std::vector<Part> parts = {{0, 3000, "'eu'"},     {3000, 6000, "'us'"},   {6000, 9000, "'asia'"},
                                          {9000, 12000, "null"}, {12000, 15000, "'eu'"}, {15000, 18000, "'us'"}};
  return parts;
}

const std::vector<Part>& SegmentParts() {
  static const std::vector<Part> parts = {{18000, 18001, "'eu'"},
                                          {18001, 18005, "'eu'"},
                                          {18005, 20500, "'us'"},
                                          {20500, 21000, "null"},
                                          {21000, 26000, "'new'"}};
  return parts;
}

std::string Range(int from, int to) { return "from range(" + std::to_string(from) + "," + std::to_string(to) + ")"; }

/// What the file of a part lacks or holds narrower; empty for a whole one.
std::string Shape(size_t file) {
  if (file == 0) return "select * exclude (added, long_text, m) from ";
  if (file == 4) return "select number, id::int as id, * exclude (id, number) from ";
  return "select * from ";
}

class LakeDifferentialTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    database_ = new ScanDatabase();
    auto whole = database_->Batch("select " + AllColumns("'eu'") + Range(0, 1));
    auto store = storage::MakeMemoryStore(SystemClock());
    TableBuilder table({"db", "t"}, store, whole->schema(), {"region"});
    std::string reference;
    for (size_t i = 0; i < FileParts().size(); i++) {
      const Part& part = FileParts()[i];
      std::string rows = "(select " + AllColumns(part.region) + Range(part.from, part.to) + ")";
      table.AddFile(database_->Batch(Shape(i) + rows));
      reference += (i == 0 ? "" : " union all by name ") + Shape(i) + rows;
    }
    for (size_t i = 0; i < SegmentParts().size(); i++) {
      const Part& part = SegmentParts()[i];
      int middle = part.from + (part.to - part.from) / 3;
      std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
      for (auto [from, to] : {std::pair(part.from, middle), std::pair(middle, part.to)}) {
        // Batches of one segment differ in shape: a column that appeared later, a narrower integer.
        std::string columns = AllColumns(part.region);
        std::string rows = "(select " + columns + Range(from, to) + ")";
        if (from == part.from && i == 2) rows = "(select * exclude (m, name), from " + rows + ")";
        if (from == part.from && i == 3) rows = "(select id::int as id, * exclude (id) from " + rows + ")";
        if (from == to) continue;
        batches.push_back(database_->Batch("select * from " + rows));
        reference += " union all by name select * from " + rows;
      }
      table.AddSegment(batches);
    }
    database_->catalog.Set(table.View());
    auto unskipped = std::make_shared<lake::TableView>(*table.View(false));
    unskipped->name.table = "unskipped";
    database_->catalog.Set(unskipped);
    Status made = database_->Run(
        "create table memory.main.reference as select id, region, name, amount, added, flag, day, moment, price, s, l, "
        "long_text, ratio, m, local_time, bin, number from (" +
        reference + ")");
    ASSERT_TRUE(made.ok()) << made.ToString();
  }
  static void TearDownTestSuite() {
    delete database_;
    database_ = nullptr;
  }

  /// Replaces each '%t' by the table.
  static std::string Over(std::string query, const std::string& table) {
    for (size_t at = query.find("%t"); at != std::string::npos; at = query.find("%t")) query.replace(at, 2, table);
    return query;
  }

  static void ExpectSame(const std::string& query) {
    Strings expected = database_->Rows(Over(query, "memory.main.reference"));
    ASSERT_TRUE(expected.empty() || expected.front().rfind("error", 0) != 0) << query << "\n" << expected.front();
    for (const char* table : {"db.t", "db.unskipped"}) {
      EXPECT_EQ(database_->Rows(Over(query, table)), expected) << Over(query, table);
    }
  }

  static ScanDatabase* database_;
};

ScanDatabase* LakeDifferentialTest::database_ = nullptr;

TEST_F(LakeDifferentialTest, Queries) {
  const char* queries[] = {
      "select count(*) from %t",
      "select count(*), sum(id), count(amount), count(added), sum(added) from %t",
      "select region, count(*), sum(id) from %t group by 1 order by 1 nulls last",
      "select region, count(*) from %t where id > 5000 group by region order by region nulls first",
      "select count(*), sum(id) from %t where region = 'eu'",
      "select count(*), sum(id) from %t where region is null",
      "select count(*), sum(id) from %t where region is not null and id < 10000",
      "select count(*), sum(id) from %t where region <> 'eu'",
      "select count(*), sum(id) from %t where region in ('us', 'new')",
      "select count(*), sum(id) from %t where region not in ('us', 'new')",
      "select count(*), sum(id) from %t where not (region = 'us' and id < 16000)",
      "select count(*), sum(id) from %t where id between 2990 and 3010",
      "select count(*), sum(id) from %t where id >= 17990 and id < 18010",
      "select id, name from %t where id >= 17999 and id <= 18003 order by id",
      "select * from %t where id in (5, 3003, 12001, 17999, 18000, 18002, 20600, 25999) order by id",
      "select id, id, name, id as again, region, region from %t where id % 1999 = 0 order by 1",
      "select count(*) from %t where name = 'n77' and amount > 10",
      "select count(*) from %t where amount > 98",
      "select count(*) from %t where amount = 'nan'::double",
      "select count(*) from %t where amount is null",
      "select count(*), sum(id) from %t where flag",
      "select count(*), sum(id) from %t where not flag",
      "select count(*), min(id) from %t where day = date '2024-01-10'",
      "select count(*), max(moment) from %t where moment > timestamptz '2024-01-01 04:00:00+00'",
      "select count(*) from %t where moment < timestamptz '2024-01-01 01:00:00+00' or id > 25000",
      "select count(*) from %t where local_time >= timestamp '2024-01-01 05:00:00'",
      "select count(*), sum(price) from %t where price > 15000000000000000",
      "select count(*) from %t where s.b = 'b3' and s.a > 500",
      "select sum(s.a), count(*) from %t",
      "select count(*) from %t where s is null",
      "select sum(l[1]), sum(len(l)), count(l[2]) from %t",
      "select sum(m['k1']), count(m) from %t",
      "select max(long_text), count(long_text) from %t where long_text is not null",
      "select count(*) from %t where long_text like 'a rather long text number 19%'",
      "select md5(string_agg(long_text, ',' order by id)) from %t where id % 7 = 0",
      "select round(sum(ratio::double)) from %t where ratio < 100 or ratio > 8000",
      "select max(bin), min(bin) from %t",
      "select number, count(*) from %t where number < 3 group by 1 order by 1",
      "select count(*), sum(id) from %t where added is null",
      "select count(*), sum(added) from %t where added > 20000",
      "select count(*) from %t where added + 1 = 101",
      "select id, region from %t order by id desc limit 3",
      "select id from %t where id < 12345 order by id desc limit 5",
      "select id, name from %t order by name desc, id desc limit 3",
      "select id from %t order by amount desc nulls last, id limit 4",
      "select id from %t order by added nulls first, id limit 4",
      "select id, moment from %t order by moment limit 3",
      "select max(id), min(id) from %t",
      "select count(*), sum(id) from %t join (select range * 10 + 2900 x from range(100)) on id = x",
      "select count(*), sum(id) from %t join (values ('eu'), ('zz')) v(r) on region = r",
      "select count(*) from %t a join %t b on a.id = b.id + 9000 where b.region = 'us'",
      "select count(*) from %t where number in (select id::int from %t where id % 5000 = 1)",
      "select count(distinct name) from %t where added is not null",
      "select count(*) from (select * from %t limit 7)",
      "select id, sum(amount) over (partition by region order by id) w from %t where id % 2503 = 0 order by id",
      "select (select count(*) from %t where id = 18004)",
      "select count(*) from %t where id + 1 = 18001",
      "select count(*) from %t where id = null",
      "select count(*) from %t where (region, id) in (('eu', 18002), ('us', 3001))",
      "select count(*) from %t where case when id > 10 then region = 'eu' else true end",
      "select count(*) from %t where moment > now() - interval 200 years",
      "select region, day, count(*) from %t where id < 4000 group by all order by all",
  };
  for (const char* query : queries) ExpectSame(query);
}

TEST_F(LakeDifferentialTest, VirtualColumnsAndRowNumbers) {
  EXPECT_EQ(database_->Rows("select count(distinct filename), max(file_index) from db.t"), Strings{"10|9"});
  EXPECT_EQ(database_->Rows("select id, file_row_number from db.t where id in (0, 3005, 20700) order by id"),
            (Strings{"0|0", "3005|5", "20700|200"}));
  EXPECT_EQ(database_->Rows("select count(*) from (select filename, file_row_number from db.t group by all)"),
            Strings{"26000"});
}

TEST_F(LakeDifferentialTest, PreparedStatementsSeeNewValues) {
  auto connection = database_->Connect();
  auto prepared = connection->Prepare("select count(*) from db.t where id >= $1 and region = $2");
  ASSERT_FALSE(prepared->HasError());
  auto count = [&](int64_t id, const char* region) {
    duckdb::vector<duckdb::Value> values{duckdb::Value::BIGINT(id), duckdb::Value(region)};
    auto result = prepared->Execute(values);
    return result->HasError() ? result->GetError() : result->Fetch()->GetValue(0, 0).ToString();
  };
  EXPECT_EQ(count(0, "eu"), "6005");
  EXPECT_EQ(count(17000, "us"), "3495");
  EXPECT_EQ(count(17000, "nowhere"), "0");
}

/// A random condition over the columns, with literals that files are cut at.
std::string RandomPredicate(Random& random, int depth) {
  auto pick = [&](const std::vector<std::string>& from) { return from[random.Below(from.size())]; };
  auto number = [&] { return std::to_string(random.Below(27000)); };
  if (depth > 0 && random.Below(3) != 0) {
    std::string left = RandomPredicate(random, depth - 1);
    std::string right = RandomPredicate(random, depth - 1);
    switch (random.Below(3)) {
      case 0:
        return "(" + left + " and " + right + ")";
      case 1:
        return "(" + left + " or " + right + ")";
      default:
        return "(not " + left + ")";
    }
  }
  std::string op = pick({"=", "<>", "<", "<=", ">", ">="});
  switch (random.Below(12)) {
    case 0:
      return "id " + op + " " + number();
    case 1:
      return "region " + op + " " + pick({"'eu'", "'us'", "'asia'", "'new'", "'f'", "null"});
    case 2:
      return "id between " + number() + " and " + number();
    case 3:
      return pick({"region", "added", "amount", "long_text", "s", "id"}) + pick({" is null", " is not null"});
    case 4:
      return "id " + pick({"in", "not in"}) + " (" + number() + ", " + number() + ", " + number() + ")";
    case 5:
      return "moment " + op + " timestamptz '2024-01-01 00:00:00+00' + to_seconds(" + number() + ")";
    case 6:
      return "day " + op + " date '2024-01-01' + " + std::to_string(random.Below(30));
    case 7:
      return "price " + op + " " + number() + "000000000000";
    case 8:
      return "amount " + op + " " + pick({"50", "99", "'nan'::double", "-1"});
    case 9:
      return "ratio " + op + " " + number() + " / 3";
    case 10:
      return "name " + op + " 'n" + number() + "'";
    default:
      return "added " + op + " " + number();
  }
}

TEST_F(LakeDifferentialTest, RandomPredicatesSkipNothingThatMatches) {
  Random random(20240101);
  for (int i = 0; i < 60; i++) {
    ExpectSame("select count(*), sum(id) from %t where " + RandomPredicate(random, 2));
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace tarn::engine
