#include "lake/table_flush.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "base/log.h"
#include "base/uri.h"
#include "columnar/arrow_status.h"
#include "columnar/delta_schema.h"
#include "delta/files/column_mapping.h"
#include "delta/files/data_file_writer.h"
#include "delta/operations/alter_table.h"
#include "delta/schema_evolution.h"
#include "delta/table_path.h"
#include "lake/digits.h"
#include "lake/rejected_store.h"

namespace tarn::lake {

namespace {

/// Losing this often in a row means that something else is wrong; the rows stay buffered and the flush is tried later.
constexpr int kMaxAttempts = 16;
/// Small batches are put together to this many rows before they are encoded.
constexpr int64_t kEncodeRows = 16 * 1024;
constexpr char kMappingMode[] = "delta.columnMapping.mode";

/// What a data file holds: the columns that are not in its path.
std::shared_ptr<arrow::Schema> FileSchema(const TableColumns& columns) {
  arrow::FieldVector fields;
  for (const auto& field : columns.schema->fields()) {
    const auto& partitioned = columns.partition_columns;
    if (std::find(partitioned.begin(), partitioned.end(), field->name()) == partitioned.end()) fields.push_back(field);
  }
  return arrow::schema(std::move(fields));
}

/// No later attempt can end otherwise: about the table or the rows, not about the moment.
bool IsFinal(const Status& status) {
  return status.Is(StatusCode::kUnsupported) || status.Is(StatusCode::kInvalidArgument);
}

}  // namespace

Result<FlushResult> TableFlush::Run() {
  auto kept = KeepRows();
  if (kept.ok() || !IsFinal(kept.status())) return kept;
  return SetAside(kept.status());
}

Result<FlushResult> TableFlush::KeepRows() {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    // Also before the first: what others did meanwhile is cheaper to know now than after the files are written.
    TARN_RETURN_NOT_OK(table_.Refresh(0));
    const auto snapshot = table_.snapshot();
    if (HeldUntil(snapshot.get()) >= static_cast<int64_t>(work_.position)) return FlushResult{};
    TARN_RETURN_NOT_OK(table_.CheckWritable());
    if (snapshot == nullptr && !around_.create_missing_table) {
      return Status::InvalidArgument("the table was dropped, and tables are not created here");
    }
    auto flushed = Attempt(snapshot);
    const bool lost = flushed.status().Is(StatusCode::kConflict) || flushed.status().Is(StatusCode::kAlreadyExists);
    if (!lost) return flushed;
  }
  return Status::Unavailable(table_.name().ToString() + ": other writers won " + std::to_string(kMaxAttempts) +
                             " times in a row");
}

Result<FlushResult> TableFlush::Attempt(const std::shared_ptr<const delta::Snapshot>& snapshot) const {
  TARN_ASSIGN_OR_RETURN(const Plan plan, MakePlan(snapshot));
  TARN_RETURN_NOT_OK(WriteRejected(plan.rejected));
  TARN_RETURN_NOT_OK(At("before-data-file"));
  TARN_ASSIGN_OR_RETURN(const auto adds, WriteFiles(plan));
  TARN_RETURN_NOT_OK(At("before-commit"));
  auto committed = Commit(snapshot, plan, adds);
  if (!committed.ok()) {
    // Only these are certain to have left the files out of every version.
    if (committed.status().Is(StatusCode::kConflict) || IsFinal(committed.status())) DeleteFiles(adds);
    return std::move(committed).status();
  }
  TARN_RETURN_NOT_OK(At("after-commit"));
  FlushResult result;
  result.snapshot = std::move(committed).value();
  result.rows_written = plan.rows;
  result.rows_rejected = plan.rejected_rows;
  if (!plan.rejected.empty()) result.reason = plan.rejected.front().rows.reason;
  return result;
}

Result<FlushResult> TableFlush::SetAside(const Status& why) const {
  // A table that cannot be read may still tell what it holds: of a commit whose reply was lost, or before a restart.
  const auto reached = delta::ReadTxnVersion(table_.context(), work_.log->app_id());
  if (!reached.ok() && !IsFinal(reached.status()) && !reached.status().Is(StatusCode::kNotFound)) {
    return reached.status();
  }
  const int64_t held = reached.ok() ? reached->value_or(-1) : -1;
  FlushResult result;
  result.reason = why.message();
  result.settled = true;
  std::vector<Rejected> all;
  for (const auto& entry : work_.entries) {
    if (static_cast<int64_t>(entry->position) <= held) continue;
    for (const BufferEntry& record : SplitByRecord(*entry)) {
      for (const auto& segment : record.segments) {
        TARN_ASSIGN_OR_RETURN(auto batches, WholeRows(*segment, *record.cut_by));
        for (auto& batch : batches) {
          result.rows_rejected += batch->num_rows();
          all.push_back({record.position, {std::move(batch), why.message()}});
        }
      }
    }
  }
  TARN_RETURN_NOT_OK(WriteRejected(all));
  TARN_RETURN_NOT_OK(At("before-settle"));
  TARN_RETURN_NOT_OK(RejectedStore(*around_.store, table_.folder(), work_.log->uuid()).Settle(work_.position));
  return result;
}

int64_t TableFlush::HeldUntil(const delta::Snapshot* snapshot) const {
  return snapshot == nullptr ? -1 : snapshot->TxnVersion(work_.log->app_id()).value_or(-1);
}

Result<TableFlush::Plan> TableFlush::MakePlan(const std::shared_ptr<const delta::Snapshot>& snapshot) const {
  Plan plan;
  plan.columns = snapshot != nullptr ? ColumnsOf(*snapshot) : *work_.entries.front()->cut_by;
  if (snapshot != nullptr) {
    plan.options = delta::DataFileOptionsOf(*snapshot);
    TARN_ASSIGN_OR_RETURN(plan.constraints, delta::RowConstraints::Of(*snapshot));
  }
  // A table that could not be read when the log was replayed turns out to hold some of the rows.
  const int64_t held = HeldUntil(snapshot.get());
  for (const auto& entry : work_.entries) {
    if (static_cast<int64_t>(entry->position) <= held) continue;
    TARN_ASSIGN_OR_RETURN(const bool fits, Fits(plan, *entry));
    if (fits) {
      plan.columns = WithColumnsOf(plan.columns, *entry->schema);
      TARN_RETURN_NOT_OK(AddSegments(plan, entry->segments));
      continue;
    }
    // Rejected rows are named by their record's position, however records were put together in memory.
    for (const BufferEntry& record : SplitByRecord(*entry)) TARN_RETURN_NOT_OK(AddRefitted(plan, record));
  }
  TARN_RETURN_NOT_OK(MapColumns(snapshot, plan));
  return plan;
}

Status TableFlush::MapColumns(const std::shared_ptr<const delta::Snapshot>& snapshot, Plan& plan) const {
  plan.create = {.schema = plan.columns.schema, .partition_columns = plan.columns.partition_columns};
  if (plan.options.match != columnar::FieldMatch::kName) {
    plan.columns.schema =
        delta::MapNewColumns(*snapshot->schema(), snapshot->metadata(), *plan.columns.schema, *around_.random);
    return Status::Ok();
  }
  arrow::FieldVector added = plan.columns.schema->fields();
  if (snapshot != nullptr) added.erase(added.begin(), added.begin() + snapshot->schema()->num_fields());
  if (!delta::NeedsMapping(*arrow::schema(added))) return Status::Ok();
  if (snapshot != nullptr) return BeginMapping(snapshot, plan);
  plan.create.configuration[kMappingMode] = "name";
  TARN_ASSIGN_OR_RETURN(const auto begun, delta::SnapshotOfNewTable(table_.context(), plan.create));
  plan.create.schema = begun->schema();
  plan.columns.schema = begun->schema();
  plan.options = delta::DataFileOptionsOf(*begun);
  for (auto& [folder, partition] : plan.partitions) {
    for (size_t i = 0; i < partition.values.size(); ++i) {
      partition.values[i].first = begun->StoredName(begun->partition_columns()[i]);
    }
  }
  return Status::Ok();
}

Status TableFlush::BeginMapping(const std::shared_ptr<const delta::Snapshot>& snapshot, Plan& plan) const {
  const delta::SetProperties change{{{kMappingMode, "name"}}};
  TARN_ASSIGN_OR_RETURN(delta::AlterResult mapped,
                        delta::AlterTable(table_.context(), snapshot, change, {.dry_run = true}));
  TARN_ASSIGN_OR_RETURN(const auto current, columnar::SchemaFromDeltaJson(mapped.metadata.schema_string));
  plan.columns.schema = delta::MapNewColumns(*current, mapped.metadata, *plan.columns.schema, *around_.random);
  delta::RaiseMaxColumnId(*plan.columns.schema, mapped.metadata);
  TARN_ASSIGN_OR_RETURN(mapped.metadata.schema_string, columnar::SchemaToDeltaJson(*plan.columns.schema));
  plan.options.match = columnar::FieldMatch::kPhysicalName;
  plan.mapping = {std::move(mapped.protocol), std::move(mapped.metadata)};
  return Status::Ok();
}

Result<bool> TableFlush::Fits(const Plan& plan, const BufferEntry& entry) {
  if (!EntryFits(entry, plan.columns)) return false;
  return plan.constraints == nullptr ? Result<bool>(true) : EntryKeeps(entry, *plan.constraints);
}

Status TableFlush::AddRefitted(Plan& plan, const BufferEntry& record) const {
  TARN_ASSIGN_OR_RETURN(auto refitted, RefitEntry(record, plan.columns, plan.constraints.get()));
  for (const auto& segment : refitted.segments) {
    plan.columns = WithColumnsOf(plan.columns, *segment->batches.front()->schema());
  }
  TARN_RETURN_NOT_OK(AddSegments(plan, refitted.segments));
  for (auto& rejected : refitted.rejected) {
    plan.rejected_rows += rejected.rows->num_rows();
    plan.rejected.push_back({record.position, std::move(rejected)});
  }
  return Status::Ok();
}

Status TableFlush::AddSegments(Plan& plan, const std::vector<std::shared_ptr<const BufferSegment>>& segments) const {
  for (const auto& segment : segments) {
    delta::PartitionValues values;
    for (size_t i = 0; i < plan.columns.partition_columns.size(); ++i) {
      const auto& field = *plan.columns.schema->GetFieldByName(plan.columns.partition_columns[i]);
      std::string name =
          plan.options.match == columnar::FieldMatch::kName ? field.name() : columnar::PhysicalName(field);
      values.emplace_back(std::move(name), columnar::FormatPartitionValue(segment->partition_values[i], *field.type()));
    }
    Partition& partition = plan.partitions[delta::PartitionFolder(values)];
    partition.values = std::move(values);
    partition.segments.push_back(segment);
    plan.rows += segment->num_rows;
  }
  return Status::Ok();
}

Status TableFlush::WriteRejected(const std::vector<Rejected>& all) const {
  if (all.empty()) return Status::Ok();
  TARN_RETURN_NOT_OK(At("before-rejected"));
  RejectedStore store(*around_.store, table_.folder(), work_.log->uuid());
  size_t part = 0;
  wal::Position position = 0;
  for (const Rejected& rejected : all) {
    part = rejected.position == position ? part + 1 : 0;
    position = rejected.position;
    TARN_RETURN_NOT_OK(store.Write(position, part, rejected.rows));
  }
  return Status::Ok();
}

Result<std::vector<delta::Add>> TableFlush::WriteFiles(const Plan& plan) const {
  std::vector<delta::Add> adds;
  for (const auto& [folder, partition] : plan.partitions) {
    TARN_RETURN_NOT_OK(WritePartition(plan, folder, partition, adds));
  }
  return adds;
}

Status TableFlush::WritePartition(const Plan& plan, const std::string& folder, const Partition& partition,
                                  std::vector<delta::Add>& adds) const {
  const auto schema = FileSchema(plan.columns);
  std::unique_ptr<delta::DataFileWriter> writer;
  arrow::RecordBatchVector pending;
  int64_t pending_rows = 0;
  const auto finish = [&]() -> Status {
    TARN_ASSIGN_OR_RETURN(delta::Add add, writer->Finish(partition.values));
    writer.reset();
    TARN_RETURN_NOT_OK(At("after-data-file"));
    adds.push_back(std::move(add));
    return Status::Ok();
  };
  const auto encode = [&]() -> Status {
    if (pending.empty()) return Status::Ok();
    auto rows = pending.front();
    if (pending.size() > 1) {
      TARN_ASSIGN_OR_RETURN(rows, columnar::FromArrow(arrow::ConcatenateRecordBatches(pending)));
    }
    pending.clear();
    pending_rows = 0;
    if (writer == nullptr) {
      const std::string key =
          folder + "part-" + Digits(adds.size(), 5) + "-" + around_.random->Uuid() + ".zstd.parquet";
      TARN_ASSIGN_OR_RETURN(writer, delta::DataFileWriter::Open(*table_.context().store, key, schema, plan.options));
    }
    TARN_RETURN_NOT_OK(writer->Append(*rows));
    return writer->bytes_written() >= around_.target_file_bytes ? finish() : Status::Ok();
  };
  for (const auto& segment : partition.segments) {
    for (const auto& batch : segment->batches) {
      TARN_ASSIGN_OR_RETURN(auto rows, ConformRows(*batch, schema));
      pending_rows += rows->num_rows();
      pending.push_back(std::move(rows));
      if (pending_rows >= kEncodeRows) TARN_RETURN_NOT_OK(encode());
    }
  }
  TARN_RETURN_NOT_OK(encode());
  return writer == nullptr ? Status::Ok() : finish();
}

Result<std::shared_ptr<const delta::Snapshot>> TableFlush::Commit(
    const std::shared_ptr<const delta::Snapshot>& snapshot, const Plan& plan,
    const std::vector<delta::Add>& adds) const {
  std::unique_ptr<delta::Transaction> transaction;
  if (snapshot == nullptr) {
    TARN_ASSIGN_OR_RETURN(transaction, delta::Transaction::Create(table_.context(), plan.create));
  } else {
    TARN_ASSIGN_OR_RETURN(transaction, delta::Transaction::Begin(table_.context(), snapshot));
    if (plan.mapping.has_value()) {
      transaction->SetProtocol(plan.mapping->protocol);
      TARN_RETURN_NOT_OK(transaction->SetMetadata(plan.mapping->metadata));
    } else if (plan.columns.schema->num_fields() != snapshot->schema()->num_fields()) {
      TARN_RETURN_NOT_OK(transaction->SetSchema(plan.columns.schema));
    }
  }
  for (const delta::Add& add : adds) transaction->AddFile(add);
  transaction->SetTxn(
      {work_.log->app_id(), static_cast<int64_t>(work_.position), around_.clock->WallMicros() / kMicrosPerMilli});
  transaction->SetOperation("WRITE", {{"mode", "Append"}});
  TARN_ASSIGN_OR_RETURN(auto committed, transaction->Commit());
  const bool was_mapped = snapshot != nullptr && snapshot->field_match() != columnar::FieldMatch::kName;
  if (plan.options.match != columnar::FieldMatch::kName && !was_mapped) {
    Log(LogLevel::kWarning, "a name needs column mapping: readers that do not know it cannot read the table any more",
        {{"table", table_.name().ToString()}, {"version", committed.version}});
  }
  return committed.snapshot;
}

void TableFlush::DeleteFiles(const std::vector<delta::Add>& adds) const {
  for (const delta::Add& add : adds) {
    const auto key = PercentDecode(add.path);
    // A file that stays behind is found by vacuum.
    if (key.ok()) (void)table_.context().store->Delete(*key);
  }
}

}  // namespace tarn::lake
