#include "lake/living_table.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <set>

#include "columnar/without_void.h"
#include "delta/transaction.h"
#include "lake/table_names.h"

namespace tarn::lake {

namespace {

/// Where reading a damaged log takes longer than this, it is taken for damaged so many times as long, at most this
/// long.
constexpr int64_t kCheapReadMicros = 50 * kMicrosPerMilli;
constexpr int64_t kUnreadableFactor = 10;
constexpr int64_t kMaxUnreadableMicros = 30 * kMicrosPerSecond;
/// Beyond it a segment's own cost does not matter.
constexpr int64_t kMaxCoalescedBytes = 1 << 20;

bool SameShape(const delta::Snapshot& left, const delta::Snapshot& right) {
  return left.metadata().schema_string == right.metadata().schema_string &&
         left.metadata().partition_columns == right.metadata().partition_columns;
}

}  // namespace

TableColumns ColumnsOf(const delta::Snapshot& snapshot) {
  TableColumns columns;
  columns.schema = snapshot.schema();
  for (const int index : snapshot.partition_columns()) {
    columns.partition_columns.push_back(columns.schema->field(index)->name());
  }
  return columns;
}

TableColumns WithColumnsOf(const TableColumns& columns, const arrow::Schema& schema) {
  arrow::FieldVector fields = columns.schema->fields();
  for (const auto& field : schema.fields()) {
    if (FindColumn(*columns.schema, field->name()) < 0) fields.push_back(field->WithNullable(true));
  }
  if (static_cast<int>(fields.size()) == columns.schema->num_fields()) return columns;
  return {arrow::schema(std::move(fields), columns.schema->metadata()), columns.partition_columns};
}

Status LivingTable::EnsureLoaded() {
  {
    MutexLock guard(mutex_);
    if (loaded_) return Status::Ok();
  }
  auto snapshot = ReadNewest(nullptr);
  if (!snapshot.ok() && !snapshot.status().Is(StatusCode::kNotFound)) return std::move(snapshot).status();
  if (snapshot.ok()) PublishSnapshot(std::move(snapshot).value());
  MutexLock guard(mutex_);
  loaded_ = true;
  refreshed_at_ = context_.clock->MonotonicMicros();
  return Status::Ok();
}

Result<std::shared_ptr<const delta::Snapshot>> LivingTable::ReadNewest(
    const std::shared_ptr<const delta::Snapshot>& old) {
  const int64_t began = context_.clock->MonotonicMicros();
  {
    MutexLock guard(mutex_);
    if (began < unreadable_until_) return unreadable_;
  }
  auto newest = old == nullptr ? delta::LoadSnapshot(context_) : delta::Refresh(context_, old);
  if (!newest.status().Is(StatusCode::kCorruption) && !newest.status().Is(StatusCode::kUnsupported)) return newest;
  const int64_t now = context_.clock->MonotonicMicros();
  if (now - began < kCheapReadMicros) return newest;
  MutexLock guard(mutex_);
  unreadable_ = newest.status();
  unreadable_until_ = now + std::min(kUnreadableFactor * (now - began), kMaxUnreadableMicros);
  return newest;
}

Status LivingTable::Refresh(int64_t max_age_micros) {
  TARN_RETURN_NOT_OK(EnsureLoaded());
  std::shared_ptr<const delta::Snapshot> old;
  {
    MutexLock guard(mutex_);
    const int64_t now = context_.clock->MonotonicMicros();
    if (now - refreshed_at_ < max_age_micros) return Status::Ok();
    refreshed_at_ = now;
    old = snapshot_;
  }
  auto fresh = ReadNewest(old);
  if (fresh.status().Is(StatusCode::kNotFound)) {
    if (old != nullptr) ReplaceSnapshot(old, nullptr);
    return Status::Ok();
  }
  if (!fresh.ok()) return std::move(fresh).status();
  if (*fresh == old) return Status::Ok();
  const bool succeeds =
      old == nullptr || ((*fresh)->metadata().id == old->metadata().id && (*fresh)->version() > old->version());
  if (succeeds) {
    PublishSnapshot(std::move(fresh).value());
  } else {
    ReplaceSnapshot(old, std::move(fresh).value());
  }
  return Status::Ok();
}

void LivingTable::ReplaceSnapshot(const std::shared_ptr<const delta::Snapshot>& old,
                                  std::shared_ptr<const delta::Snapshot> current) {
  CoveredRows covered;
  {
    MutexLock guard(mutex_);
    if (snapshot_ != old) return;
    covered = SetSnapshotLocked(std::move(current));
  }
  ReportCovered(covered);
}

void LivingTable::PublishSnapshot(std::shared_ptr<const delta::Snapshot> snapshot) {
  CoveredRows covered;
  {
    MutexLock guard(mutex_);
    if (snapshot_ != nullptr && snapshot->version() <= snapshot_->version()) return;
    loaded_ = true;
    covered = SetSnapshotLocked(std::move(snapshot));
  }
  ReportCovered(covered);
}

LivingTable::CoveredRows LivingTable::SetSnapshotLocked(std::shared_ptr<const delta::Snapshot> snapshot) {
  const bool same_shape = snapshot_ != nullptr && snapshot != nullptr && SameShape(*snapshot_, *snapshot);
  snapshot_ = std::move(snapshot);
  std::map<const RowLog*, std::optional<int64_t>> reached;
  CoveredRows covered = DropLocked([&reached, current = snapshot_](const BufferEntry& entry) {
    if (current == nullptr) return false;
    auto [it, is_new] = reached.try_emplace(entry.log.get());
    if (is_new) it->second = current->TxnVersion(entry.log->app_id());
    return it->second.has_value() && *it->second >= static_cast<int64_t>(entry.position);
  });
  if (!same_shape) {
    ++generation_;
    RebuildColumnsLocked();
  }
  return covered;
}

LivingTable::CoveredRows LivingTable::DropLocked(const std::function<bool(const BufferEntry&)>& covered) {
  CoveredRows dropped;
  std::erase_if(held_, [&](const HeldEntry& held) {
    if (!covered(*held.entry)) return false;
    for (const wal::Position position : PositionsOf(*held.entry)) dropped.emplace_back(held.entry->log, position);
    return true;
  });
  RecountLocked();
  view_.reset();
  return dropped;
}

void LivingTable::RecountLocked() {
  totals_ = {};
  for (const HeldEntry& held : held_) {
    totals_.rows += held.entry->num_rows;
    totals_.bytes += held.entry->bytes;
    totals_.oldest_monotonic_micros = std::min(totals_.oldest_monotonic_micros, held.entry->acked_monotonic_micros);
  }
}

std::optional<wal::Position> LivingTable::SettledPosition(const RowLog& log) const {
  MutexLock guard(mutex_);
  const auto found = settled_.find(log.uuid());
  return found == settled_.end() ? std::nullopt : std::optional(found->second);
}

void LivingTable::Settle(const RowLog& log, wal::Position position) {
  CoveredRows covered;
  {
    MutexLock guard(mutex_);
    wal::Position& settled = settled_[log.uuid()];
    settled = std::max(settled, position);
    covered =
        DropLocked([&](const BufferEntry& entry) { return entry.log.get() == &log && entry.position <= position; });
    // Rows being prepared were matched with the columns that the dropped ones had.
    if (preparing_ == 0) RebuildColumnsLocked();
  }
  ReportCovered(covered);
}

void LivingTable::Discard(const RowLog& log) {
  MutexLock guard(mutex_);
  if (!DropLocked([&](const BufferEntry& entry) { return entry.log.get() == &log; }).empty()) RebuildColumnsLocked();
}

void LivingTable::ReportCovered(const CoveredRows& covered) {
  std::map<RowLog*, std::vector<wal::Position>> by_log;
  for (const auto& [log, position] : covered) by_log[log.get()].push_back(position);
  for (const auto& [log, positions] : by_log) log->Covered(positions);
}

void LivingTable::RebuildColumnsLocked() {
  TableColumns columns;
  if (snapshot_ != nullptr) {
    columns = ColumnsOf(*snapshot_);
  } else if (held_.empty()) {
    columns_ = nullptr;
    return;
  } else {
    columns = *held_.front().entry->cut_by;
  }
  std::set<const arrow::Schema*> seen;
  for (const HeldEntry& held : held_) {
    if (seen.insert(held.entry->schema.get()).second) columns = WithColumnsOf(columns, *held.entry->schema);
  }
  columns_ = std::make_shared<const TableColumns>(std::move(columns));
}

Status LivingTable::CheckWritable() {
  std::shared_ptr<const delta::Snapshot> snapshot;
  {
    MutexLock guard(mutex_);
    if (snapshot_ == nullptr) return Status::Ok();
    if (writable_ != nullptr && writable_->protocol() == snapshot_->protocol() &&
        writable_->metadata() == snapshot_->metadata()) {
      return Status::Ok();
    }
    snapshot = snapshot_;
  }
  auto begun = delta::Transaction::Begin(context_, snapshot);
  if (!begun.ok()) return std::move(begun).status().WithContext(name_.ToString());
  TARN_RETURN_NOT_OK(delta::RowConstraints::Of(*snapshot).status().WithContext(name_.ToString()));
  for (const auto& column : snapshot->schema()->fields()) {
    TARN_RETURN_NOT_OK(columnar::CheckVoid(*column).WithContext(name_.ToString()));
  }
  MutexLock guard(mutex_);
  writable_ = std::move(snapshot);
  return Status::Ok();
}

Result<std::shared_ptr<const delta::RowConstraints>> LivingTable::Constraints() {
  std::shared_ptr<const delta::Snapshot> snapshot;
  {
    MutexLock guard(mutex_);
    if (snapshot_ == constraints_of_) return constraints_;
    snapshot = snapshot_;
  }
  std::shared_ptr<const delta::RowConstraints> constraints;
  if (snapshot != nullptr) {
    TARN_ASSIGN_OR_RETURN(constraints, delta::RowConstraints::Of(*snapshot));
  }
  MutexLock guard(mutex_);
  constraints_of_ = std::move(snapshot);
  constraints_ = constraints;
  return constraints;
}

Result<std::vector<RowRefusal>> LivingTable::Violations(const arrow::RecordBatch& rows) {
  TARN_ASSIGN_OR_RETURN(const auto constraints, Constraints());
  if (constraints == nullptr || constraints->empty()) return std::vector<RowRefusal>();
  TableColumns columns;
  {
    MutexLock guard(mutex_);
    if (columns_ == nullptr) return std::vector<RowRefusal>();
    columns = *columns_;
  }
  TARN_ASSIGN_OR_RETURN(const ColumnPlan plan, PlanColumns(*rows.schema(), columns));
  TARN_ASSIGN_OR_RETURN(const auto fitting, ApplyPlan(rows, plan));
  TARN_ASSIGN_OR_RETURN(const auto whole, TableRows(*fitting, columns, constraints->schema()));
  std::map<size_t, RowRefusal> by_constraint;
  for (const auto& violation : constraints->Find(*whole, static_cast<size_t>(whole->num_rows()))) {
    RowRefusal& refusal = by_constraint[violation.constraint];
    if (refusal.rows.empty()) refusal.reason = constraints->Reason(violation);
    refusal.rows.push_back(violation.row);
  }
  std::vector<RowRefusal> refusals;
  for (auto& [constraint, refusal] : by_constraint) refusals.push_back(std::move(refusal));
  return refusals;
}

TableColumns LivingTable::ColumnsWithReservedLocked() const {
  if (reserved_.empty()) return *columns_;
  TableColumns columns = *columns_;
  for (const auto& [name, reservation] : reserved_) {
    columns = WithColumnsOf(columns, *arrow::schema({reservation.field}));
  }
  return columns;
}

Result<PreparedRows> LivingTable::Prepare(const arrow::RecordBatch& rows) {
  PreparedRows prepared;
  ColumnPlan plan;
  {
    MutexLock guard(mutex_);
    if (columns_ == nullptr) {
      TARN_ASSIGN_OR_RETURN(TableColumns begun, ColumnsOfNewTable(*rows.schema()));
      columns_ = std::make_shared<const TableColumns>(std::move(begun));
    }
    ++preparing_;
    prepared.cut_by = columns_;
    prepared.generation = generation_;
    auto planned = PlanColumns(*rows.schema(), reserved_.empty() ? *columns_ : ColumnsWithReservedLocked());
    if (!planned.ok()) {
      UnreserveLocked(prepared);
      return std::move(planned).status().WithContext(name_.ToString());
    }
    plan = std::move(planned).value();
    for (const auto& field : plan.added) {
      reserved_.emplace(FoldCase(field->name()), Reservation{field, 0});
    }
    for (const auto& column : plan.columns) {
      const std::string folded = reserved_.empty() ? std::string() : FoldCase(column.target->name());
      const auto reservation = reserved_.empty() ? reserved_.end() : reserved_.find(folded);
      if (reservation == reserved_.end()) continue;
      ++reservation->second.users;
      prepared.reserved.push_back(folded);
    }
  }
  const auto shape = [&]() -> Status {
    TARN_ASSIGN_OR_RETURN(prepared.rows, ApplyPlan(rows, plan));
    TARN_ASSIGN_OR_RETURN(prepared.segments, CutByPartition(prepared.rows, *prepared.cut_by));
    for (const BufferSegment& segment : prepared.segments) prepared.bytes += segment.bytes;
    return Status::Ok();
  };
  if (const Status shaped = shape(); !shaped.ok()) {
    Cancel(prepared);
    return shaped.WithContext(name_.ToString());
  }
  return prepared;
}

void LivingTable::UnreserveLocked(const PreparedRows& prepared) {
  for (const std::string& name : prepared.reserved) {
    const auto found = reserved_.find(name);
    if (found != reserved_.end() && --found->second.users == 0) reserved_.erase(found);
  }
  --preparing_;
  if (preparing_ == 0 && snapshot_ == nullptr && held_.empty()) columns_ = nullptr;
}

void LivingTable::Cancel(const PreparedRows& prepared) {
  MutexLock guard(mutex_);
  UnreserveLocked(prepared);
}

void LivingTable::HoldLocked(std::shared_ptr<const BufferEntry> entry, uint64_t generation, bool is_bound) {
  totals_.rows += entry->num_rows;
  totals_.bytes += entry->bytes;
  totals_.oldest_monotonic_micros = std::min(totals_.oldest_monotonic_micros, entry->acked_monotonic_micros);
  HeldEntry held{std::move(entry), generation, {}, is_bound};
  held.visible = held.entry->segments;
  held_.push_back(std::move(held));
  view_.reset();
}

bool LivingTable::Publish(const PreparedRows& prepared, std::shared_ptr<const BufferEntry> entry) {
  MutexLock guard(mutex_);
  const bool was_empty = held_.empty();
  if (columns_ == nullptr) columns_ = prepared.cut_by;
  if (!prepared.reserved.empty()) {
    columns_ = std::make_shared<const TableColumns>(WithColumnsOf(*columns_, *entry->schema));
  }
  HoldLocked(std::move(entry), prepared.generation, false);
  ++published_;
  UnreserveLocked(prepared);
  return was_empty;
}

void LivingTable::Coalesce(const RowLog& log, size_t fan_in, MemoryBudget& budget) {
  std::vector<std::shared_ptr<const BufferEntry>> entries;
  {
    MutexLock guard(mutex_);
    if (coalescing_ || published_ < fan_in) return;
    published_ = 0;
    entries = SmallEntriesLocked(log, fan_in);
    if (entries.empty()) return;
    coalescing_ = true;
  }
  auto merged = MergeEntries(entries, budget);
  MutexLock guard(mutex_);
  coalescing_ = false;
  // Where it cannot be done the entries serve as they are.
  if (merged.ok() && *merged != nullptr) ReplaceLocked(entries, std::move(merged).value());
}

std::vector<std::shared_ptr<const BufferEntry>> LivingTable::SmallEntriesLocked(const RowLog& log,
                                                                                size_t fan_in) const {
  // A flush takes the whole visible prefix that it finds, so that no `txn` version will lie between its entries.
  const wal::Position prefix = log.visible_prefix();
  const auto factor = static_cast<int64_t>(fan_in);
  std::vector<std::shared_ptr<const BufferEntry>> small;
  // What was put together once is put together once more: each row is copied twice at most.
  for (const auto& [least, below] : {std::pair(factor, factor * factor), std::pair(int64_t{0}, factor)}) {
    small.clear();
    for (auto held = held_.rbegin(); held != held_.rend(); ++held) {
      if (!IsLooseLocked(*held)) continue;
      const BufferEntry& entry = *held->entry;
      if (entry.num_rows < least || entry.num_rows >= below || entry.bytes > kMaxCoalescedBytes) continue;
      if (entry.log.get() != &log || entry.position > prefix) continue;
      const bool alike =
          small.empty() || (entry.cut_by == small.front()->cut_by && entry.schema->Equals(*small.front()->schema));
      if (alike) small.push_back(held->entry);
    }
    if (small.size() >= fan_in) break;
  }
  if (small.size() < fan_in) return {};
  std::sort(small.begin(), small.end(),
            [](const auto& left, const auto& right) { return left->position < right->position; });
  return small;
}

void LivingTable::ReplaceLocked(const std::vector<std::shared_ptr<const BufferEntry>>& entries,
                                std::shared_ptr<const BufferEntry> merged) {
  std::set<const BufferEntry*> gone;
  for (const auto& entry : entries) gone.insert(entry.get());
  size_t loose = 0;
  for (const HeldEntry& held : held_) {
    if (IsLooseLocked(held) && gone.contains(held.entry.get())) ++loose;
  }
  if (loose != gone.size()) return;
  std::erase_if(held_, [&gone](const HeldEntry& held) { return gone.contains(held.entry.get()); });
  HoldLocked(std::move(merged), generation_, false);
  RecountLocked();
}

Status LivingTable::Restore(BufferEntry entry, const std::shared_ptr<arrow::RecordBatch>& rows) {
  std::shared_ptr<const TableColumns> columns;
  {
    MutexLock guard(mutex_);
    if (columns_ == nullptr) {
      TARN_ASSIGN_OR_RETURN(TableColumns begun, ColumnsOfNewTable(*rows->schema()));
      columns_ = std::make_shared<const TableColumns>(std::move(begun));
    }
    columns_ = std::make_shared<const TableColumns>(WithColumnsOf(*columns_, *rows->schema()));
    columns = columns_;
  }
  // Cut only where the partition columns' types agree; what does not fit is sorted out when the view is built.
  TARN_ASSIGN_OR_RETURN(auto segments, CutByPartition(rows, *columns));
  for (BufferSegment& segment : segments) {
    entry.num_rows += segment.num_rows;
    entry.segments.push_back(ShareSegment(std::move(segment), entry.memory));
  }
  entry.schema = rows->schema();
  entry.cut_by = std::move(columns);
  MutexLock guard(mutex_);
  HoldLocked(std::make_shared<const BufferEntry>(std::move(entry)), 0, true);
  return Status::Ok();
}

std::optional<wal::Position> LivingTable::CoveredPosition(const RowLog& log) const {
  const auto settled = SettledPosition(log);
  const auto current = snapshot();
  const auto version = current == nullptr ? std::nullopt : current->TxnVersion(log.app_id());
  if (!version.has_value() || *version < 0) return settled;
  return std::max(settled.value_or(0), static_cast<wal::Position>(*version));
}

bool LivingTable::exists() const {
  MutexLock guard(mutex_);
  return snapshot_ != nullptr || !held_.empty();
}

bool LivingTable::Forgettable() const {
  MutexLock guard(mutex_);
  return snapshot_ == nullptr && held_.empty() && preparing_ == 0 && !flushing_;
}

Status LivingTable::BuildViewLocked() {
  auto view = std::make_shared<TableView>();
  view->name = name_;
  view->store = context_.store;
  view->snapshot = snapshot_;
  view->schema = columns_->schema;
  for (const std::string& name : columns_->partition_columns) {
    view->partition_columns.push_back(columns_->schema->GetFieldIndex(name));
  }
  for (HeldEntry& held : held_) {
    if (held.generation != generation_) {
      held.visible = held.entry->segments;
      if (!EntryFits(*held.entry, *columns_)) {
        TARN_ASSIGN_OR_RETURN(auto refitted, RefitEntry(*held.entry, *columns_, /*constraints=*/nullptr));
        held.visible = std::move(refitted.segments);
      }
      held.generation = generation_;
    }
    view->segments.insert(view->segments.end(), held.visible.begin(), held.visible.end());
  }
  view_ = std::move(view);
  return Status::Ok();
}

Result<std::shared_ptr<const TableView>> LivingTable::View() {
  MutexLock guard(mutex_);
  if (snapshot_ == nullptr && held_.empty()) return Status::NotFound("table " + name_.ToString() + " does not exist");
  if (view_ == nullptr) TARN_RETURN_NOT_OK(BuildViewLocked());
  return view_;
}

Result<std::shared_ptr<arrow::Schema>> LivingTable::Schema() {
  MutexLock guard(mutex_);
  if (snapshot_ == nullptr && held_.empty()) return Status::NotFound("table " + name_.ToString() + " does not exist");
  return columns_->schema;
}

std::shared_ptr<const delta::Snapshot> LivingTable::snapshot() const {
  MutexLock guard(mutex_);
  return snapshot_;
}

BufferTotals LivingTable::totals() const {
  MutexLock guard(mutex_);
  return totals_;
}

std::optional<FlushWork> LivingTable::BeginFlush() {
  MutexLock guard(mutex_);
  while (flushing_) flushed_.wait(mutex_);
  const BufferEntry* oldest = nullptr;
  for (const HeldEntry& held : held_) {
    if (held.entry->position > held.entry->log->visible_prefix()) continue;
    if (oldest == nullptr || held.entry->acked_monotonic_micros < oldest->acked_monotonic_micros) {
      oldest = held.entry.get();
    }
  }
  if (oldest == nullptr) return std::nullopt;
  FlushWork work;
  work.log = oldest->log;
  const wal::Position prefix = work.log->visible_prefix();
  for (HeldEntry& held : held_) {
    if (held.entry->log != work.log || held.entry->position > prefix) continue;
    held.is_bound = true;
    work.entries.push_back(held.entry);
  }
  std::sort(work.entries.begin(), work.entries.end(),
            [](const auto& left, const auto& right) { return left->position < right->position; });
  work.position = work.entries.back()->position;
  work.snapshot = snapshot_;
  work.columns = columns_;
  flushing_ = true;
  return work;
}

void LivingTable::EndFlush(bool ok, int64_t retry_at_monotonic_micros) {
  MutexLock guard(mutex_);
  flushing_ = false;
  flush_failures_ = ok ? 0 : flush_failures_ + 1;
  retry_at_ = ok ? 0 : retry_at_monotonic_micros;
  flushed_.notify_all();
}

int64_t LivingTable::retry_at() const {
  MutexLock guard(mutex_);
  return retry_at_;
}

int LivingTable::flush_failures() const {
  MutexLock guard(mutex_);
  return flush_failures_;
}

}  // namespace tarn::lake
