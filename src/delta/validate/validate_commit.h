#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/validate/validate_findings.h"
#include "storage/object_store.h"

namespace tarn::delta::validation {

template <typename Action>
struct AtLine {
  Action action;
  int64_t line = 0;
};

/// The actions of one commit or compacted file as they stand in it.
struct CommitActions {
  Place place;
  std::vector<AtLine<Protocol>> protocols;
  std::vector<AtLine<Metadata>> metadatas;
  std::vector<AtLine<Txn>> txns;
  std::vector<AtLine<DomainMetadata>> domains;
  std::vector<AtLine<Add>> adds;
  std::vector<AtLine<Remove>> removes;
  std::vector<AtLine<CommitInfo>> infos;
  /// False when a line could not be read: what it did to the table is unknown.
  bool complete = true;
};

/// Reads a file of JSON actions and checks every line by itself: one known action each, the protocol's fields with
/// their types. A status other than OK is the store's.
Result<CommitActions> ReadActions(storage::ObjectStore& store, const Place& place, Findings& findings);

/// The two halves of that: what reading the file gave, and what is made of it.
Result<std::string> ReadActionsText(storage::ObjectStore& store, const std::string& key);
Result<CommitActions> CheckActions(Result<std::string> read, const Place& place, Findings& findings);

}  // namespace tarn::delta::validation
