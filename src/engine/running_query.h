#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/admission.h"
#include "engine/database.h"
#include "engine/query_service.h"

namespace tarn::engine {

/// One query from Execute to its end. It holds a cursor and a slot for as long as it runs, whoever ends it: the reader
/// that reached the last row, an error, Stop from any thread, or the reader that went away. Thread-safe, but Start,
/// RunInline and Next are called by one thread at a time.
class RunningQuery : public std::enable_shared_from_this<RunningQuery> {
 public:
  /// Called once, after cursor and slot are given back.
  using OnEnd = std::function<void(RunningQuery&)>;
  /// Has EndStopped called on a thread that may wait.
  using EndSoon = std::function<void(std::shared_ptr<RunningQuery>)>;

  RunningQuery(QueryRequest request, const QueryLimits& limits, std::string id, Clock& clock, OnEnd on_end,
               EndSoon end_soon);

  const QueryRequest& request() const { return request_; }
  const std::string& id() const { return id_; }
  /// 0 when there is none.
  int64_t deadline_monotonic_micros() const { return deadline_; }
  int64_t started_monotonic_micros() const { return started_monotonic_; }
  const std::atomic<bool>& stopped() const { return stopped_; }

  /// Takes a slot and a cursor and plans the statement.
  Status Start(Admission::Slot slot, std::shared_ptr<Database> database, std::unique_ptr<CheckedStatement> statement)
      EXCLUDES(mutex_);
  /// Runs for a few milliseconds at most, so that a small result needs its slot no longer than that.
  void RunInline() EXCLUDES(mutex_);
  Result<std::shared_ptr<arrow::RecordBatch>> Next() EXCLUDES(mutex_);
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// Ends the query with `why` as soon as the engine lets go. Does not wait for that, which takes as long as the
  /// longest call that one of its threads is in.
  void Stop(Status why) EXCLUDES(mutex_);
  /// Ends a query that was stopped while nobody worked on it.
  void EndStopped() EXCLUDES(mutex_);
  /// Ends it before it had a cursor.
  Status Fail(Status why) EXCLUDES(mutex_);

  /// The instance it runs on, null before and after.
  std::shared_ptr<Database> database() const EXCLUDES(mutex_);
  bool ended() const EXCLUDES(mutex_);
  QueryInfo Info() const EXCLUDES(mutex_);
  StatusCode end_code() const EXCLUDES(mutex_);

 private:
  enum class Phase { kWaiting, kRunning, kDone };

  /// Marks the cursor as in use by this thread, or tells why it cannot be.
  Status Claim() EXCLUDES(mutex_);
  /// Gives the claim back; a Stop that came meanwhile takes effect.
  void Unclaim() EXCLUDES(mutex_);
  /// One step of the cursor, claimed. Adds rows to ready_; true when the query has ended.
  Result<bool> Work(bool* waited) EXCLUDES(mutex_);
  Status AddRows(std::shared_ptr<arrow::RecordBatch> batch) EXCLUDES(mutex_);
  void End(Status outcome) EXCLUDES(mutex_);

  const QueryRequest request_;
  const std::string id_;
  Clock& clock_;
  const int64_t started_wall_;
  const int64_t started_monotonic_;
  const int64_t deadline_;
  const OnEnd on_end_;
  const EndSoon end_soon_;
  std::atomic<bool> stopped_ = false;
  /// Set by Start before anybody reads it.
  std::shared_ptr<arrow::Schema> schema_;

  mutable Mutex mutex_;
  Phase phase_ GUARDED_BY(mutex_) = Phase::kWaiting;
  bool claimed_ GUARDED_BY(mutex_) = false;
  std::optional<Status> stop_ GUARDED_BY(mutex_);
  Status outcome_ GUARDED_BY(mutex_);
  Admission::Slot slot_ GUARDED_BY(mutex_);
  std::shared_ptr<Database> database_ GUARDED_BY(mutex_);
  std::unique_ptr<Cursor> cursor_ GUARDED_BY(mutex_);
  /// The cursor's, also when it is gone; null before.
  std::shared_ptr<const storage::ReadCost> cost_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<arrow::RecordBatch>> ready_ GUARDED_BY(mutex_);
  int64_t rows_ GUARDED_BY(mutex_) = 0;
  int64_t ended_monotonic_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tarn::engine
