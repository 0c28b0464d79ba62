#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/snapshot.h"

namespace tarn::delta {

/// Statistics and partition values of checkpoints in columns of their own (PROTOCOL.md, "Checkpoint Schema":
/// `stats_parsed`, `partitionValues_parsed`).

/// The type of `stats_parsed` for a table: numRecords, minValues, maxValues, nullCount and tightBounds, of the columns
/// that the table's properties index (32 leaves unless they say otherwise), under their stored names.
std::shared_ptr<arrow::DataType> ParsedStatsType(const Snapshot& snapshot);

/// The type of `partitionValues_parsed`; nullptr for a table that is not partitioned.
std::shared_ptr<arrow::DataType> ParsedPartitionType(const Snapshot& snapshot);

/// Appends the statistics of a `stats` text to a builder of `type`, a ParsedStatsType: null when there are none or the
/// text is not an object; a single value that does not fit its column exactly is null, which means unknown.
Status AppendParsedStats(arrow::ArrayBuilder& builder, const arrow::DataType& type, std::string_view stats);

/// Appends partition values to a builder of `type`, a ParsedPartitionType; a value that does not fit its column is
/// null.
Status AppendParsedPartition(arrow::ArrayBuilder& builder, const arrow::DataType& type, const PartitionValues& values);

/// The `stats` text of a row of `stats_parsed`, whoever wrote it; "" when the row is null. What the text cannot hold
/// exactly is left out.
std::string StatsTextOf(const arrow::Array& stats_parsed, int64_t row);

}  // namespace tarn::delta
