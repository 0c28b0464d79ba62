// The lake's simulation as a program: `tarn_lake_sim --seed N` or `--seeds N` for the seeds 1 to N.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "lake/testing/lake_sim.h"

namespace {

/// Seeds between two lines of progress.
constexpr uint64_t kStride = 50;

int Usage() {
  std::fprintf(stderr, "usage: tarn_lake_sim (--seed N | --seeds N) [--steps N]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t last = 200;
  int steps = 200;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return Usage();
    const std::string_view name = argv[i];
    char* end = nullptr;
    const uint64_t number = std::strtoull(argv[i + 1], &end, 10);
    if (end == argv[i + 1] || *end != '\0') return Usage();
    if (name == "--seed") {
      first = last = number;
    } else if (name == "--seeds") {
      last = number;
    } else if (name == "--steps") {
      steps = static_cast<int>(number);
    } else {
      return Usage();
    }
  }
  tarn::ConfigureLog(tarn::LogLevel::kError, tarn::LogFormat::kText);
  tarn::lake::testing::SimulationCounts total;
  for (uint64_t seed = first; seed <= last; ++seed) {
    tarn::lake::testing::SimulationCounts counts;
    const tarn::Status status = tarn::lake::testing::RunSimulation({.seed = seed, .steps = steps}, &counts);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\nreplay it with: ./dev sim --seed %llu\n", status.ToString().c_str(),
                   static_cast<unsigned long long>(seed));
      return 1;
    }
    total.rows_acknowledged += counts.rows_acknowledged;
    total.rows_uncertain += counts.rows_uncertain;
    total.rows_rejected += counts.rows_rejected;
    total.crashes += counts.crashes;
    total.faults += counts.faults;
    total.compactions += counts.compactions;
    total.races += counts.races;
    total.files_vacuumed += counts.files_vacuumed;
    if (seed % kStride == 0 && seed < last) {
      std::fprintf(stderr, "%llu of %llu seeds hold\n", static_cast<unsigned long long>(seed),
                   static_cast<unsigned long long>(last));
    }
  }
  std::printf(
      "seeds %llu to %llu hold: %lld rows acknowledged, %lld uncertain, %lld rejected, %lld crashes, %lld faults, "
      "%lld races, %lld compactions, %lld files vacuumed\n",
      static_cast<unsigned long long>(first), static_cast<unsigned long long>(last),
      static_cast<long long>(total.rows_acknowledged), static_cast<long long>(total.rows_uncertain),
      static_cast<long long>(total.rows_rejected), static_cast<long long>(total.crashes),
      static_cast<long long>(total.faults), static_cast<long long>(total.races),
      static_cast<long long>(total.compactions), static_cast<long long>(total.files_vacuumed));
  return 0;
}
