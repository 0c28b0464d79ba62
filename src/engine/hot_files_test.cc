// Files that are read often are kept decoded; queries cannot tell.
#include "engine/hot_files.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "engine/testing/scan_database.h"
#include "storage/metering_store.h"
#include "storage/stores.h"

namespace tarn::engine {
namespace {

using testing::ScanDatabase;
using testing::TableBuilder;

constexpr int kOpens = 6;

std::string Rows(int from, int to, const std::string& region) {
  return "select range::bigint as id, '" + region +
         "' as region, case when range % 7 <> 0 then 'n' || range % 1000 end as name, "
         "case when range % 97 = 0 then null when range % 89 = 0 then 'nan'::double else range / 3 end as amount, "
         "case when range % 11 <> 0 then 'a rather long text number ' || range end as text, "
         "date '2024-01-01' + (range // 100)::int as day, range % 3 = 0 as flag, range::decimal(20, 2) as price "
         "from range(" +
         std::to_string(from) + ", " + std::to_string(to) + ")";
}

TEST(HotFilesTest, AnswersAsTheFilesThemselvesAndWithoutReadingThem) {
  ScanDatabase database;
  auto store = storage::MakeMeteringStore(storage::MakeMemoryStore(SystemClock()), SystemClock());
  const std::string parts[] = {Rows(0, 5000, "eu"), Rows(5000, 9096, "us"), Rows(9096, 9100, "eu")};
  TableBuilder table({"db", "t"}, store, database.Batch(parts[0])->schema(), {"region"});
  for (const std::string& part : parts) table.AddFile(database.Batch(part));
  database.catalog.Set(table.View());
  ASSERT_TRUE(database
                  .Run("create table memory.main.t as (" + parts[0] + ") union all (" + parts[1] + ") union all (" +
                       parts[2] + ")")
                  .ok());
  const char* queries[] = {
      "select count(*), sum(id), count(name), count(amount), count(text), sum(price) from %",
      "select * from % where id between 2040 and 2055 order by id",
      "select id, text from % where name = 'n17' order by id",
      "select region, count(*), max(day), bool_or(flag) from % group by region order by region",
      "select count(*) from % where amount = 'nan'::double",
      "select name, sum(id) from % where text like '%99' and name is not null group by name order by name limit 20",
      "select * from % order by id desc limit 3",
  };
  for (const std::string query : queries) {
    const size_t at = query.find('%', query.find("from "));
    const auto over = [&](const std::string& name) { return std::string(query).replace(at, 1, name); };
    const auto expected = database.Rows(over("memory.main.t"));
    for (int open = 0; open < kOpens; ++open) EXPECT_EQ(database.Rows(over("db.t")), expected) << query;
  }
  const auto reads = [&] {
    return store->stats()[static_cast<size_t>(storage::StoreOperation::kOpen)].calls +
           store->stats()[static_cast<size_t>(storage::StoreOperation::kRead)].calls;
  };
  const int64_t before = reads();
  EXPECT_GT(before, 0);
  EXPECT_EQ(database.Rows("select sum(id) from db.t").size(), 1u);
  EXPECT_EQ(reads(), before);
}

}  // namespace
}  // namespace tarn::engine
