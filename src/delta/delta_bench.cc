// Opening a table of 300,000 files with statistics from three JSON commits of about 50 MB, selecting one partition,
// refreshing and filtering by statistics. Counters: growth of the process's resident memory over the first opening,
// bytes per file entry. Then opening a table of 99 small commits, with and without compacted log files.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "delta/log/log_compaction.h"
#include "delta/table.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

constexpr int kCommits = 3;
constexpr int kFilesPerCommit = 100'000;
constexpr int kDays = 300;

constexpr char kFirstLines[] =
    R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})"
    "\n"
    R"({"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":)"
    R"(\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},)"
    R"({\"name\":\"name\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},)"
    R"({\"name\":\"value\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},)"
    R"({\"name\":\"time\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},)"
    R"({\"name\":\"day\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":)"
    R"(["day"],"configuration":{},"createdTime":1}})"
    "\n";

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  int64_t resident = 0;
  statm >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::string AddLine(int number) {
  char uuid[40];
  std::snprintf(uuid, sizeof(uuid), "%08x-1f2e-4d3c-8b4a-%012x", number * 2654435761u, number);
  char day[16];
  std::snprintf(day, sizeof(day), "2026-%02d-%02d", 1 + number % kDays / 28, 1 + number % kDays % 28);
  char line[1024];
  std::snprintf(
      line, sizeof(line),
      R"({"add":{"path":"day=%s/part-00000-%s-c000.snappy.parquet","partitionValues":{"day":"%s"},)"
      R"("size":%d,"modificationTime":1760000000000,"dataChange":true,"stats":"{\"numRecords\":1000,)"
      R"(\"minValues\":{\"id\":%d,\"name\":\"name-%08d\",\"value\":%d.25,\"time\":\"2026-01-01T00:00:00.000Z\"},)"
      R"(\"maxValues\":{\"id\":%d,\"name\":\"name-%08d\",\"value\":%d.75,\"time\":\"2026-01-01T23:59:59.999Z\"},)"
      R"(\"nullCount\":{\"id\":0,\"name\":0,\"value\":3,\"time\":0}}"}})"
      "\n",
      day, uuid, day, 100000 + number, number * 10, number, number, number * 10 + 9, number + 1, number);
  return line;
}

/// For mkdtemp.
std::string FolderTemplate() { return (std::filesystem::temp_directory_path() / "tarn-bench-XXXXXX").string(); }

/// The table's folder, written once per process and removed at its end.
const std::string& TableFolder() {
  struct Folder {
    std::string path = FolderTemplate();
    Folder() {
      TARN_CHECK(mkdtemp(path.data()) != nullptr);
      std::filesystem::create_directory(path + "/_delta_log");
      for (int commit = 0; commit < kCommits; ++commit) {
        std::ofstream out(path + "/" + CommitKey(commit));
        if (commit == 0) out << kFirstLines;
        for (int i = 0; i < kFilesPerCommit; ++i) out << AddLine(commit * kFilesPerCommit + i);
      }
    }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static const Folder folder;
  return folder.path;
}

TableContext Open() {
  static Random random(1);
  return {*storage::OpenLocalStore(TableFolder()), &SystemClock(), &random, nullptr};
}

std::vector<Predicate> OneDay() {
  // 2026-01-15.
  return {Predicate::Compare(Predicate::Op::kEq, 4, int64_t{20468})};
}

void BM_OpenAndSelectPartition(benchmark::State& state) {
  const TableContext table = Open();
  // The program runs this first, and only the first opening meets fresh memory.
  static const int64_t before = ResidentBytes();
  static int64_t growth = 0;
  size_t per_file = 0;
  for (auto _ : state) {
    const auto snapshot = *LoadSnapshot(table);
    const auto selected = snapshot->Select(OneDay());
    TARN_CHECK(selected.ok() && selected->size() == kCommits * kFilesPerCommit / kDays);
    if (growth == 0) growth = ResidentBytes() - before;
    per_file = snapshot->memory_bytes() / snapshot->num_files();
  }
  state.counters["rss_growth_mb"] = static_cast<double>(growth) / 1e6;
  state.counters["bytes_per_file"] = static_cast<double>(per_file);
}
BENCHMARK(BM_OpenAndSelectPartition)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

void BM_SelectByStatistics(benchmark::State& state) {
  const auto snapshot = *LoadSnapshot(Open());
  const std::vector<Predicate> predicates = {Predicate::Compare(Predicate::Op::kEq, 0, int64_t{1234567})};
  for (auto _ : state) {
    const auto selected = snapshot->Select(predicates);
    TARN_CHECK(selected.ok() && selected->size() == 1);
  }
}
BENCHMARK(BM_SelectByStatistics)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_RefreshWithNothingNew(benchmark::State& state) {
  const TableContext table = Open();
  const auto snapshot = *LoadSnapshot(table);
  for (auto _ : state) TARN_CHECK(Refresh(table, snapshot).ok());
}
BENCHMARK(BM_RefreshWithNothingNew)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// A table of one commit and 98 more that add a file each, in a folder of its own.
class TailTable {
 public:
  explicit TailTable(int64_t compacted_commits) : random_(1) {
    TARN_CHECK(mkdtemp(path_.data()) != nullptr);
    std::filesystem::create_directory(path_ + "/_delta_log");
    std::ofstream(path_ + "/" + CommitKey(0)) << kFirstLines;
    for (int commit = 1; commit < kTail; ++commit) std::ofstream(path_ + "/" + CommitKey(commit)) << AddLine(commit);
    table_ = {*storage::OpenLocalStore(path_), &SystemClock(), &random_, nullptr};
    if (compacted_commits == 0) return;
    for (int64_t from = 0; from + compacted_commits <= kTail; from += compacted_commits) {
      TARN_CHECK(WriteCompactedLog(table_, from, from + compacted_commits - 1).ok());
    }
  }
  ~TailTable() { std::filesystem::remove_all(path_); }
  TailTable(const TailTable&) = delete;
  TailTable& operator=(const TailTable&) = delete;

  const TableContext& context() const { return table_; }

 private:
  static constexpr int kTail = 99;
  std::string path_ = FolderTemplate();
  Random random_;
  TableContext table_;
};

void BM_OpenTail(benchmark::State& state) {
  const TailTable table(state.range(0));
  for (auto _ : state) TARN_CHECK(LoadSnapshot(table.context()).ok());
}
BENCHMARK(BM_OpenTail)->ArgName("compacted")->Arg(0)->Arg(10)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace tarn::delta
