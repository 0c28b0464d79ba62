#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"
#include "wal/format.h"
#include "wal/wal.h"

namespace tarn::wal {
namespace {

constexpr int64_t kSegmentBytes = 64 << 20;

/// Reports the median and the 99th percentile beside the mean.
class Latencies {
 public:
  void Add(int64_t micros) { micros_.push_back(micros); }
  void Report(benchmark::State& state) {
    if (micros_.empty()) return;
    std::sort(micros_.begin(), micros_.end());
    state.counters["p50_us"] =
        benchmark::Counter(static_cast<double>(micros_[micros_.size() / 2]), benchmark::Counter::kAvgThreads);
    state.counters["p99_us"] =
        benchmark::Counter(static_cast<double>(micros_[micros_.size() * 99 / 100]), benchmark::Counter::kAvgThreads);
  }

 private:
  std::vector<int64_t> micros_;
};

/// One log for all threads of a run.
struct Log {
  Log() {
    const auto segments = storage::OpenLocalSegments(folder.path()).value();
    WalOptions options;
    options.segment_bytes = kSegmentBytes;
    wal = Wal::Open(segments, options, SystemClock(), random, [](const auto&) { return Status::Ok(); }).value();
    schema = wal->DefineSchema("schema");
  }
  storage::testing::TempFolder folder;
  Random random{1};
  std::unique_ptr<Wal> wal;
  std::shared_ptr<const SchemaEntry> schema;
};

std::unique_ptr<Log> shared_log;

void BM_WalAppend(benchmark::State& state) {
  if (state.thread_index() == 0) shared_log = std::make_unique<Log>();
  const std::string payload(static_cast<size_t>(state.range(0)), 'x');
  Latencies latencies;
  for (auto _ : state) {
    const int64_t began = SystemClock().MonotonicMicros();
    const Result<Position> position = shared_log->wal->Append({{shared_log->schema, {}, {AsBytes(payload)}}});
    TARN_CHECK(position.ok());
    latencies.Add(SystemClock().MonotonicMicros() - began);
    if (*position % 256 == 0) TARN_CHECK(shared_log->wal->Release(*position).ok());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  latencies.Report(state);
  if (state.thread_index() == 0) {
    const WalStats stats = shared_log->wal->stats();
    state.counters["records_per_sync"] =
        static_cast<double>(stats.records_appended) / static_cast<double>(std::max<int64_t>(stats.syncs, 1));
    shared_log.reset();
  }
}
BENCHMARK(BM_WalAppend)->Arg(512)->Arg(64 << 10)->Arg(1 << 20)->UseRealTime()->Threads(1)->Threads(8);

/// The same bytes by the barest means: a preallocated file, write, fdatasync.
void BM_RawWriteAndSync(benchmark::State& state) {
  const storage::testing::TempFolder folder;
  const std::string bytes(static_cast<size_t>(state.range(0)) + internal::kRecordHeaderBytes, 'x');
  int fd = -1;
  int64_t written = kSegmentBytes;
  int files = 0;
  Latencies latencies;
  for (auto _ : state) {
    const int64_t began = SystemClock().MonotonicMicros();
    if (written + static_cast<int64_t>(bytes.size()) > kSegmentBytes) {
      if (fd >= 0) {
        close(fd);
        unlink((folder.path() + "/" + std::to_string(files++)).c_str());
      }
      fd = open((folder.path() + "/" + std::to_string(files)).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644);
      TARN_CHECK(fd >= 0 && posix_fallocate(fd, 0, kSegmentBytes) == 0 && fsync(fd) == 0);
      written = 0;
    }
    TARN_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    TARN_CHECK(fdatasync(fd) == 0);
    written += static_cast<int64_t>(bytes.size());
    latencies.Add(SystemClock().MonotonicMicros() - began);
  }
  close(fd);
  state.SetBytesProcessed(state.iterations() * state.range(0));
  latencies.Report(state);
}
BENCHMARK(BM_RawWriteAndSync)->Arg(512)->Arg(64 << 10)->Arg(1 << 20)->UseRealTime();

}  // namespace
}  // namespace tarn::wal
