#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace tarn::lake::testing {

/// A bug that the simulation must find.
enum class Canary : uint8_t {
  kNone,
  /// A log is replayed without asking what the table already has.
  kReplaysTwice,
  /// The store overwrites where it should refuse, so that of two commits of a version the later one wins.
  kOverwritesCommits,
  /// Vacuum deletes files that readers of a moment ago still read.
  kVacuumsTooEarly,
};

struct SimulationOptions {
  uint64_t seed = 1;
  int steps = 60;
  Canary canary = Canary::kNone;
};

struct SimulationCounts {
  int64_t rows_acknowledged = 0;
  int64_t rows_uncertain = 0;
  int64_t rows_rejected = 0;
  int64_t crashes = 0;
  int64_t commits = 0;
  int64_t faults = 0;
  int64_t adoptions = 0;
  int64_t compactions = 0;
  /// Commits that another writer made when a server was about to.
  int64_t races = 0;
  /// Files that vacuum deleted, and log files that cleanup did.
  int64_t files_vacuumed = 0;
  int64_t log_files_cleaned = 0;
};

/// Two servers on one lake, in one thread, driven by a seed: appends to several tables, flushes, compaction, vacuum and
/// log cleanup after days, schema changes of theirs and of a foreign writer, which also commits when they are about to,
/// crashes at named points and elsewhere, power losses, storage that fails, throttles or loses replies, full disks,
/// jumping clocks. A model knows what was acknowledged; after each step every view must hold each of those rows exactly
/// once, and unacknowledged calls whole or not at all, table by table; a view from within the retention stays readable.
/// At the end the same must be true of Delta and the rejected store alone, and the log must keep every rule of the
/// protocol. Internal, naming seed and step, when it is not.
Status RunSimulation(const SimulationOptions& options, SimulationCounts* counts = nullptr);

}  // namespace tarn::lake::testing
