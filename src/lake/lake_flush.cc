#include <algorithm>

#include "base/log.h"
#include "delta/log/checksum.h"
#include "delta/operations/after_commit.h"
#include "delta/operations/log_cleanup.h"
#include "delta/transaction.h"
#include "lake/lake_impl.h"
#include "lake/table_flush.h"

namespace tarn::lake {

namespace {

constexpr int64_t kFirstRetryMicros = 100 * kMicrosPerMilli;
constexpr int64_t kMaxRetryMicros = 30 * kMicrosPerSecond;
/// Of FlushAll beside its caller; most of a flush is waiting for the disk.
constexpr size_t kMaxFlushHelpers = 16;

/// Once a day for each table, as far as its properties allow; what stays waits for the next day.
void CleanUpLog(LivingTable& table, const delta::Snapshot& snapshot) {
  const auto cutoff = delta::LogCleanupCutoffMillis(snapshot.metadata(), *table.context().clock);
  if (cutoff.ok() && !table.ClaimLogCleanup(*cutoff)) return;
  const Result<delta::LogCleanupResult> cleaned =
      cutoff.ok() ? delta::CleanUpLog(table.context(), snapshot) : Result<delta::LogCleanupResult>(cutoff.status());
  if (!cleaned.ok()) {
    Log(LogLevel::kWarning, "old log files stay",
        {{"table", table.name().ToString()}, {"why", cleaned.status().ToString()}});
  } else if (cleaned->files > 0) {
    Log(LogLevel::kInfo, "deleted old log files",
        {{"table", table.name().ToString()}, {"files", cleaned->files}, {"first_version", *cleaned->first_version}});
  }
}

int64_t RetryDelay(int failures) { return std::min(kMaxRetryMicros, kFirstRetryMicros << std::min(failures, 20)); }

}  // namespace

int64_t LakeImpl::DueAt(const LivingTable& table) const {
  const BufferTotals totals = table.totals();
  if (totals.rows == 0) return INT64_MAX;
  const bool full = totals.rows >= options_.flush.max_rows || totals.bytes >= options_.flush.max_bytes;
  // Rows must go to make room before new ones have to be turned away.
  const bool memory_is_short = options_.buffer_budget->used_bytes() > options_.buffer_budget->limit_bytes() / 2;
  const int64_t due = full || memory_is_short ? 0 : totals.oldest_monotonic_micros + options_.flush.max_age_micros;
  return std::max(due, table.retry_at());
}

bool LakeImpl::Due(const LivingTable& table, int64_t now_micros) const { return DueAt(table) <= now_micros; }

Status LakeImpl::FlushTable(const std::shared_ptr<LivingTable>& table) {
  const auto work = table->BeginFlush();
  if (!work.has_value()) return Status::Ok();
  const TableFlush::Surroundings around{options_.store.get(), options_.clock, options_.random, seams_.at_point,
                                        options_.create_missing_tables};
  const int64_t old_version = work->snapshot == nullptr ? -1 : work->snapshot->version();
  const auto flush = [&]() -> Status {
    TARN_ASSIGN_OR_RETURN(const FlushResult result, TableFlush(*table, *work, around).Run());
    TARN_RETURN_NOT_OK(At("before-publish"));
    if (result.snapshot != nullptr) table->PublishSnapshot(result.snapshot);
    if (result.settled) table->Settle(*work->log, work->position);
    rows_flushed_ += result.rows_written;
    ++flushes_;
    CountRejected(*table, result);
    return Status::Ok();
  };
  const Status flushed = flush();
  if (!flushed.ok()) {
    ++flush_failures_;
    const int failures = table->flush_failures();
    if (failures == 0) {
      Log(LogLevel::kWarning, "flush failed and will be tried again",
          {{"table", table->name().ToString()}, {"why", flushed.ToString()}});
    }
    table->EndFlush(false, options_.clock->MonotonicMicros() + RetryDelay(failures));
    return flushed.WithContext(table->name().ToString());
  }
  table->EndFlush(true, 0);
  AfterCommit(table, old_version, table->snapshot());
  TARN_RETURN_NOT_OK(At("before-release"));
  ReleaseLogs();
  return At("after-release");
}

void LakeImpl::CountRejected(const LivingTable& table, const FlushResult& result) {
  if (result.rows_rejected == 0) return;
  rows_rejected_ += result.rows_rejected;
  Log(LogLevel::kWarning, "acknowledged rows no longer fit their table and were set aside",
      {{"table", table.name().ToString()}, {"rows", result.rows_rejected}, {"why", result.reason}});
}

void LakeImpl::AfterCommit(const std::shared_ptr<LivingTable>& table, int64_t old_version,
                           const std::shared_ptr<const delta::Snapshot>& snapshot) {
  if (snapshot == nullptr) return;
  WriteChecksum(table, snapshot);
  const int interval = options_.checkpoint_interval;
  if (interval <= 0 || !delta::CheckpointIsDue(*snapshot, old_version, interval)) return;
  const Status submitted = SubmitTask([table, snapshot] {
    const Status written = delta::WriteCheckpoint(table->context(), *snapshot);
    if (written.ok()) return CleanUpLog(*table, *snapshot);
    Log(LogLevel::kWarning, "checkpoint failed; commits go on without it",
        {{"table", table->name().ToString()}, {"version", snapshot->version()}, {"why", written.ToString()}});
  });
  if (!submitted.ok()) Log(LogLevel::kInfo, "checkpoint put off", {{"table", table->name().ToString()}});
}

void LakeImpl::WriteChecksum(const std::shared_ptr<LivingTable>& table,
                             const std::shared_ptr<const delta::Snapshot>& snapshot) {
  // A version can do without: while one is being written, those of later versions are left out rather than queued.
  if (!table->ClaimChecksum()) return;
  const Status submitted = SubmitTask([table, snapshot] {
    const Status written = delta::WriteChecksum(table->context(), *snapshot);
    table->ReleaseChecksum();
    if (written.ok()) return;
    Log(LogLevel::kInfo, "version checksum left out",
        {{"table", table->name().ToString()}, {"version", snapshot->version()}, {"why", written.ToString()}});
  });
  if (!submitted.ok()) table->ReleaseChecksum();
}

Status LakeImpl::SubmitTask(std::function<void()> task) {
  {
    MutexLock guard(mutex_);
    if (closed_) return Status::Unavailable("the lake is closed");
    ++tasks_;
  }
  const auto ended = [this] {
    MutexLock guard(mutex_);
    --tasks_;
    task_ended_.notify_all();
  };
  const Status submitted = options_.executor->Submit([task = std::move(task), ended]() mutable {
    task();
    // What it holds (tables, logs and with them their folders' locks) must not outlive the lake.
    task = nullptr;
    ended();
  });
  if (!submitted.ok()) ended();
  return submitted;
}

void LakeImpl::ReleaseLogs() {
  std::shared_ptr<RowLog> own;
  std::vector<std::shared_ptr<RowLog>> adopted;
  {
    MutexLock guard(mutex_);
    own = own_log_;
    adopted = adopted_logs_;
  }
  if (own != nullptr && !own->broken()) {
    // What stays is released with the next flush, or skipped by the next replay.
    if (const Status released = own->ReleaseCovered(); !released.ok()) {
      Log(LogLevel::kWarning, "the write-ahead log could not be shortened", {{"why", released.ToString()}});
    }
  }
  for (const auto& log : adopted) {
    if (!log->TryAbandon(*options_.random)) continue;
    MutexLock guard(mutex_);
    std::erase(adopted_logs_, log);
  }
}

Status LakeImpl::FlushWholeTable(const std::shared_ptr<LivingTable>& table) {
  // One commit per log, and a few more for rows that arrive meanwhile.
  constexpr int kMaxCommits = 16;
  for (int i = 0; i < kMaxCommits && table->totals().rows > 0; ++i) TARN_RETURN_NOT_OK(FlushTable(table));
  return Status::Ok();
}

/// The tables of one FlushAll, taken one by one by whoever has a hand free.
struct LakeImpl::FlushShare {
  explicit FlushShare(std::vector<std::shared_ptr<LivingTable>> tables)
      : tables(std::move(tables)), unfinished(this->tables.size()) {}

  const std::vector<std::shared_ptr<LivingTable>> tables;
  std::atomic<size_t> next = 0;
  Mutex mutex;
  CondVar finished;
  size_t unfinished GUARDED_BY(mutex);
  Status first_error GUARDED_BY(mutex);
};

void LakeImpl::FlushShareOf(FlushShare& share) {
  for (size_t i = share.next++; i < share.tables.size(); i = share.next++) {
    Status flushed = FlushWholeTable(share.tables[i]);
    MutexLock guard(share.mutex);
    if (share.first_error.ok()) share.first_error = std::move(flushed);
    if (--share.unfinished == 0) share.finished.notify_all();
  }
}

void LakeImpl::AwaitVisible() {
  std::shared_ptr<RowLog> own;
  {
    MutexLock guard(mutex_);
    own = own_log_;
  }
  if (own != nullptr) own->AwaitVisible();
}

Status LakeImpl::FlushAll() {
  AwaitVisible();
  auto tables = directory_.Known();
  std::erase_if(tables, [](const auto& table) { return table->totals().rows == 0; });
  if (tables.empty()) return Status::Ok();
  const auto share = std::make_shared<FlushShare>(std::move(tables));
  // The executor helps as far as it has threads; this thread does all that is left, so that it never waits for a place
  // in the queue. A helper that comes late finds nothing to do.
  const size_t helpers = std::min(kMaxFlushHelpers, share->tables.size() - 1);
  for (size_t i = 0; i < helpers; ++i) {
    if (!SubmitTask([this, share] { FlushShareOf(*share); }).ok()) break;
  }
  FlushShareOf(*share);
  MutexLock guard(share->mutex);
  while (share->unfinished > 0) share->finished.wait(share->mutex);
  return share->first_error;
}

Status LakeImpl::FlushDue() {
  LookForDeadLogs();
  Status first;
  for (const auto& table : directory_.Known()) {
    if (!Due(*table, options_.clock->MonotonicMicros())) continue;
    Status flushed = FlushTable(table);
    if (first.ok() && !flushed.ok()) first = std::move(flushed);
  }
  return first;
}

void LakeImpl::AdoptInBackground(int64_t now_micros) {
  {
    MutexLock guard(mutex_);
    if (adopting_ || now_micros < adoption_due_) return;
    adopting_ = true;
  }
  const auto ended = [this] {
    MutexLock guard(mutex_);
    adopting_ = false;
    flush_wanted_ = true;
    wake_.notify_all();
  };
  const Status submitted = SubmitTask([this, ended] {
    LookForDeadLogs();
    ended();
  });
  if (submitted.ok()) return;
  MutexLock guard(mutex_);
  adopting_ = false;
  adoption_due_ = now_micros + kAdoptionIntervalMicros;
}

void LakeImpl::FlushInBackground() {
  while (true) {
    const int64_t now = options_.clock->MonotonicMicros();
    int64_t next = now + kAdoptionIntervalMicros;
    AdoptInBackground(now);
    for (const auto& table : directory_.Known()) {
      const int64_t due_at = DueAt(*table);
      if (due_at > now) {
        next = std::min(next, due_at);
        continue;
      }
      {
        MutexLock guard(mutex_);
        if (closed_) return;
        if (!submitted_.insert(table.get()).second) continue;
      }
      const Status submitted = SubmitTask([this, table] {
        (void)FlushTable(table);  // Logged, counted and put off there.
        MutexLock guard(mutex_);
        submitted_.erase(table.get());
        // Looking at every table after each of thousands of first flushes takes longer than these.
        if (DueAt(*table) == INT64_MAX) return;
        flush_wanted_ = true;
        wake_.notify_all();
      });
      if (submitted.ok()) continue;
      next = std::min(next, now + kFirstRetryMicros);
      MutexLock guard(mutex_);
      submitted_.erase(table.get());
    }
    MutexLock guard(mutex_);
    while (!closed_ && !flush_wanted_ && options_.clock->WaitUntil(wake_, mutex_, next)) {
    }
    if (closed_) return;
    flush_wanted_ = false;
  }
}

}  // namespace tarn::lake
