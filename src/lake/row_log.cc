#include "lake/row_log.h"

#include <algorithm>

#include "base/log.h"

namespace tarn::lake {

namespace {

/// The identity of the log in a folder, empty when there is none yet; known also where the records are damaged.
Status PeekUuid(storage::SegmentStore& segments, std::string* uuid) {
  const Status read = wal::Wal::ReadOnly(
      segments, uuid, [](const wal::ReplayedRecord&) { return Status::Cancelled("the identity is enough"); });
  return read.Is(StatusCode::kCancelled) || read.Is(StatusCode::kNotFound) ? Status::Ok() : read;
}

}  // namespace

Status RowLog::Open(const wal::WalOptions& options, Clock& clock, Random& random,
                    const std::function<Status(const wal::ReplayedRecord&)>& replay) {
  TARN_RETURN_NOT_OK(PeekUuid(*segments_, &uuid_));
  TARN_ASSIGN_OR_RETURN(std::shared_ptr<wal::Wal> wal, wal::Wal::Open(segments_, options, clock, random, replay));
  uuid_ = wal->uuid();
  MutexLock guard(mutex_);
  prefix_ = wal->end();
  wal_ = std::move(wal);
  return Status::Ok();
}

Status RowLog::Read(const std::function<Status(const wal::ReplayedRecord&)>& replay) {
  TARN_RETURN_NOT_OK(PeekUuid(*segments_, &uuid_));
  const Status read = wal::Wal::ReadOnly(*segments_, &uuid_, replay);
  return read.Is(StatusCode::kNotFound) ? Status::Ok() : read;
}

Result<RowLog::Range> RowLog::Append(std::vector<wal::NewRecord> records) {
  const auto count = static_cast<wal::Position>(records.size());
  TARN_CHECK(count > 0);
  std::shared_ptr<wal::Wal> wal;
  {
    MutexLock guard(mutex_);
    if (broken_ || wal_ == nullptr) return Status::Unavailable("the write-ahead log is being replaced");
    wal = wal_;
    ++appending_;
  }
  Result<wal::Position> last = wal->Append(std::move(records));
  MutexLock guard(mutex_);
  if (!last.ok()) {
    --appending_;
    advanced_.notify_all();
    const Status failure = std::move(last).status();
    if (failure.Is(StatusCode::kInvalidArgument)) return failure;
    if (failure.Is(StatusCode::kResourceExhausted)) {
      return Status::Unavailable("the write-ahead log has no room: " + failure.message());
    }
    // Whatever it was (the folder is gone, it may not be written), it is not about the rows. What the disk said names
    // the server's paths, which are not for clients.
    Log(LogLevel::kError, "the write-ahead log failed", {{"why", failure.ToString()}});
    broken_ = true;
    return Status::Unavailable("the write-ahead log failed and is begun anew");
  }
  const Range range{*last - count + 1, *last};
  for (wal::Position position = range.first; position <= range.last; ++position) {
    needed_.insert(needed_.end(), position);
  }
  return range;
}

void RowLog::Complete(Range range) {
  MutexLock guard(mutex_);
  --appending_;
  beyond_.emplace(range.first, range.last);
  while (!beyond_.empty() && beyond_.begin()->first == prefix_ + 1) {
    prefix_ = beyond_.begin()->second;
    beyond_.erase(beyond_.begin());
  }
  advanced_.notify_all();
}

void RowLog::Abort(Range range) {
  MutexLock guard(mutex_);
  TARN_CHECK(range.first > prefix_);
  --appending_;
  broken_ = true;
  advanced_.notify_all();
}

void RowLog::AwaitVisible() {
  const wal::Position target = end();
  MutexLock guard(mutex_);
  while (prefix_ < target && appending_ > 0 && !broken_) advanced_.wait(mutex_);
}

void RowLog::Replayed(wal::Position position, bool needed) {
  MutexLock guard(mutex_);
  prefix_ = position;
  if (needed) needed_.insert(needed_.end(), position);
}

void RowLog::Covered(const std::vector<wal::Position>& positions) {
  MutexLock guard(mutex_);
  for (const wal::Position position : positions) needed_.erase(position);
}

Status RowLog::ReleaseCovered() {
  wal::Position until = 0;
  std::shared_ptr<wal::Wal> wal;
  {
    MutexLock guard(mutex_);
    if (wal_ == nullptr) return Status::Ok();
    wal = wal_;
    until = CoveredUntil();
    if (until <= released_) return Status::Ok();
  }
  TARN_RETURN_NOT_OK(wal->Release(until));
  MutexLock guard(mutex_);
  released_ = std::max(released_, until);
  return Status::Ok();
}

Status RowLog::ReleaseAtEnd() {
  wal::Position until = 0;
  std::shared_ptr<wal::Wal> wal;
  {
    MutexLock guard(mutex_);
    if (wal_ == nullptr || broken_) return Status::Ok();
    wal = wal_;
    until = CoveredUntil();
  }
  return wal->ReleaseAtEnd(until);
}

wal::Position RowLog::visible_prefix() const {
  MutexLock guard(mutex_);
  return prefix_;
}

wal::Position RowLog::end() const {
  const auto open = wal();
  return open == nullptr ? visible_prefix() : open->end();
}

std::shared_ptr<const wal::SchemaEntry> RowLog::DefineSchema(std::string bytes) {
  const auto open = wal();
  return open == nullptr ? nullptr : open->DefineSchema(std::move(bytes));
}

bool RowLog::broken() const {
  MutexLock guard(mutex_);
  return broken_;
}

wal::WalStats RowLog::stats() const {
  const auto open = wal();
  return open == nullptr ? wal::WalStats{} : open->stats();
}

bool RowLog::TryAbandon(Random& random) {
  MutexLock giving_up(folder_mutex_);
  if (abandoned_) return true;
  {
    MutexLock guard(mutex_);
    if (appending_ > 0 || !needed_.empty()) return false;
    wal_.reset();
  }
  // Where someone removed the folder, another log may have begun under its name.
  std::string found;
  (void)PeekUuid(*segments_, &found);
  const Status reset = found == uuid_ ? wal::Reset(*segments_, random) : Status::Ok();
  if (reset.ok()) {
    lock_.reset();
    abandoned_ = true;
    return true;
  }
  Log(LogLevel::kWarning, "a write-ahead log that is not needed any more could not be removed",
      {{"node", node_}, {"why", reset.ToString()}});
  return false;
}

}  // namespace tarn::lake
