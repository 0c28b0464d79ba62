#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/snapshot.h"
#include "delta/table.h"

namespace tarn::delta {

/// Writes the version checksum (PROTOCOL.md, "Version Checksum File") of the snapshot unless there is one: readers take
/// protocol and metaData from it, and some refuse a table whose checksum is not what replay gives. Only for versions
/// that are committed. Costs one Put, whatever the table's size; an optional file, so that a failure may be passed
/// over.
Status WriteChecksum(const TableContext& table, const Snapshot& snapshot);

/// What of a version checksum is not what replay gave.
struct ChecksumDifference {
  /// Empty when nothing is.
  std::string what;
  /// It says otherwise, and not merely less than it should.
  bool contradicts = false;
};

/// Compares sizes and counts with the snapshot's and, where they are there, protocol and metaData, which writers of
/// old left out.
ChecksumDifference DifferenceFromChecksum(std::string_view text, const Snapshot& snapshot);

}  // namespace tarn::delta
