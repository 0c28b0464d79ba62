#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/table.h"

namespace tarn::delta {

/// A place where a table breaks the protocol, or does what no careful writer does.
struct Finding {
  enum class Severity : uint8_t { kWarning, kError };
  Severity severity = Severity::kError;
  /// Short and stable: "add-live", "checkpoint", …
  std::string rule;
  /// Of the file that is wrong; empty when it is the log as a whole.
  std::string key;
  int64_t version = -1;
  /// Counted from 1; 0 for the file as a whole.
  int64_t line = 0;
  std::string message;

  /// "error add-live _delta_log/00000000000000000003.json:2: …"
  std::string ToString() const;
};

struct ValidateOptions {
  /// Look whether each live data file is there with the log's size, and read its deletion vector.
  bool check_files = false;
  /// Read the data files, too: their rows must be as many as the statistics say and lie within the bounds. Implies
  /// check_files.
  bool check_data = false;
  /// Further findings are counted, but not kept.
  size_t max_findings = 1000;
};

struct ValidationReport {
  std::vector<Finding> findings;
  size_t errors = 0;
  size_t warnings = 0;
  /// What was checked; the first version is that of a checkpoint where the log was cleaned.
  int64_t first_version = -1;
  int64_t last_version = -1;
  size_t live_files = 0;
};

/// Checks every rule of the protocol over the whole log: each commit by itself, each against the state before it, and
/// what is derived of them (checkpoints, compacted files, checksums, the hint, our own snapshot) against that state,
/// which is built one commit after the other, with none of the reader's shortcuts. Changes nothing.
///
/// What is wrong with the table is in the report; a status other than OK is a store that cannot be read, or NotFound
/// where there is no log. Holds the live files in memory, a few hundred bytes each, and the actions of one commit, of a
/// distant store the texts of some more.
Result<ValidationReport> ValidateTable(const TableContext& table, const ValidateOptions& options = {});

}  // namespace tarn::delta
