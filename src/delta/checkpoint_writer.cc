#include <arrow/record_batch.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/clock.h"
#include "columnar/parquet_writer.h"
#include "delta/checkpoint_schema.h"
#include "delta/checkpoint_source.h"
#include "delta/interval.h"
#include "delta/last_checkpoint.h"
#include "delta/log_names.h"
#include "delta/protocol_features.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

constexpr int64_t kDefaultTombstoneMillis = int64_t{7} * 24 * 3600 * 1000;

/// What a written checkpoint is, as the hint tells it.
struct WrittenCheckpoint {
  int64_t num_actions = 0;
  int64_t size_bytes = 0;
};

std::optional<std::string> Property(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.configuration.find(key);
  return found == metadata.configuration.end() ? std::nullopt : std::optional(found->second);
}

/// Tombstones up to this time are expired. A retention that cannot be read keeps all of them: dropping one too early
/// would let vacuum take a file that a reader still needs.
int64_t TombstoneCutoffMillis(const Metadata& metadata, Clock& clock) {
  int64_t retention = kDefaultTombstoneMillis;
  if (const auto property = Property(metadata, "delta.deletedFileRetentionDuration")) {
    const Result<int64_t> parsed = ParseIntervalMillis(*property);
    if (!parsed.ok()) return -1;
    retention = *parsed;
  }
  return clock.WallMicros() / kMicrosPerMilli - retention;
}

bool HasDomains(const Protocol& protocol) {
  if (!protocol.writer_features.has_value()) return false;
  const auto& features = *protocol.writer_features;
  return std::find(features.begin(), features.end(), "domainMetadata") != features.end();
}

/// Streams the snapshot into an open file. What scans never read comes first, in row groups of its own, so that they
/// can be skipped by the null counts of `add.path`.
Status Fill(const TableContext& table, const Snapshot& snapshot, const CheckpointSource& source, CheckpointRows& rows,
            columnar::ParquetWriter& file) {
  const Metadata& metadata = snapshot.metadata();
  TARN_RETURN_NOT_OK(rows.Append(snapshot.protocol()));
  TARN_RETURN_NOT_OK(rows.Append(metadata));
  TARN_RETURN_NOT_OK(source.VisitTxns([&](const Txn& txn) { return rows.Append(txn); }));
  if (HasDomains(snapshot.protocol())) {
    TARN_RETURN_NOT_OK(source.VisitDomains(
        [&](const DomainMetadata& domain) { return domain.removed ? Status::Ok() : rows.Append(domain); }));
  }
  const int64_t cutoff = TombstoneCutoffMillis(metadata, *table.clock);
  TARN_RETURN_NOT_OK(source.VisitRemoves(table, cutoff, [&](const Remove& remove) {
    return remove.deletion_timestamp_millis.value_or(0) > cutoff ? rows.Append(remove) : Status::Ok();
  }));
  TARN_RETURN_NOT_OK(rows.Flush());
  TARN_RETURN_NOT_OK(file.EndRowGroup());

  const bool with_stats = Property(metadata, "delta.checkpoint.writeStatsAsJson").value_or("true") != "false";
  size_t adds = 0;
  TARN_RETURN_NOT_OK(source.VisitAdds([&](const Add& add) {
    ++adds;
    return rows.Append(add, with_stats);
  }));
  if (adds != snapshot.num_files()) {
    return Status::Internal("a snapshot of " + std::to_string(snapshot.num_files()) + " files gave " +
                            std::to_string(adds) + " for its checkpoint");
  }
  return rows.Flush();
}

Result<WrittenCheckpoint> WriteFile(const TableContext& table, const Snapshot& snapshot,
                                    const CheckpointSource& source) {
  columnar::ParquetWriterOptions options;
  options.indexed_columns = 0;
  options.row_group_rows = 32 << 10;
  options.row_group_bytes = 16 << 20;
  options.precondition = storage::Precondition::IfAbsent();
  const bool with_domains = HasDomains(snapshot.protocol());
  TARN_ASSIGN_OR_RETURN(const auto file, columnar::ParquetWriter::Open(*table.store, CheckpointKey(snapshot.version()),
                                                                       CheckpointSchema(with_domains), options));
  CheckpointRows rows(with_domains, [&](const arrow::RecordBatch& batch) { return file->Append(batch); });
  TARN_RETURN_NOT_OK(Fill(table, snapshot, source, rows, *file));
  TARN_ASSIGN_OR_RETURN(const columnar::WrittenFile written, file->Finish());
  return WrittenCheckpoint{rows.num_rows(), written.size_bytes};
}

/// Points the hint at the checkpoint, unless it already names a later one. A lost race leaves the other writer's hint,
/// which is as good.
Status WriteHint(const TableContext& table, const Snapshot& snapshot, const WrittenCheckpoint& checkpoint) {
  storage::Precondition precondition = storage::Precondition::IfAbsent();
  const Result<storage::ObjectInfo> info = table.store->Head(kLastCheckpointKey);
  if (info.ok()) {
    const std::optional<LastCheckpoint> hint = ReadLastCheckpoint(*table.store);
    if (hint.has_value() && hint->version > snapshot.version()) return Status::Ok();
    precondition = storage::Precondition::IfMatch(info->etag);
  } else if (!info.status().Is(StatusCode::kNotFound)) {
    return info.status();
  }
  const std::string text = R"({"version":)" + std::to_string(snapshot.version()) + R"(,"size":)" +
                           std::to_string(checkpoint.num_actions) + R"(,"sizeInBytes":)" +
                           std::to_string(checkpoint.size_bytes) + R"(,"numOfAddFiles":)" +
                           std::to_string(snapshot.num_files()) + "}";
  Status put = table.store->Put(kLastCheckpointKey, AsBytes(text), precondition).status();
  if (put.Is(StatusCode::kAlreadyExists) || put.Is(StatusCode::kConflict)) return Status::Ok();
  return put;
}

}  // namespace

Status WriteCheckpoint(const TableContext& table, const Snapshot& snapshot) {
  const auto* source = dynamic_cast<const CheckpointSource*>(&snapshot);
  if (source == nullptr) return Status::Unsupported("this snapshot cannot be written as a checkpoint");
  // A feature that only its own writers know may need more in a checkpoint than the actions we keep.
  TARN_RETURN_NOT_OK(CheckWritable(snapshot.protocol(), snapshot.metadata(), *snapshot.schema()));
  const Result<storage::ObjectInfo> existing = table.store->Head(CheckpointKey(snapshot.version()));
  if (existing.ok()) return Status::Ok();
  if (!existing.status().Is(StatusCode::kNotFound)) return existing.status();
  const Result<WrittenCheckpoint> written = WriteFile(table, snapshot, *source);
  if (written.status().Is(StatusCode::kAlreadyExists)) return Status::Ok();
  TARN_RETURN_NOT_OK(written.status());
  return WriteHint(table, snapshot, *written);
}

}  // namespace tarn::delta
