#include "engine/running_query.h"

#include <arrow/record_batch.h>

#include <utility>

namespace tarn::engine {
namespace {

/// What RunInline may take: enough for a lookup, too little to be noticed by a client who waits for the schema.
constexpr int64_t kInlineMicros = 5'000;
constexpr int kInlineSteps = 64;
constexpr int kInlineWaits = 2;
constexpr size_t kMaxLoggedSql = 4096;

/// The limit that holds when both may be 0, which is none.
int64_t Tighter(int64_t a, int64_t b) {
  if (a == 0) return b;
  if (b == 0) return a;
  return a < b ? a : b;
}

/// A request whose limits are the tighter ones.
QueryRequest WithLimits(QueryRequest request, const QueryLimits& limits) {
  request.limits.timeout_micros = Tighter(request.limits.timeout_micros, limits.timeout_micros);
  request.limits.max_rows = Tighter(request.limits.max_rows, limits.max_rows);
  return request;
}

const char* StateName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "done";
    case StatusCode::kCancelled:
      return "cancelled";
    default:
      return "failed";
  }
}

}  // namespace

RunningQuery::RunningQuery(QueryRequest request, const QueryLimits& limits, std::string id, Clock& clock, OnEnd on_end,
                           EndSoon end_soon)
    : request_(WithLimits(std::move(request), limits)),
      id_(std::move(id)),
      clock_(clock),
      started_wall_(clock.WallMicros()),
      started_monotonic_(clock.MonotonicMicros()),
      deadline_(request_.limits.timeout_micros == 0 ? 0 : started_monotonic_ + request_.limits.timeout_micros),
      on_end_(std::move(on_end)),
      end_soon_(std::move(end_soon)) {}

Status RunningQuery::Start(Admission::Slot slot, std::shared_ptr<Database> database,
                           std::unique_ptr<CheckedStatement> statement) {
  Result<std::unique_ptr<Cursor>> made = database->NewCursor();
  Cursor* cursor = made.ok() ? made->get() : nullptr;
  {
    MutexLock lock(mutex_);
    TARN_CHECK(phase_ == Phase::kWaiting && !claimed_);
    slot_ = std::move(slot);
    database_ = std::move(database);
    phase_ = Phase::kRunning;
    claimed_ = true;
    if (made.ok()) {
      cost_ = (*made)->cost();
      cursor_ = std::move(*made);
    }
  }
  Status started = made.ok() ? cursor->Start(std::move(statement), request_) : made.status();
  if (!started.ok()) return Fail(std::move(started));
  schema_ = cursor->schema();
  Unclaim();
  MutexLock lock(mutex_);
  return phase_ == Phase::kDone ? outcome_ : Status::Ok();
}

void RunningQuery::RunInline() {
  if (!Claim().ok()) return;
  const int64_t until = clock_.MonotonicMicros() + kInlineMicros;
  int waits = 0;
  for (int step = 0; step < kInlineSteps && waits < kInlineWaits; ++step) {
    bool waited = false;
    Result<bool> ended = Work(&waited);
    if (!ended.ok()) return End(ended.status());
    if (*ended) return End(Status::Ok());
    waits += waited;
    if (clock_.MonotonicMicros() >= until) break;
    MutexLock lock(mutex_);
    // The rows of one batch wait here at most, not a whole result.
    if (!ready_.empty()) break;
  }
  Unclaim();
}

Result<std::shared_ptr<arrow::RecordBatch>> RunningQuery::Next() {
  bool working = false;
  for (;;) {
    {
      MutexLock lock(mutex_);
      const bool failed = phase_ == Phase::kDone && !outcome_.ok();
      if (!failed && !ready_.empty()) {
        auto batch = std::move(ready_.front());
        ready_.pop_front();
        if (working) {
          lock.Unlock();
          Unclaim();
        }
        return batch;
      }
      if (failed) return outcome_;
      if (phase_ == Phase::kDone) return std::shared_ptr<arrow::RecordBatch>();
    }
    if (!working) {
      TARN_RETURN_NOT_OK(Claim());
      working = true;
    }
    bool waited = false;
    Result<bool> ended = Work(&waited);
    if (!ended.ok() || *ended) {
      End(ended.status());
      working = false;
    }
  }
}

Status RunningQuery::Claim() {
  MutexLock lock(mutex_);
  if (stop_) return *stop_;
  if (phase_ == Phase::kDone) return outcome_;
  TARN_CHECK(!claimed_ && cursor_ != nullptr);
  claimed_ = true;
  return Status::Ok();
}

void RunningQuery::Unclaim() {
  std::optional<Status> stop;
  {
    MutexLock lock(mutex_);
    stop = stop_;
    if (!stop) claimed_ = false;
  }
  if (stop) End(*stop);
}

Result<bool> RunningQuery::Work(bool* waited) {
  Cursor* cursor = nullptr;
  {
    MutexLock lock(mutex_);
    if (stop_) return *stop_;
    cursor = cursor_.get();
  }
  Result<Cursor::Step> step = cursor->Advance();
  if (!step.ok()) return step.status();
  if (step->batch != nullptr) TARN_RETURN_NOT_OK(AddRows(std::move(step->batch)));
  *waited = step->waited;
  return step->done;
}

Status RunningQuery::AddRows(std::shared_ptr<arrow::RecordBatch> batch) {
  MutexLock lock(mutex_);
  rows_ += batch->num_rows();
  TARN_RETURN_NOT_OK(CheckResultRows(request_.limits, rows_));
  ready_.push_back(std::move(batch));
  return Status::Ok();
}

void RunningQuery::Stop(Status why) {
  {
    MutexLock lock(mutex_);
    if (phase_ == Phase::kDone || stop_) return;
    stop_ = why;
    stopped_ = true;
    if (phase_ == Phase::kWaiting) return;
    if (cursor_ != nullptr) cursor_->Interrupt();
    if (claimed_) return;
    claimed_ = true;
  }
  end_soon_(shared_from_this());
}

void RunningQuery::EndStopped() {
  Status why;
  {
    MutexLock lock(mutex_);
    TARN_CHECK(stop_.has_value());
    why = *stop_;
  }
  End(std::move(why));
}

Status RunningQuery::Fail(Status why) {
  End(std::move(why));
  MutexLock lock(mutex_);
  return outcome_;
}

void RunningQuery::End(Status outcome) {
  Admission::Slot slot;
  std::shared_ptr<Database> database;
  std::unique_ptr<Cursor> cursor;
  {
    MutexLock lock(mutex_);
    if (phase_ == Phase::kDone) return;
    phase_ = Phase::kDone;
    claimed_ = false;
    // An interrupted engine reports the interrupt; the reason is known here only.
    outcome_ = !outcome.ok() && stop_ ? *stop_ : std::move(outcome);
    if (!outcome_.ok()) ready_.clear();
    ended_monotonic_ = clock_.MonotonicMicros();
    slot = std::move(slot_);
    database = std::move(database_);
    cursor = std::move(cursor_);
  }
  cursor.reset();
  database.reset();
  slot = Admission::Slot();
  on_end_(*this);
}

std::shared_ptr<Database> RunningQuery::database() const {
  MutexLock lock(mutex_);
  return database_;
}

bool RunningQuery::ended() const {
  MutexLock lock(mutex_);
  return phase_ == Phase::kDone;
}

StatusCode RunningQuery::end_code() const {
  MutexLock lock(mutex_);
  return outcome_.code();
}

QueryInfo RunningQuery::Info() const {
  QueryInfo info;
  info.query_id = id_;
  info.principal = request_.principal;
  info.sql = request_.sql.substr(0, kMaxLoggedSql);
  info.started_micros = started_wall_;
  MutexLock lock(mutex_);
  info.rows = rows_;
  if (cost_ != nullptr) {
    info.storage_requests = cost_->requests;
    info.storage_bytes = cost_->bytes;
  }
  info.elapsed_micros = (phase_ == Phase::kDone ? ended_monotonic_ : clock_.MonotonicMicros()) - started_monotonic_;
  switch (phase_) {
    case Phase::kWaiting:
      info.state = "waiting";
      break;
    case Phase::kRunning:
      info.state = "running";
      info.progress = cursor_ != nullptr ? cursor_->progress() : 0;
      break;
    case Phase::kDone:
      info.state = StateName(outcome_.code());
      info.progress = outcome_.ok() ? 1 : 0;
      info.error = outcome_.ok() ? "" : outcome_.ToString();
      break;
  }
  return info;
}

}  // namespace tarn::engine
