#include "lake/buffer_entry.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "columnar/arrow_status.h"

namespace tarn::lake {

namespace {

struct AccountedSegment final : BufferSegment {
  std::shared_ptr<MemoryBudget::Reservation> memory;
};

std::vector<BufferEntry::Share> SharesOf(const BufferEntry& entry) {
  if (!entry.shares.empty()) return entry.shares;
  std::vector<BufferEntry::Share> shares;
  for (uint32_t i = 0; i < entry.segments.size(); ++i) {
    shares.push_back({entry.position, i, static_cast<uint32_t>(entry.segments[i]->num_rows)});
  }
  return shares;
}

/// The place of the segment with these partition values, made when there is none.
uint32_t FindOrAddPart(std::vector<BufferSegment>& parts, const std::vector<columnar::Value>& values) {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [&](const BufferSegment& part) { return part.partition_values == values; });
  if (found != parts.end()) return static_cast<uint32_t>(found - parts.begin());
  parts.emplace_back().partition_values = values;
  return static_cast<uint32_t>(parts.size() - 1);
}

}  // namespace

std::vector<wal::Position> PositionsOf(const BufferEntry& entry) {
  if (entry.shares.empty()) return {entry.position};
  std::vector<wal::Position> positions;
  for (const BufferEntry::Share& share : entry.shares) {
    if (positions.empty() || positions.back() != share.position) positions.push_back(share.position);
  }
  return positions;
}

std::shared_ptr<const BufferSegment> ShareSegment(BufferSegment segment,
                                                  std::shared_ptr<MemoryBudget::Reservation> memory) {
  auto shared = std::make_shared<AccountedSegment>();
  static_cast<BufferSegment&>(*shared) = std::move(segment);
  shared->memory = std::move(memory);
  return shared;
}

Result<std::shared_ptr<const BufferEntry>> MergeEntries(const std::vector<std::shared_ptr<const BufferEntry>>& entries,
                                                        MemoryBudget& budget) {
  auto merged = std::make_shared<BufferEntry>();
  merged->log = entries.back()->log;
  merged->position = entries.back()->position;
  merged->cut_by = entries.back()->cut_by;
  merged->schema = entries.back()->schema;
  merged->acked_monotonic_micros = entries.back()->acked_monotonic_micros;
  std::vector<BufferSegment> parts;
  for (const auto& entry : entries) {
    merged->num_rows += entry->num_rows;
    merged->acked_monotonic_micros = std::min(merged->acked_monotonic_micros, entry->acked_monotonic_micros);
    std::vector<uint32_t> places;
    for (const auto& segment : entry->segments) {
      places.push_back(FindOrAddPart(parts, segment->partition_values));
      auto& batches = parts[places.back()].batches;
      batches.insert(batches.end(), segment->batches.begin(), segment->batches.end());
    }
    for (const BufferEntry::Share& share : SharesOf(*entry)) {
      merged->shares.push_back({share.position, places[share.segment], share.rows});
    }
  }
  merged->bytes = static_cast<int64_t>(merged->shares.size() * sizeof(BufferEntry::Share));
  for (BufferSegment& part : parts) {
    TARN_ASSIGN_OR_RETURN(auto rows, columnar::FromArrow(arrow::ConcatenateRecordBatches(part.batches)));
    part.num_rows = rows->num_rows();
    part.bytes = RowBytes(*rows);
    part.batches = {std::move(rows)};
    merged->bytes += part.bytes;
  }
  auto memory = budget.TryReserve(static_cast<size_t>(merged->bytes));
  if (!memory.has_value()) return std::shared_ptr<const BufferEntry>();
  merged->memory = std::make_shared<MemoryBudget::Reservation>(std::move(*memory));
  for (BufferSegment& part : parts) merged->segments.push_back(ShareSegment(std::move(part), merged->memory));
  return std::shared_ptr<const BufferEntry>(std::move(merged));
}

std::vector<BufferEntry> SplitByRecord(const BufferEntry& entry) {
  if (entry.shares.empty()) return {entry};
  std::vector<BufferEntry> records;
  std::vector<int64_t> begins(entry.segments.size());
  for (const BufferEntry::Share& share : entry.shares) {
    if (records.empty() || records.back().position != share.position) {
      BufferEntry& record = records.emplace_back();
      record.log = entry.log;
      record.position = share.position;
      record.acked_monotonic_micros = entry.acked_monotonic_micros;
      record.cut_by = entry.cut_by;
      record.schema = entry.schema;
      record.memory = entry.memory;
    }
    const BufferSegment& whole = *entry.segments[share.segment];
    BufferSegment part;
    part.batches = {whole.batches.front()->Slice(begins[share.segment], share.rows)};
    part.num_rows = share.rows;
    part.bytes = RowBytes(*part.batches.front());
    part.partition_values = whole.partition_values;
    begins[share.segment] += share.rows;
    BufferEntry& record = records.back();
    record.num_rows += part.num_rows;
    record.bytes += part.bytes;
    record.segments.push_back(ShareSegment(std::move(part), entry.memory));
  }
  return records;
}

namespace {

/// Whether a segment has every value that must not be null: those of partition columns are its own, the others those of
/// its rows.
bool SegmentHasRequired(const BufferSegment& segment, const TableColumns& columns) {
  for (const auto& field : columns.schema->fields()) {
    if (field->nullable()) continue;
    const auto& partitioned = columns.partition_columns;
    const auto place = std::find(partitioned.begin(), partitioned.end(), field->name());
    if (place != partitioned.end()) {
      if (columnar::IsNull(segment.partition_values[static_cast<size_t>(place - partitioned.begin())])) return false;
      continue;
    }
    for (const auto& batch : segment.batches) {
      if (!HasRequired(*batch, *field)) return false;
    }
  }
  return true;
}

}  // namespace

bool EntryFits(const BufferEntry& entry, const TableColumns& columns) {
  return entry.cut_by->partition_columns == columns.partition_columns &&
         entry.cut_by->derives_time_date() == columns.derives_time_date() &&
         FitsWhole(*entry.schema, *columns.schema) &&
         std::all_of(entry.segments.begin(), entry.segments.end(),
                     [&](const auto& segment) { return SegmentHasRequired(*segment, columns); });
}

Result<RefittedRows> RefitEntry(const BufferEntry& entry, const TableColumns& columns,
                                const delta::RowConstraints* constraints) {
  RefittedRows out;
  for (const auto& segment : entry.segments) {
    TARN_ASSIGN_OR_RETURN(const auto batches, WholeRows(*segment, *entry.cut_by));
    for (const auto& batch : batches) {
      TARN_ASSIGN_OR_RETURN(FittedRows fitted, FitRows(batch, columns));
      if (fitted.rejected != nullptr) out.rejected.push_back({std::move(fitted.rejected), std::move(fitted.reason)});
      if (fitted.kept != nullptr && constraints != nullptr) {
        TARN_ASSIGN_OR_RETURN(fitted.kept, RowsThatKeep(fitted.kept, columns, *constraints, out.rejected));
      }
      if (fitted.kept == nullptr) continue;
      TARN_ASSIGN_OR_RETURN(auto cut, CutByPartition(fitted.kept, columns));
      for (BufferSegment& part : cut) out.segments.push_back(ShareSegment(std::move(part), entry.memory));
    }
  }
  return out;
}

Result<bool> EntryKeeps(const BufferEntry& entry, const delta::RowConstraints& constraints) {
  if (constraints.empty()) return true;
  for (const auto& segment : entry.segments) {
    TARN_ASSIGN_OR_RETURN(const auto batches, WholeRows(*segment, *entry.cut_by));
    for (const auto& batch : batches) {
      TARN_ASSIGN_OR_RETURN(const auto rows, TableRows(*batch, *entry.cut_by, constraints.schema()));
      if (!constraints.Find(*rows, /*limit=*/1).empty()) return false;
    }
  }
  return true;
}

}  // namespace tarn::lake
