#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>

#include "engine/query_service.h"
#include "engine/testing/empty_catalog.h"

namespace tarn::engine {
namespace {

QueryService& SharedService() {
  static EmptyCatalog catalog;
  static std::unique_ptr<QueryService> service = [] {
    EngineOptions options;
    options.threads = 2;
    options.memory_limit_bytes = int64_t{1} << 30;
    auto opened = QueryService::Open(options, catalog, SystemClock());
    TARN_CHECK(opened.ok());
    return std::move(*opened);
  }();
  return *service;
}

int64_t Drain(QueryService& service, const QueryRequest& request) {
  auto stream = service.Execute(request);
  TARN_CHECK(stream.ok());
  int64_t rows = 0;
  for (;;) {
    auto batch = (*stream)->Next();
    TARN_CHECK(batch.ok());
    if (*batch == nullptr) return rows;
    rows += (*batch)->num_rows();
  }
}

void BM_SelectConstant(benchmark::State& state) {
  QueryRequest request;
  request.sql = "select 42";
  for (auto _ : state) TARN_CHECK(Drain(SharedService(), request) == 1);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SelectConstant)->Threads(1)->Threads(8)->UseRealTime();

void BM_FilteredSeries(benchmark::State& state) {
  QueryRequest request;
  request.sql =
      "select range, range * 2 as twice, range % 7 as seven from range(100000) where range % 10000 = $1 limit 10";
  request.parameters = {int64_t{17}};
  for (auto _ : state) TARN_CHECK(Drain(SharedService(), request) == 10);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FilteredSeries)->Threads(1)->Threads(8)->UseRealTime();

void BM_StreamRows(benchmark::State& state) {
  QueryRequest request;
  request.sql = "select range as a, range * 2 as b from range(2000000)";
  for (auto _ : state) TARN_CHECK(Drain(SharedService(), request) == 2000000);
  state.SetItemsProcessed(state.iterations() * 2000000);
}
BENCHMARK(BM_StreamRows)->UseRealTime();

void BM_OpenService(benchmark::State& state) {
  EmptyCatalog catalog;
  EngineOptions options;
  options.threads = 2;
  for (auto _ : state) TARN_CHECK(QueryService::Open(options, catalog, SystemClock()).ok());
}
BENCHMARK(BM_OpenService)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tarn::engine
