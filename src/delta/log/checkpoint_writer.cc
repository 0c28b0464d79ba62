#include <arrow/record_batch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "columnar/parquet_writer.h"
#include "delta/log/checkpoint_schema.h"
#include "delta/log/checkpoint_source.h"
#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/log/parsed_statistics.h"
#include "delta/log/retention.h"
#include "delta/protocol_features.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

/// Sidecars are closed at whichever bound comes first; readers take each of them in one piece on one thread.
constexpr int64_t kMaxSidecarRows = 64 << 10;
constexpr int64_t kMaxSidecarBytes = 64 << 20;

/// What a written checkpoint is, as the hint tells it.
struct WrittenCheckpoint {
  int64_t num_actions = 0;
  /// With the sidecars.
  int64_t size_bytes = 0;
  /// The own file of a v2 checkpoint.
  std::optional<columnar::WrittenFile> manifest;
};

std::optional<std::string> Property(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.configuration.find(key);
  return found == metadata.configuration.end() ? std::nullopt : std::optional(found->second);
}

/// Tombstones up to this time are expired. A retention that cannot be read keeps all of them: dropping one too early
/// would let vacuum take a file that a reader still needs.
int64_t TombstoneCutoffMillis(const Metadata& metadata, Clock& clock) {
  const Result<int64_t> retention = DeletedFileRetentionMillis(metadata);
  return retention.ok() ? clock.WallMicros() / kMicrosPerMilli - *retention : -1;
}

bool HasFeature(const Protocol& protocol, const std::string& name) {
  if (!protocol.writer_features.has_value()) return false;
  const auto& features = *protocol.writer_features;
  return std::find(features.begin(), features.end(), name) != features.end();
}

/// Also of a table whose log has domains although its protocol lacks the feature: what others wrote is kept.
Result<bool> HasDomains(const Snapshot& snapshot, const CheckpointSource& source) {
  bool any = HasFeature(snapshot.protocol(), "domainMetadata");
  TARN_RETURN_NOT_OK(source.VisitDomains([&](const DomainMetadata& domain) {
    any = any || !domain.removed;
    return Status::Ok();
  }));
  return any;
}

bool WantsV2(const Snapshot& snapshot) {
  return HasFeature(snapshot.protocol(), "v2Checkpoint") &&
         Property(snapshot.metadata(), "delta.checkpointPolicy") == "v2";
}

/// The layout with statistics in the forms that the table asks for.
CheckpointLayout WithStatsOf(CheckpointLayout layout, const Snapshot& snapshot) {
  const Metadata& metadata = snapshot.metadata();
  layout.stats_as_json = Property(metadata, "delta.checkpoint.writeStatsAsJson").value_or("true") != "false";
  if (PropertyIsTrue(metadata, "delta.checkpoint.writeStatsAsStruct")) {
    layout.parsed_stats = ParsedStatsType(snapshot);
    layout.parsed_partition = ParsedPartitionType(snapshot);
  }
  return layout;
}

/// One Parquet file of a checkpoint.
class CheckpointFile {
 public:
  static Result<std::unique_ptr<CheckpointFile>> Open(const TableContext& table, const std::string& key,
                                                      CheckpointLayout layout) {
    columnar::ParquetWriterOptions options;
    options.indexed_columns = 0;
    options.row_group_rows = 32 << 10;
    options.row_group_bytes = 16 << 20;
    options.precondition = storage::Precondition::IfAbsent();
    TARN_ASSIGN_OR_RETURN(auto file, columnar::ParquetWriter::Open(*table.store, key, layout.Schema(), options));
    return std::unique_ptr<CheckpointFile>(new CheckpointFile(std::move(file), std::move(layout)));
  }

  CheckpointRows& rows() { return rows_; }
  template <typename Action>
  Status Append(const Action& action) {
    return rows_.Append(action);
  }
  Status EndRowGroup() {
    TARN_RETURN_NOT_OK(rows_.Flush());
    return file_->EndRowGroup();
  }
  int64_t bytes_written() const { return file_->bytes_written(); }
  Result<columnar::WrittenFile> Finish() {
    TARN_RETURN_NOT_OK(rows_.Flush());
    return file_->Finish();
  }

 private:
  CheckpointFile(std::unique_ptr<columnar::ParquetWriter> file, CheckpointLayout layout)
      : file_(std::move(file)),
        rows_(std::move(layout), [this](const arrow::RecordBatch& batch) { return file_->Append(batch); }) {}

  const std::unique_ptr<columnar::ParquetWriter> file_;
  CheckpointRows rows_;
};

/// Spreads file actions over sidecars of bounded size. What was written is removed again unless it is kept.
class SidecarWriter {
 public:
  SidecarWriter(const TableContext& table, CheckpointLayout layout) : table_(table), layout_(std::move(layout)) {}
  ~SidecarWriter() {
    // Best effort: what stays is cleaned up by age, as is what a process that died leaves.
    for (const Sidecar& sidecar : written_) (void)table_.store->Delete(SidecarKey(sidecar.name));
  }
  SidecarWriter(const SidecarWriter&) = delete;
  SidecarWriter& operator=(const SidecarWriter&) = delete;

  template <typename Action>
  Status Append(const Action& action) {
    if (file_ == nullptr) {
      name_ = table_.random->Uuid() + ".parquet";
      TARN_ASSIGN_OR_RETURN(file_, CheckpointFile::Open(table_, SidecarKey(name_), layout_));
    }
    TARN_RETURN_NOT_OK(file_->Append(action));
    const bool full = file_->rows().num_rows() >= kMaxSidecarRows || file_->bytes_written() >= kMaxSidecarBytes;
    return full ? EndFile() : Status::Ok();
  }
  Status EndRowGroup() { return file_ == nullptr ? Status::Ok() : file_->EndRowGroup(); }
  Status EndFile() {
    if (file_ == nullptr) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(const columnar::WrittenFile written, file_->Finish());
    file_.reset();
    written_.push_back({name_, written.size_bytes, written.modified_micros / kMicrosPerMilli});
    num_rows_ += written.num_records;
    size_bytes_ += written.size_bytes;
    return Status::Ok();
  }

  const std::vector<Sidecar>& written() const { return written_; }
  int64_t num_rows() const { return num_rows_; }
  int64_t size_bytes() const { return size_bytes_; }
  void Keep() { written_.clear(); }

 private:
  const TableContext& table_;
  const CheckpointLayout layout_;
  std::string name_;
  std::unique_ptr<CheckpointFile> file_;
  std::vector<Sidecar> written_;
  int64_t num_rows_ = 0;
  int64_t size_bytes_ = 0;
};

Status WriteSmallActions(const Snapshot& snapshot, const CheckpointSource& source, CheckpointRows& rows) {
  TARN_RETURN_NOT_OK(rows.Append(snapshot.protocol()));
  TARN_RETURN_NOT_OK(rows.Append(snapshot.metadata()));
  TARN_RETURN_NOT_OK(source.VisitTxns([&](const Txn& txn) { return rows.Append(txn); }));
  return source.VisitDomains(
      [&](const DomainMetadata& domain) { return domain.removed ? Status::Ok() : rows.Append(domain); });
}

/// Streams tombstones and files. What scans never read comes first, in row groups of its own, so that they can be
/// skipped by the null counts of `add.path`.
template <typename Sink>
Status WriteFileActions(const TableContext& table, const Snapshot& snapshot, const CheckpointSource& source,
                        Sink& sink) {
  const int64_t cutoff = TombstoneCutoffMillis(snapshot.metadata(), *table.clock);
  TARN_RETURN_NOT_OK(source.VisitRemoves(table, cutoff, [&](const Remove& remove) {
    return remove.deletion_timestamp_millis.value_or(0) > cutoff ? sink.Append(remove) : Status::Ok();
  }));
  TARN_RETURN_NOT_OK(sink.EndRowGroup());
  size_t adds = 0;
  TARN_RETURN_NOT_OK(source.VisitAdds([&](const Add& add) {
    ++adds;
    return sink.Append(add);
  }));
  if (adds == snapshot.num_files()) return Status::Ok();
  return Status::Internal("a snapshot of " + std::to_string(snapshot.num_files()) + " files gave " +
                          std::to_string(adds) + " for its checkpoint");
}

Result<WrittenCheckpoint> WriteClassic(const TableContext& table, const Snapshot& snapshot,
                                       const CheckpointSource& source) {
  TARN_ASSIGN_OR_RETURN(const bool domains, HasDomains(snapshot, source));
  const auto layout = WithStatsOf(CheckpointLayout::Classic(domains), snapshot);
  TARN_ASSIGN_OR_RETURN(const auto file, CheckpointFile::Open(table, CheckpointKey(snapshot.version()), layout));
  TARN_RETURN_NOT_OK(WriteSmallActions(snapshot, source, file->rows()));
  TARN_RETURN_NOT_OK(WriteFileActions(table, snapshot, source, *file));
  TARN_ASSIGN_OR_RETURN(const columnar::WrittenFile written, file->Finish());
  return WrittenCheckpoint{written.num_records, written.size_bytes, std::nullopt};
}

/// All file actions in sidecars, all others in a file under a name of its own.
Result<WrittenCheckpoint> WriteV2(const TableContext& table, const Snapshot& snapshot, const CheckpointSource& source) {
  SidecarWriter sidecars(table, WithStatsOf(CheckpointLayout::OfSidecar(), snapshot));
  TARN_RETURN_NOT_OK(WriteFileActions(table, snapshot, source, sidecars));
  TARN_RETURN_NOT_OK(sidecars.EndFile());
  const std::string key = UuidCheckpointKey(snapshot.version(), table.random->Uuid());
  TARN_ASSIGN_OR_RETURN(const auto file, CheckpointFile::Open(table, key, CheckpointLayout::Manifest()));
  TARN_RETURN_NOT_OK(file->rows().AppendCheckpointMetadata(snapshot.version()));
  TARN_RETURN_NOT_OK(WriteSmallActions(snapshot, source, file->rows()));
  for (const Sidecar& sidecar : sidecars.written()) TARN_RETURN_NOT_OK(file->Append(sidecar));
  const Result<columnar::WrittenFile> written = file->Finish();
  // With an unknown outcome the manifest may be there and need them.
  if (written.ok() || written.status().Is(StatusCode::kIndeterminate)) sidecars.Keep();
  TARN_RETURN_NOT_OK(written.status());
  return WrittenCheckpoint{written->num_records + sidecars.num_rows(), written->size_bytes + sidecars.size_bytes(),
                           *written};
}

/// Whether the version has a checkpoint of the kind that is wanted; several writers of v2 checkpoints would not notice
/// each other by name.
Result<bool> HasCheckpoint(const TableContext& table, int64_t version, bool v2) {
  if (!v2) {
    const Result<storage::ObjectInfo> classic = table.store->Head(CheckpointKey(version));
    if (!classic.ok() && !classic.status().Is(StatusCode::kNotFound)) return classic.status();
    return classic.ok();
  }
  bool found = false;
  storage::ListOptions options;
  options.prefix = std::string(kLogFolder) + PaddedVersion(version) + ".checkpoint.";
  TARN_RETURN_NOT_OK(table.store->List(options, [&](const storage::ListEntry& entry) {
    const auto name = ParseLogName(std::string_view(entry.object.key).substr(kLogFolder.size()));
    found = name.has_value() && name->parts == 1;
    return !found;
  }));
  return found;
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
  std::string text = R"({"version":)" + std::to_string(snapshot.version()) + R"(,"size":)" +
                     std::to_string(checkpoint.num_actions) + R"(,"sizeInBytes":)" +
                     std::to_string(checkpoint.size_bytes) + R"(,"numOfAddFiles":)" +
                     std::to_string(snapshot.num_files());
  if (checkpoint.manifest.has_value()) {
    text += R"(,"v2Checkpoint":{"path":")" + checkpoint.manifest->key.substr(kLogFolder.size()) +
            R"(","sizeInBytes":)" + std::to_string(checkpoint.manifest->size_bytes) + R"(,"modificationTime":)" +
            std::to_string(checkpoint.manifest->modified_micros / kMicrosPerMilli) + "}";
  }
  text += "}";
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
  const bool v2 = WantsV2(snapshot);
  TARN_ASSIGN_OR_RETURN(const bool exists, HasCheckpoint(table, snapshot.version(), v2));
  if (exists) return Status::Ok();
  const auto written = v2 ? WriteV2(table, snapshot, *source) : WriteClassic(table, snapshot, *source);
  if (written.status().Is(StatusCode::kAlreadyExists)) return Status::Ok();
  TARN_RETURN_NOT_OK(written.status());
  return WriteHint(table, snapshot, *written);
}

}  // namespace tarn::delta
