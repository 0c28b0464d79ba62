// A lake scan beside DuckDB's read_parquet on the same files of a local disk, with warm caches; and the cost of
// buffered rows and of many files.
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "engine/testing/scan_database.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::engine {
namespace {

using testing::ScanDatabase;
using testing::TableBuilder;

constexpr int64_t kFiles = 10;
constexpr int64_t kRowsPerFile = 1'000'000;

/// Ten million rows in ten files; `buffered` holds one more file's worth in 1,000 segments.
class Setup {
 public:
  static Setup& Get() {
    static Setup setup;
    return setup;
  }

  std::string Sum(const std::string& sql) {
    auto rows = database.Rows(sql);
    TARN_CHECK(rows.size() == 1 && rows[0].rfind("error", 0) != 0);
    return rows[0];
  }

  ScanDatabase database;
  std::string files;

 private:
  Setup() : files("read_parquet('" + folder_.path() + "/*.parquet')") {
    auto store = *storage::OpenLocalStore(folder_.path());
    TableBuilder table({"db", "plain"}, store, Rows(0, 1)->schema(), {});
    table.SetRowGroupRows(1 << 20);
    for (int64_t i = 0; i < kFiles; i++) table.AddFile(Rows(i * kRowsPerFile, (i + 1) * kRowsPerFile));
    database.catalog.Set(table.View());
    auto more = Rows(kFiles * kRowsPerFile, (kFiles + 1) * kRowsPerFile);
    for (int64_t i = 0; i < 1000; i++) table.AddSegment({more->Slice(i * 1000, 1000)});
    auto view = std::make_shared<lake::TableView>(*table.View());
    view->name.table = "buffered";
    database.catalog.Set(view);
  }

  std::shared_ptr<arrow::RecordBatch> Rows(int64_t from, int64_t to) {
    return database.Batch(
        "select timestamptz '2024-01-01 00:00:00+00' + to_milliseconds(range) as time, 'host_' || (range % 100) as "
        "host, "
        "(hash(range) % 10000)::double / 100 as usage_user, (hash(range + 1) % 10000)::double / 100 as usage_system, "
        "range::bigint as id, (range % 7)::smallint as core from range(" +
        std::to_string(from) + "," + std::to_string(to) + ")");
  }

  storage::testing::TempFolder folder_;
};

const char* const kQueries[] = {
    "select count(*), round(sum(usage_user)), max(usage_system) from ",
    "select host, avg(usage_user), max(id) from ",
    "select round(sum(usage_user)) from ",
    "select max(time), sum(core) from ",
};

std::string Query(int64_t number, const std::string& table) {
  std::string sql = kQueries[number] + table;
  if (number == 1) sql = "select count(*) || max(m) from (" + sql + " group by host) t(host, a, m)";
  if (number == 2) sql += " where id between 2500000 and 2600000";
  return sql;
}

void Run(benchmark::State& state, const std::string& table) {
  Setup& setup = Setup::Get();
  std::string sql = Query(state.range(0), table);
  std::string answer = setup.Sum(sql);
  for (auto _ : state) TARN_CHECK(setup.Sum(sql) == answer);
}

void BM_LakeScan(benchmark::State& state) { Run(state, "db.plain"); }
void BM_ReadParquet(benchmark::State& state) { Run(state, Setup::Get().files); }
void BM_LakeScanWithBuffer(benchmark::State& state) { Run(state, "db.buffered"); }
BENCHMARK(BM_LakeScan)->DenseRange(0, 3)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadParquet)->DenseRange(0, 3)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_LakeScanWithBuffer)->DenseRange(0, 3)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tarn::engine
