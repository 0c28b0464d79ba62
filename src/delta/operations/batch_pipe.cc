#include "delta/operations/batch_pipe.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/executor.h"
#include "base/mutex.h"

namespace tarn::delta {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// One batch goes in whatever its size.
constexpr int64_t kMaxWaitingBytes = 4 << 20;

class Pipe {
 public:
  Status Push(BatchPtr batch) EXCLUDES(mutex_) {
    const int64_t bytes = arrow::util::TotalBufferSize(*batch);
    {
      MutexLock lock(mutex_);
      while (!closed_ && !waiting_.empty() && bytes_ + bytes > kMaxWaitingBytes) changed_.wait(mutex_);
      if (closed_) return Status::Cancelled("nobody takes the rows any more");
      waiting_.emplace_back(std::move(batch), bytes);
      bytes_ += bytes;
    }
    changed_.notify_all();
    return Status::Ok();
  }

  /// The producer's end.
  void End(Status status) EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      end_ = std::move(status);
    }
    changed_.notify_all();
  }

  /// Null at the end of all batches.
  Result<BatchPtr> Pop() EXCLUDES(mutex_) {
    BatchPtr batch;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !end_.has_value()) changed_.wait(mutex_);
      if (waiting_.empty()) {
        TARN_RETURN_NOT_OK(*end_);
        return batch;
      }
      batch = std::move(waiting_.front().first);
      bytes_ -= waiting_.front().second;
      waiting_.pop_front();
    }
    changed_.notify_all();
    return batch;
  }

  /// The consumer takes no more.
  void Close() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::pair<BatchPtr, int64_t>> waiting_ GUARDED_BY(mutex_);
  int64_t bytes_ GUARDED_BY(mutex_) = 0;
  std::optional<Status> end_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

Status Drain(Pipe& pipe, const columnar::BatchVisitor& consume) {
  while (true) {
    TARN_ASSIGN_OR_RETURN(const BatchPtr batch, pipe.Pop());
    if (batch == nullptr) return Status::Ok();
    TARN_RETURN_NOT_OK(consume(batch));
  }
}

}  // namespace

Status PipeBatches(const std::function<Status(const columnar::BatchVisitor&)>& produce,
                   const columnar::BatchVisitor& consume) {
  Pipe pipe;
  const Thread producer("delta-read",
                        [&] { pipe.End(produce([&](const BatchPtr& batch) { return pipe.Push(batch); })); });
  const Status status = Drain(pipe, consume);
  pipe.Close();
  return status;
}

}  // namespace tarn::delta
