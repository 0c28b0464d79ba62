#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "engine/testing/scan_database.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::engine {
namespace {

using testing::ScanDatabase;
using testing::TableBuilder;
using Strings = std::vector<std::string>;

TEST(LakeScanTest, ReadsFilesAndBufferAsOneTable) {
  ScanDatabase database;
  auto rows = [&](int from, int to) {
    return database.Batch("select range::bigint as id, 'n' || range as name from range(" + std::to_string(from) + "," +
                          std::to_string(to) + ")");
  };
  TableBuilder table({"db", "T1"}, storage::MakeMemoryStore(SystemClock()), rows(0, 1)->schema(), {});
  table.AddFile(rows(0, 10'000));
  table.AddSegment({rows(10'000, 10'010), rows(10'010, 15'000)});
  database.catalog.Set(table.View());
  EXPECT_EQ(database.Rows("select count(*), sum(id), min(name), max(id) from db.t1"),
            Strings{"15000|112492500|n0|14999"});
  EXPECT_EQ(database.Rows("select * from DB.t1 where id in (3, 10005, 14999) order by id"),
            (Strings{"3|n3", "10005|n10005", "14999|n14999"}));
  EXPECT_EQ(database.Rows("select count(*) from db.t1"), Strings{"15000"});
}

}  // namespace
}  // namespace tarn::engine
