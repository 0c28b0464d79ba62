#include "lake/table_flush.h"

#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <algorithm>
#include <charconv>

#include "base/uri.h"
#include "columnar/arrow_status.h"
#include "delta/table_path.h"
#include "delta/transaction.h"

namespace tarn::lake {

namespace {

/// Losing this often in a row means that something else is wrong; the rows stay buffered and the flush is tried later.
constexpr int kMaxAttempts = 16;
/// Small batches are put together to this many rows before they are encoded.
constexpr int64_t kEncodeRows = 16 * 1024;

std::string Digits(uint64_t number, size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

columnar::ParquetWriterOptions WriterOptions(const delta::Snapshot* snapshot) {
  columnar::ParquetWriterOptions options;
  if (snapshot == nullptr) return options;
  const auto& configuration = snapshot->metadata().configuration;
  const auto found = configuration.find("delta.dataSkippingNumIndexedCols");
  if (found == configuration.end()) return options;
  int columns = 0;
  const char* end = found->second.data() + found->second.size();
  if (std::from_chars(found->second.data(), end, columns).ptr == end) options.indexed_columns = columns;
  return options;
}

/// What a data file holds: the columns that are not in its path.
std::shared_ptr<arrow::Schema> FileSchema(const TableColumns& columns) {
  arrow::FieldVector fields;
  for (const auto& field : columns.schema->fields()) {
    const auto& partitioned = columns.partition_columns;
    if (std::find(partitioned.begin(), partitioned.end(), field->name()) == partitioned.end()) fields.push_back(field);
  }
  return arrow::schema(std::move(fields));
}

/// Rows with the reason and nothing else changed.
Result<std::shared_ptr<arrow::RecordBatch>> WithReason(const RefittedRows::Rejected& rejected) {
  TARN_ASSIGN_OR_RETURN(auto reason, columnar::FromArrow(arrow::MakeArrayFromScalar(
                                         arrow::StringScalar(rejected.reason), rejected.rows->num_rows())));
  return columnar::FromArrow(rejected.rows->AddColumn(
      rejected.rows->num_columns(), arrow::field("_rejected_reason", arrow::utf8()), std::move(reason)));
}

}  // namespace

Result<FlushResult> TableFlush::Run() {
  std::shared_ptr<const delta::Snapshot> snapshot = work_.snapshot;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (attempt > 0) {
      TARN_RETURN_NOT_OK(table_.Refresh(0));
      snapshot = table_.snapshot();
    }
    if (snapshot != nullptr && IsCovered(*snapshot)) return FlushResult{};
    TARN_ASSIGN_OR_RETURN(const Plan plan, MakePlan(snapshot.get()));
    TARN_RETURN_NOT_OK(WriteRejected(plan));
    TARN_RETURN_NOT_OK(At("before-data-file"));
    TARN_ASSIGN_OR_RETURN(const auto adds, WriteFiles(plan));
    TARN_RETURN_NOT_OK(At("before-commit"));
    auto committed = Commit(snapshot, plan, adds);
    if (committed.ok()) {
      TARN_RETURN_NOT_OK(At("after-commit"));
      return FlushResult{std::move(committed).value(), plan.rows, plan.rejected_rows};
    }
    const Status lost = std::move(committed).status();
    // Only a conflict is certain to have left these files out of every version.
    if (lost.Is(StatusCode::kConflict)) DeleteFiles(adds);
    if (!lost.Is(StatusCode::kConflict) && !lost.Is(StatusCode::kAlreadyExists)) return lost;
  }
  return Status::Unavailable(table_.name().ToString() + ": other writers won " + std::to_string(kMaxAttempts) +
                             " times in a row");
}

bool TableFlush::IsCovered(const delta::Snapshot& snapshot) const {
  const auto version = snapshot.TxnVersion(work_.log->app_id());
  return version.has_value() && *version >= static_cast<int64_t>(work_.position);
}

Result<TableFlush::Plan> TableFlush::MakePlan(const delta::Snapshot* snapshot) const {
  Plan plan;
  plan.columns = snapshot != nullptr ? ColumnsOf(*snapshot) : *work_.entries.front()->cut_by;
  for (const auto& entry : work_.entries) {
    if (EntryFits(*entry, plan.columns)) {
      plan.columns = WithColumnsOf(plan.columns, *entry->schema);
      TARN_RETURN_NOT_OK(AddSegments(plan, entry->segments));
      continue;
    }
    TARN_ASSIGN_OR_RETURN(auto refitted, RefitEntry(*entry, plan.columns));
    for (const auto& segment : refitted.segments) {
      plan.columns = WithColumnsOf(plan.columns, *segment->batches.front()->schema());
    }
    TARN_RETURN_NOT_OK(AddSegments(plan, refitted.segments));
    for (auto& rejected : refitted.rejected) {
      plan.rejected_rows += rejected.rows->num_rows();
      plan.rejected.push_back({entry->position, std::move(rejected)});
    }
  }
  return plan;
}

Status TableFlush::AddSegments(Plan& plan, const std::vector<std::shared_ptr<const BufferSegment>>& segments) const {
  for (const auto& segment : segments) {
    delta::PartitionValues values;
    for (size_t i = 0; i < plan.columns.partition_columns.size(); ++i) {
      const std::string& name = plan.columns.partition_columns[i];
      const auto& type = *plan.columns.schema->GetFieldByName(name)->type();
      values.emplace_back(name, columnar::FormatPartitionValue(segment->partition_values[i], type));
    }
    Partition& partition = plan.partitions[delta::PartitionFolder(values)];
    partition.values = std::move(values);
    partition.segments.push_back(segment);
    plan.rows += segment->num_rows;
  }
  return Status::Ok();
}

Status TableFlush::WriteRejected(const Plan& plan) const {
  if (plan.rejected.empty()) return Status::Ok();
  TARN_RETURN_NOT_OK(At("before-rejected"));
  size_t part = 0;
  wal::Position position = 0;
  for (const Rejected& rejected : plan.rejected) {
    part = rejected.position == position ? part + 1 : 0;
    position = rejected.position;
    TARN_ASSIGN_OR_RETURN(const auto rows, WithReason(rejected.rows));
    // Named by position, so that a repeat after a crash replaces it instead of adding to it.
    const std::string key = "_tarn/rejected/" + table_.folder() + "/" + work_.log->uuid() + "-" + Digits(position, 20) +
                            "-" + Digits(part, 5) + ".parquet";
    TARN_ASSIGN_OR_RETURN(auto writer, columnar::ParquetWriter::Open(*around_.store, key, rows->schema(), {}));
    TARN_RETURN_NOT_OK(writer->Append(*rows));
    const auto written = writer->Finish();
    if (!written.ok() && !written.status().Is(StatusCode::kAlreadyExists)) return written.status();
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
  const auto options = WriterOptions(work_.snapshot.get());
  std::unique_ptr<columnar::ParquetWriter> writer;
  arrow::RecordBatchVector pending;
  int64_t pending_rows = 0;
  const auto finish = [&]() -> Status {
    TARN_ASSIGN_OR_RETURN(const auto file, writer->Finish());
    writer.reset();
    TARN_RETURN_NOT_OK(At("after-data-file"));
    delta::Add add;
    add.path = delta::EncodeLogPath(file.key);
    add.partition_values = partition.values;
    add.size_bytes = file.size_bytes;
    add.modification_time_millis = file.modified_micros / kMicrosPerMilli;
    add.stats = file.stats_json;
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
      TARN_ASSIGN_OR_RETURN(writer, columnar::ParquetWriter::Open(*table_.context().store, key, schema, options));
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
    delta::CreateTableOptions create;
    create.schema = plan.columns.schema;
    create.partition_columns = plan.columns.partition_columns;
    TARN_ASSIGN_OR_RETURN(transaction, delta::Transaction::Create(table_.context(), create));
  } else {
    TARN_ASSIGN_OR_RETURN(transaction, delta::Transaction::Begin(table_.context(), snapshot));
    if (plan.columns.schema->num_fields() != snapshot->schema()->num_fields()) {
      TARN_RETURN_NOT_OK(transaction->SetSchema(plan.columns.schema));
    }
  }
  for (const delta::Add& add : adds) transaction->AddFile(add);
  transaction->SetTxn(
      {work_.log->app_id(), static_cast<int64_t>(work_.position), around_.clock->WallMicros() / kMicrosPerMilli});
  transaction->SetOperation("WRITE", {{"mode", "\"Append\""}});
  TARN_ASSIGN_OR_RETURN(auto committed, transaction->Commit());
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
