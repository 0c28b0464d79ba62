#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace tarn::lake::testing {

struct SimulationOptions {
  uint64_t seed = 1;
  int steps = 60;
  /// Plants a bug that the simulation must find.
  bool canary_replays_twice = false;
};

struct SimulationCounts {
  int64_t rows_acknowledged = 0;
  int64_t rows_uncertain = 0;
  int64_t rows_rejected = 0;
  int64_t crashes = 0;
  int64_t commits = 0;
  int64_t faults = 0;
  int64_t adoptions = 0;
};

/// Two servers on one lake, in one thread, driven by a seed: appends to several tables, flushes, compaction, schema
/// changes of theirs and of a foreign writer, crashes at named points and elsewhere, power losses, storage that fails
/// or loses replies, full disks, jumping clocks. A model knows what was acknowledged; after each step every view must
/// hold each of those rows exactly once, and unacknowledged calls whole or not at all, table by table. At the end the
/// same must be true of Delta and the rejected store alone. Internal, naming seed and step, when it is not.
Status RunSimulation(const SimulationOptions& options, SimulationCounts* counts = nullptr);

}  // namespace tarn::lake::testing
