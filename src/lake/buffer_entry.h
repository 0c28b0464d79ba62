#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/memory_budget.h"
#include "base/status.h"
#include "lake/row_log.h"
#include "lake/row_shape.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// The rows of one WAL record, or of several put together, from acknowledgement until a committed version holds them.
/// Immutable.
struct BufferEntry {
  std::shared_ptr<RowLog> log;
  /// Of the last record.
  wal::Position position = 0;
  /// Of the first.
  int64_t acked_monotonic_micros = 0;
  int64_t num_rows = 0;
  int64_t bytes = 0;
  /// As acknowledged, cut by `cut_by`.
  std::vector<std::shared_ptr<const BufferSegment>> segments;
  std::shared_ptr<const TableColumns> cut_by;
  /// Columns of the record, partition columns included, `time_date` not where it is derived.
  std::shared_ptr<arrow::Schema> schema;
  /// Held by the segments, so that it lasts as long as the last view of them.
  std::shared_ptr<MemoryBudget::Reservation> memory;

  /// Rows of one record in one segment.
  struct Share {
    wal::Position position = 0;
    uint32_t segment = 0;
    uint32_t rows = 0;
  };
  /// Which rows are whose, in the order of positions and, within a segment, of rows; empty for a single record.
  std::vector<Share> shares;
};

/// The positions of all records of the entry.
std::vector<wal::Position> PositionsOf(const BufferEntry& entry);

/// A segment that keeps `memory` reserved while anyone can see it.
std::shared_ptr<const BufferSegment> ShareSegment(BufferSegment segment,
                                                  std::shared_ptr<MemoryBudget::Reservation> memory);

/// Entries of one log with equal columns, cut alike, in the order of positions, copied into one; null when the budget
/// has no room for that. A segment costs thousands of bytes beside its rows, and a scan some microseconds.
Result<std::shared_ptr<const BufferEntry>> MergeEntries(const std::vector<std::shared_ptr<const BufferEntry>>& entries,
                                                        MemoryBudget& budget);
/// The entry as it was before: one for each record.
std::vector<BufferEntry> SplitByRecord(const BufferEntry& entry);

/// Rows of an entry as a table in another shape can hold them.
struct RefittedRows {
  std::vector<std::shared_ptr<const BufferSegment>> segments;
  using Rejected = RejectedRows;
  std::vector<Rejected> rejected;
};

/// True when the entry's segments can be read as they are in a table with such columns.
bool EntryFits(const BufferEntry& entry, const TableColumns& columns);
/// Rows that break one of the constraints do not fit either, where there are any to keep.
Result<RefittedRows> RefitEntry(const BufferEntry& entry, const TableColumns& columns,
                                const delta::RowConstraints* constraints);
/// Whether all rows of an entry that fits keep them.
Result<bool> EntryKeeps(const BufferEntry& entry, const delta::RowConstraints& constraints);

}  // namespace tarn::lake
