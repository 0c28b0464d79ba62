// One core, body -> Arrow: bytes per second as reported, lines and values per second as counters.
#include <benchmark/benchmark.h>
#include <string>

#include "base/check.h"
#include "ingest/body.h"
#include "ingest/line_protocol.h"
#include "ingest/testing/gzip.h"
#include "ingest/testing/random_body.h"

namespace tarn::ingest {
namespace {

void ParseBody(benchmark::State& state, const std::string& body) {
  int64_t lines = 0;
  int64_t values = 0;
  for (auto _ : state) {
    const ParsedLines parsed = ParseLineProtocol(body, {});
    TARN_CHECK(parsed.error_count == 0 && !parsed.measurements.empty());
    lines += parsed.lines_kept;
    values += parsed.values_kept;
    benchmark::DoNotOptimize(parsed);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
  state.counters["lines"] = benchmark::Counter(static_cast<double>(lines), benchmark::Counter::kIsRate);
  state.counters["values"] = benchmark::Counter(static_cast<double>(values), benchmark::Counter::kIsRate);
}

void TsbsIntegers(benchmark::State& state) { ParseBody(state, testing::TsbsCpuBody(state.range(0), 4000, true)); }
void TsbsFloats(benchmark::State& state) { ParseBody(state, testing::TsbsCpuBody(state.range(0), 4000, false)); }
void Telegraf(benchmark::State& state) { ParseBody(state, testing::TelegrafBody(state.range(0), 100)); }
BENCHMARK(TsbsIntegers)->Arg(1)->Arg(1000)->Arg(20'000);
BENCHMARK(TsbsFloats)->Arg(1)->Arg(1000)->Arg(20'000);
BENCHMARK(Telegraf)->Arg(1000)->Arg(20'000);

void InflateGzip(benchmark::State& state) {
  const std::string body = testing::TsbsCpuBody(20'000, 4000, state.range(0) == 0);
  const std::string compressed = testing::Gzip(body);
  BodyOptions options;
  options.encoding = ContentEncoding::kGzip;
  for (auto _ : state) {
    const Result<Body> decoded = DecodeBody(compressed, options);
    TARN_CHECK(decoded.ok() && decoded->text.size() == body.size());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(InflateGzip)->Arg(0)->Arg(1);

}  // namespace
}  // namespace tarn::ingest
