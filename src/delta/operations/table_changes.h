#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "delta/snapshot.h"
#include "delta/table.h"

namespace tarn::delta {

/// The columns that changes have behind those of the table (PROTOCOL.md, "Reader Requirements for AddCDCFile").
inline constexpr std::string_view kChangeTypeColumn = "_change_type";
inline constexpr std::string_view kCommitVersionColumn = "_commit_version";
inline constexpr std::string_view kCommitTimestampColumn = "_commit_timestamp";

/// Commits carry milliseconds: the last one that is not later than a time, and the first that is not earlier.
constexpr int64_t FloorMillis(int64_t micros) {
  return micros / kMicrosPerMilli - (micros % kMicrosPerMilli < 0 ? 1 : 0);
}
constexpr int64_t CeilMillis(int64_t micros) {
  return micros / kMicrosPerMilli + (micros % kMicrosPerMilli > 0 ? 1 : 0);
}

/// One end of a range of commits: a version or a time.
struct ChangePoint {
  std::optional<int64_t> version;
  std::optional<int64_t> timestamp_millis;
};

/// Commits from `first` to `last`, both included. A time stands for the first commit that is not earlier, or the last
/// one that is not later; without `last` the range ends with the newest commit.
struct ChangeRange {
  ChangePoint first;
  std::optional<ChangePoint> last;
};

/// What the commits of a range changed, as a snapshot whose files hold the changed rows: the columns of the table as of
/// the last commit, then `_change_type`, `_commit_version` and `_commit_timestamp`, which are partition columns to
/// whoever reads.
///
/// A commit with change files gives what they hold (insert, delete, update_preimage, update_postimage); another the
/// rows of the files that it added (insert) and removed (delete), and of one that stays with another deletion vector
/// the rows that only one of both deletes. Commits that only rearrange rows (`dataChange` false) give nothing. Opening
/// costs O(actions in the range); deletion vectors are read with the files.
///
/// AddAction is Unsupported, and Refresh may not be called with it. Statistics are not kept, so only the partition
/// columns skip files. NotFound names a version that the table does not have or the first commit that the log no longer
/// holds; InvalidArgument for a range that is empty; Unsupported for a change of the schema in it that earlier rows do
/// not fit.
Result<std::shared_ptr<const Snapshot>> ReadChanges(const TableContext& table, const ChangeRange& range);

}  // namespace tarn::delta
