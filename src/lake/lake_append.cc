#include <arrow/record_batch.h>

#include <algorithm>

#include "base/log.h"
#include "base/uri.h"
#include "lake/lake_impl.h"
#include "lake/lookup_fault.h"

namespace tarn::lake {

namespace {

/// Tables and sets of columns whose schema entries are kept at hand; beyond it they are defined anew.
constexpr size_t kMaxCachedSchemas = 4096;

}  // namespace

Result<wal::Position> LakeImpl::Append(std::vector<TableBatch> batches) {
  std::vector<Incoming> incoming;
  const auto cancel = [&incoming](Status status) {
    CancelAll(incoming);
    return status;
  };
  TARN_ASSIGN_OR_RETURN(auto log, LogForAppend());
  const int64_t began = options_.clock->MonotonicMicros();
  for (const TableBatch& batch : batches) {
    if (batch.rows == nullptr || batch.rows->num_rows() == 0) continue;
    if (Status prepared = PrepareBatch(batch, began, incoming); !prepared.ok()) return cancel(std::move(prepared));
    const auto rolled_back = WasRolledBack(*incoming.back().table, *log);
    if (!rolled_back.ok()) return cancel(AsLookupFault(rolled_back.status()));
    if (!*rolled_back) continue;
    if (Status replaced = ReplaceOwnLog(log); !replaced.ok()) return cancel(std::move(replaced));
    auto fresh = LogForAppend();
    if (!fresh.ok()) return cancel(std::move(fresh).status());
    log = std::move(fresh).value();
  }
  if (incoming.empty()) return log->end();
  if (Status reserved = Reserve(incoming); !reserved.ok()) return cancel(std::move(reserved));
  if (Status point = At("before-wal-append"); !point.ok()) return cancel(std::move(point));
  auto range = WriteLog(*log, incoming);
  if (!range.ok()) return cancel(std::move(range).status());
  if (Status point = At("after-wal-append"); !point.ok()) {
    log->Abort(*range);
    return cancel(std::move(point));
  }
  PublishAll(log, *range, incoming);
  return range->last;
}

Status LakeImpl::CheckAppend(const TableBatch& batch) {
  TARN_RETURN_NOT_OK(LogForAppend().status());
  std::vector<Incoming> incoming;
  Status prepared = PrepareBatch(batch, directory_.AMomentAgo(), incoming);
  CancelAll(incoming);
  return prepared;
}

Result<std::vector<RowRefusal>> LakeImpl::Violations(const TableBatch& batch) {
  auto table = directory_.Find(batch.name, directory_.AMomentAgo());
  if (table.status().Is(StatusCode::kNotFound)) return std::vector<RowRefusal>();
  if (!table.ok()) return table.status();
  LivingTable& living = **table;
  TARN_RETURN_NOT_OK(AsLookupFault(living.EnsureLoaded()).WithContext(batch.name.ToString()));
  auto found = living.Violations(*batch.rows);
  if (found.ok() && found->empty()) return found;
  // What is refused is lost to many a client, so nothing is refused for what has been taken back meanwhile.
  if (!living.Refresh(0).ok()) return found;
  return living.Violations(*batch.rows);
}

Result<std::shared_ptr<RowLog>> LakeImpl::LogForAppend() {
  std::shared_ptr<RowLog> log;
  {
    MutexLock guard(mutex_);
    if (closed_) return Status::Unavailable("the lake is closed");
    if (own_log_ == nullptr) return Status::PermissionDenied("the lake was opened for reading only");
    log = own_log_;
  }
  if (!log->broken()) return log;
  TARN_RETURN_NOT_OK(ReplaceOwnLog(log));
  MutexLock guard(mutex_);
  return own_log_;
}

Result<std::shared_ptr<LivingTable>> LakeImpl::TableForAppend(const TableBatch& batch, int64_t listed_since_micros) {
  if (!options_.create_missing_tables) {
    TARN_RETURN_NOT_OK(CheckTableName(batch.name));
    TARN_RETURN_NOT_OK(directory_.Find(batch.name, listed_since_micros).status());
  } else if (directory_.Find(batch.name, listed_since_micros).status().Is(StatusCode::kNotFound)) {
    // Rows that no table can take must not leave one behind.
    TARN_ASSIGN_OR_RETURN(const TableColumns begun, ColumnsOfNewTable(*batch.rows->schema()));
    TARN_RETURN_NOT_OK(PlanColumns(*batch.rows->schema(), begun).status());
  }
  TARN_ASSIGN_OR_RETURN(auto table, directory_.FindOrBegin(batch.name, listed_since_micros));
  TARN_RETURN_NOT_OK(AsLookupFault(table->EnsureLoaded()).WithContext(batch.name.ToString()));
  TARN_RETURN_NOT_OK(table->CheckWritable());
  if (table->snapshot() == nullptr) TARN_RETURN_NOT_OK(CheckPlace(*table));
  if (!options_.create_missing_tables && !table->exists()) {
    return Status::NotFound("table " + batch.name.ToString() + " does not exist");
  }
  return table;
}

Status LakeImpl::CheckPlace(const LivingTable& table) const {
  // Elsewhere a key may have others below it.
  if (!is_local_) return Status::Ok();
  const std::string database = table.folder().substr(0, table.folder().find('/'));
  for (const std::string& folder : {database, table.folder(), JoinPath(table.folder(), "_delta_log")}) {
    if (!options_.store->Head(folder).ok()) continue;
    return Status::InvalidArgument(table.name().ToString() + ": a file lies where its folder would be: " + folder);
  }
  return Status::Ok();
}

Status LakeImpl::PrepareBatch(const TableBatch& batch, int64_t listed_since_micros, std::vector<Incoming>& incoming) {
  TARN_ASSIGN_OR_RETURN(const auto table, TableForAppend(batch, listed_since_micros));
  return PrepareRows(table, *batch.rows, incoming);
}

Status LakeImpl::PrepareRows(const std::shared_ptr<LivingTable>& table, const arrow::RecordBatch& rows,
                             std::vector<Incoming>& incoming) {
  TARN_ASSIGN_OR_RETURN(PreparedRows prepared, table->Prepare(rows));
  auto encoded = EncodedRows::Encode(*prepared.rows);
  if (encoded.ok() && encoded->size_bytes() <= wal::kMaxPayloadBytes) {
    incoming.push_back({table, std::move(prepared), nullptr, std::move(encoded).value()});
    return Status::Ok();
  }
  table->Cancel(prepared);
  TARN_RETURN_NOT_OK(encoded.status());
  const int64_t bytes = encoded->size_bytes();
  if (rows.num_rows() == 1) {
    return Status::InvalidArgument(table->name().ToString() + ": a row of " + std::to_string(bytes) +
                                   " bytes; the limit is " + std::to_string(wal::kMaxPayloadBytes));
  }
  const int64_t parts = bytes / wal::kMaxPayloadBytes + 1;
  const int64_t part_rows = (rows.num_rows() + parts - 1) / parts;
  for (int64_t begin = 0; begin < rows.num_rows(); begin += part_rows) {
    TARN_RETURN_NOT_OK(PrepareRows(table, *rows.Slice(begin, part_rows), incoming));
  }
  return Status::Ok();
}

void LakeImpl::CancelAll(const std::vector<Incoming>& incoming) {
  for (const Incoming& one : incoming) one.table->Cancel(one.prepared);
}

Status LakeImpl::Reserve(std::vector<Incoming>& incoming) {
  int64_t bytes = 0;
  for (const Incoming& one : incoming) bytes += one.prepared.bytes;
  if (const auto limit = static_cast<int64_t>(options_.buffer_budget->limit_bytes()); bytes > limit) {
    return Status::ResourceExhausted("the rows take " + std::to_string(bytes) + " bytes of memory and all buffers " +
                                     std::to_string(limit) + "; send fewer at once");
  }
  for (Incoming& one : incoming) {
    auto memory = options_.buffer_budget->TryReserve(static_cast<size_t>(one.prepared.bytes));
    if (!memory.has_value()) {
      MutexLock guard(mutex_);
      flush_wanted_ = true;
      wake_.notify_all();
      return Status::Unavailable("memory for rows that are not committed yet is short");
    }
    one.entry = std::make_shared<BufferEntry>();
    one.entry->memory = std::make_shared<MemoryBudget::Reservation>(std::move(*memory));
    one.entry->bytes = one.prepared.bytes;
    one.entry->num_rows = one.prepared.rows->num_rows();
    one.entry->schema = one.prepared.rows->schema();
    one.entry->cut_by = one.prepared.cut_by;
    for (BufferSegment& segment : one.prepared.segments) {
      one.entry->segments.push_back(ShareSegment(std::move(segment), one.entry->memory));
    }
  }
  return Status::Ok();
}

Result<std::shared_ptr<const wal::SchemaEntry>> LakeImpl::SchemaEntryFor(RowLog& log, const Incoming& incoming) {
  TARN_ASSIGN_OR_RETURN(std::string bytes,
                        EncodeRowsSchema({incoming.table->name(), incoming.prepared.rows->schema()}));
  MutexLock guard(mutex_);
  if (schema_cache_log_ != &log || schema_cache_.size() >= kMaxCachedSchemas) {
    schema_cache_.clear();
    schema_cache_log_ = &log;
  }
  const auto found = schema_cache_.find(bytes);
  if (found != schema_cache_.end()) return found->second;
  auto entry = log.DefineSchema(bytes);
  schema_cache_.emplace(std::move(bytes), entry);
  return entry;
}

Result<RowLog::Range> LakeImpl::WriteLog(RowLog& log, std::vector<Incoming>& incoming) {
  std::vector<wal::NewRecord> records;
  records.reserve(incoming.size());
  for (Incoming& one : incoming) {
    wal::NewRecord record;
    TARN_ASSIGN_OR_RETURN(record.schema, SchemaEntryFor(log, one));
    record.payload = one.encoded.pieces();
    records.push_back(std::move(record));
  }
  return log.Append(std::move(records));
}

void LakeImpl::PublishAll(const std::shared_ptr<RowLog>& log, RowLog::Range range, std::vector<Incoming>& incoming) {
  const int64_t now = options_.clock->MonotonicMicros();
  wal::Position position = range.first;
  bool wake = false;
  int64_t rows = 0;
  for (Incoming& one : incoming) {
    one.entry->log = log;
    one.entry->position = position++;
    one.entry->acked_monotonic_micros = now;
    rows += one.entry->num_rows;
    const bool was_empty = one.table->Publish(one.prepared, std::move(one.entry));
    wake = wake || was_empty || Due(*one.table, now);
  }
  log->Complete(range);
  rows_acknowledged_ += rows;
  for (const Incoming& one : incoming) one.table->Coalesce(*log, options_.coalesce_fan_in, *options_.buffer_budget);
  if (!wake) return;
  MutexLock guard(mutex_);
  flush_wanted_ = true;
  wake_.notify_all();
}

}  // namespace tarn::lake
