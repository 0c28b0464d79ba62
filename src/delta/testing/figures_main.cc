/// What bench/delta_engine.py measures of the library itself, one figure at a call, as one line of JSON:
///   tarn_figures open FOLDER DAY                 opening a table and listing one partition
///   tarn_figures refresh FOLDER COMMIT ROUNDS    one more commit, a copy of the file COMMIT, at each round
///   tarn_figures append FOLDER COMMITS           commits of 1,000 rows, synced
///   tarn_figures syncs FOLDER COMMITS            as many bytes written and synced in the same way by plain system
///   calls tarn_figures checkpoint FOLDER               a checkpoint of the newest version

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/process_memory.h"
#include "base/random.h"
#include "columnar/value.h"
#include "delta/operations/append.h"
#include "delta/table.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

constexpr int kRowsPerCommit = 1000;

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// The largest resident memory so far. Not of getrusage, which begins with that of the process that started this one.
double PeakMb() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) * 1.024 / 1000;
  }
  return 0;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Random& SharedRandom() {
  static Random random = Random::FromSystem();
  return random;
}

TableContext Open(const std::string& folder) {
  return {*storage::OpenLocalStore(folder), &SystemClock(), &SharedRandom(), nullptr};
}

/// For `open`: the file listing of `day = DAY`.
void MeasureOpen(const std::string& folder, const std::string& day) {
  const TableContext table = Open(folder);
  const double empty = PeakMb();
  const double began = Seconds(CLOCK_MONOTONIC);
  const auto snapshot = *LoadSnapshot(table);
  const int column = snapshot->partition_columns().at(0);
  const auto value = *columnar::ParsePartitionValue(day, *snapshot->schema()->field(column)->type());
  const auto files = *snapshot->Select({Predicate::Compare(Predicate::Op::kEq, column, value)});
  const double seconds = Seconds(CLOCK_MONOTONIC) - began;
  std::printf(R"({"seconds":%.6f,"files":%zu,"growth_mb":%.1f,"bytes_per_file":%.1f})", seconds, files.size(),
              PeakMb() - empty,
              static_cast<double>(snapshot->memory_bytes()) / static_cast<double>(snapshot->num_files()));
}

void MeasureRefresh(const std::string& folder, const std::string& commit, int rounds) {
  const TableContext table = Open(folder);
  auto snapshot = *LoadSnapshot(table);
  std::stringstream text;
  text << std::ifstream(commit).rdbuf();
  std::vector<double> cpu_seconds;
  for (int round = 0; round < rounds; ++round) {
    // A path of its own for each, so that every commit adds a file.
    std::string line = text.str();
    line.replace(line.find("ROUND"), 5, std::to_string(snapshot->version()));
    std::ofstream(folder + "/" + CommitKey(snapshot->version() + 1)) << line;
    const double began = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    snapshot = *Refresh(table, snapshot);
    cpu_seconds.push_back(Seconds(CLOCK_PROCESS_CPUTIME_ID) - began);
  }
  std::printf(R"({"cpu_ms":%.4f,"files":%zu})", Median(cpu_seconds) * 1e3, snapshot->num_files());
}

std::shared_ptr<arrow::RecordBatch> Rows(const std::shared_ptr<arrow::Schema>& schema, int64_t first) {
  arrow::Int64Builder ids;
  arrow::DoubleBuilder values;
  arrow::StringBuilder names;
  for (int64_t id = first; id < first + kRowsPerCommit; ++id) {
    TARN_CHECK(ids.Append(id).ok() && values.Append(static_cast<double>(id) / 7).ok() &&
               names.Append("name-" + std::to_string(id % 100)).ok());
  }
  return arrow::RecordBatch::Make(schema, kRowsPerCommit, {*ids.Finish(), *values.Finish(), *names.Finish()});
}

/// Appends as a program that keeps its table open does.
void MeasureAppend(const std::string& folder, int commits) {
  const TableContext table = Open(folder);
  auto snapshot = *LoadSnapshot(table);
  int failed = 0;
  int rebases = 0;
  const double began = Seconds(CLOCK_MONOTONIC);
  for (int commit = 0; commit < commits; ++commit) {
    const auto rows = Rows(snapshot->schema(), int64_t{commit} * kRowsPerCommit);
    const auto reader = *arrow::RecordBatchReader::Make({rows}, snapshot->schema());
    auto committed = Append(table, snapshot, *reader);
    if (!committed.ok()) {
      std::fprintf(stderr, "%s\n", committed.status().ToString().c_str());
      ++failed;
      continue;
    }
    rebases += committed->rebases;
    snapshot = committed->snapshot;
  }
  std::printf(R"({"seconds":%.6f,"commits":%d,"failed":%d,"rebases":%d})", Seconds(CLOCK_MONOTONIC) - began,
              commits - failed, failed, rebases);
}

void WriteSynced(const std::string& folder, const std::string& name, const std::string& bytes) {
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  const std::string staged = folder + "/staged";
  const int file = ::open(staged.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  TARN_CHECK(directory >= 0 && file >= 0);
  TARN_CHECK(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  TARN_CHECK(::fsync(file) == 0 && ::close(file) == 0);
  TARN_CHECK(::rename(staged.c_str(), (folder + "/" + name).c_str()) == 0);
  TARN_CHECK(::fsync(directory) == 0 && ::close(directory) == 0);
}

/// A data file and a commit file each, of the sizes that the appended ones have.
void MeasureSyncs(const std::string& folder, int commits) {
  const std::string data(6'000, 'd');
  const std::string commit(700, 'c');
  const double began = Seconds(CLOCK_MONOTONIC);
  for (int i = 0; i < commits; ++i) {
    WriteSynced(folder, "data-" + std::to_string(i), data);
    WriteSynced(folder, "commit-" + std::to_string(i), commit);
  }
  std::printf(R"({"seconds":%.6f,"commits":%d})", Seconds(CLOCK_MONOTONIC) - began, commits);
}

void MeasureCheckpoint(const std::string& folder) {
  const TableContext table = Open(folder);
  const auto snapshot = *LoadSnapshot(table);
  const double with_snapshot = PeakMb();
  const double began = Seconds(CLOCK_MONOTONIC);
  const Status written = WriteCheckpoint(table, *snapshot);
  const double seconds = Seconds(CLOCK_MONOTONIC) - began;
  TARN_CHECK(written.ok());
  std::printf(R"({"seconds":%.6f,"files":%zu,"growth_mb":%.1f})", seconds, snapshot->num_files(),
              PeakMb() - with_snapshot);
}

int Run(const std::vector<std::string>& words) {
  const auto is = [&](const char* name, size_t count) { return words.size() == count && words[0] == name; };
  if (is("open", 3)) {
    MeasureOpen(words[1], words[2]);
  } else if (is("refresh", 4)) {
    MeasureRefresh(words[1], words[2], std::atoi(words[3].c_str()));
  } else if (is("append", 3)) {
    MeasureAppend(words[1], std::atoi(words[2].c_str()));
  } else if (is("syncs", 3)) {
    MeasureSyncs(words[1], std::atoi(words[2].c_str()));
  } else if (is("checkpoint", 2)) {
    MeasureCheckpoint(words[1]);
  } else {
    std::fprintf(stderr, "tarn_figures: open, refresh, append, syncs or checkpoint, each with its words\n");
    return 2;
  }
  std::printf("\n");
  return 0;
}

}  // namespace
}  // namespace tarn::delta

int main(int argc, char** argv) {
  // As the program does.
  tarn::UseOneAllocator();
  return tarn::delta::Run({argv + 1, argv + argc});
}
