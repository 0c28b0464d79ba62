#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "delta/actions.h"
#include "delta/snapshot.h"
#include "delta/validate/validate_findings.h"

namespace tarn::delta::validation {

/// What is compared of an `add`: short values as they are, long ones as digests of what they mean.
struct AddFacts {
  /// Unique id of the deletion vector, "" without one.
  std::string vector_id;
  int64_t size_bytes = 0;
  int64_t modification_time_millis = 0;
  uint64_t partition_values = 0;
  uint64_t vector = 0;
  uint64_t tags = 0;
  /// 0 without statistics.
  uint64_t stats = 0;

  static AddFacts Of(const Add& add);
};

/// What differs, in a few words; "" for equal files.
std::string DifferenceOf(const AddFacts& expected, const AddFacts& found, bool with_stats);

/// The reconciled actions of one version, in the plainest form that there is.
struct TableModel {
  std::optional<Protocol> protocol;
  std::optional<Metadata> metadata;
  std::map<std::string, Txn> txns;
  /// Removed ones are not kept.
  std::map<std::string, DomainMetadata> domains;
  /// Live files by canonical path.
  std::unordered_map<std::string, AddFacts> files;
};

/// What a snapshot of ours holds. A file that it has twice is a finding.
Result<TableModel> ModelOf(const Snapshot& snapshot, const std::string& table_uri, const std::string& rule,
                           const Place& place, Findings& findings);

struct CompareOptions {
  /// False for checkpoints of tables that keep no statistics as text in them.
  bool stats = true;
  /// False where applications' versions expire.
  bool txns = true;
};

/// Reports under `rule` where `found` is not `expected`; the first few differences of each kind are named.
void CompareModels(const TableModel& expected, const TableModel& found, const CompareOptions& options,
                   const std::string& rule, const Place& place, Findings& findings);

}  // namespace tarn::delta::validation
