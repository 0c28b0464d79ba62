#include "frontends/testing/fake_query_service.h"

#include <arrow/array.h>
#include <arrow/array/array_nested.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

namespace tarn::frontends {

Result<std::shared_ptr<arrow::RecordBatch>> FakeStream::Next() {
  MutexLock lock(mutex_);
  if (cancelled_) return Status::Cancelled("cancelled");
  if (next_ < script_.batches.size() * static_cast<size_t>(script_.repeat)) {
    return script_.batches[next_++ % script_.batches.size()];
  }
  while (script_.wait_for_cancel && !cancelled_) changed_.wait(mutex_);
  if (cancelled_) return Status::Cancelled("cancelled");
  if (!script_.failure.ok()) return script_.failure;
  return std::shared_ptr<arrow::RecordBatch>();
}

void FakeStream::Cancel() {
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_all();
}

namespace {

/// Leaves the list of running queries when it ends.
class TrackedStream final : public engine::QueryStream {
 public:
  TrackedStream(std::unique_ptr<engine::QueryStream> stream, std::function<void()> ended)
      : stream_(std::move(stream)), ended_(std::move(ended)) {}
  ~TrackedStream() override { ended_(); }
  const std::shared_ptr<arrow::Schema>& schema() const override { return stream_->schema(); }
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override { return stream_->Next(); }
  void Cancel() override { stream_->Cancel(); }
  const std::string& query_id() const override { return stream_->query_id(); }

 private:
  const std::unique_ptr<engine::QueryStream> stream_;
  const std::function<void()> ended_;
};

}  // namespace

Result<std::unique_ptr<engine::QueryStream>> FakeQueryService::Execute(const engine::QueryRequest& request) {
  {
    MutexLock lock(mutex_);
    last_request_ = request;
  }
  TARN_ASSIGN_OR_RETURN(FakeStream::Script script, answer_(request));
  auto stream = std::make_unique<FakeStream>(std::move(script), request.query_id);
  engine::QueryStream* running = stream.get();
  MutexLock lock(mutex_);
  running_.emplace_back(request.query_id, running);
  changed_.notify_all();
  return std::unique_ptr<engine::QueryStream>(std::make_unique<TrackedStream>(std::move(stream), [this, running] {
    MutexLock ended(mutex_);
    std::erase_if(running_, [running](const auto& entry) { return entry.second == running; });
  }));
}

Status FakeQueryService::Cancel(const std::string& query_id) {
  MutexLock lock(mutex_);
  for (const auto& [id, stream] : running_) {
    if (id != query_id) continue;
    stream->Cancel();
    ++cancelled_;
    changed_.notify_all();
    return Status::Ok();
  }
  return Status::NotFound("no such query");
}

engine::QueryRequest FakeQueryService::last_request() const {
  MutexLock lock(mutex_);
  return last_request_;
}

void FakeQueryService::WaitForQuery() {
  MutexLock lock(mutex_);
  while (running_.empty()) changed_.wait(mutex_);
}

void FakeQueryService::WaitForCancel() {
  MutexLock lock(mutex_);
  while (cancelled_ == 0) changed_.wait(mutex_);
}

std::shared_ptr<arrow::RecordBatch> BatchFromJson(const std::shared_ptr<arrow::Schema>& schema,
                                                  const std::string& json) {
  const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json).ValueOrDie();
  const auto& rows_struct = static_cast<const arrow::StructArray&>(*rows);
  return arrow::RecordBatch::Make(schema, rows->length(), rows_struct.fields());
}

FakeStream::Script OneBatch(const std::shared_ptr<arrow::RecordBatch>& batch) {
  return {.schema = batch->schema(), .batches = {batch}};
}

}  // namespace tarn::frontends
