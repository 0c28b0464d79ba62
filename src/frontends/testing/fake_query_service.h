#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "engine/query_service.h"

namespace tarn::frontends {

/// A stream of given batches that may then fail, or wait until it is cancelled. Thread-safe.
class FakeStream final : public engine::QueryStream {
 public:
  struct Script {
    std::shared_ptr<arrow::Schema> schema;
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    /// Repeats the batches so often.
    int64_t repeat = 1;
    /// After the last batch.
    Status failure;
    bool wait_for_cancel = false;
  };
  FakeStream(Script script, std::string query_id) : script_(std::move(script)), query_id_(std::move(query_id)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return script_.schema; }
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override EXCLUDES(mutex_);
  void Cancel() override EXCLUDES(mutex_);
  const std::string& query_id() const override { return query_id_; }

 private:
  const Script script_;
  const std::string query_id_;
  size_t next_ = 0;
  Mutex mutex_;
  CondVar changed_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
};

/// Answers each query with what a function says, and remembers the requests. Thread-safe.
class FakeQueryService final : public engine::QueryService {
 public:
  using Answer = std::function<Result<FakeStream::Script>(const engine::QueryRequest&)>;
  explicit FakeQueryService(Answer answer) : answer_(std::move(answer)) {}

  Status RegisterSystemTable(const std::string&, std::shared_ptr<engine::SystemTable>) override { return Status::Ok(); }
  Status RegisterLocalFile(const std::string&, const std::string&) override { return Status::Ok(); }
  Result<std::unique_ptr<engine::QueryStream>> Execute(const engine::QueryRequest& request) override EXCLUDES(mutex_);
  Status Cancel(const std::string& query_id) override EXCLUDES(mutex_);
  std::vector<engine::QueryInfo> Queries() const override { return {}; }
  engine::EngineStats stats() const override { return {}; }

  engine::QueryRequest last_request() const EXCLUDES(mutex_);
  /// Waits until a query runs.
  void WaitForQuery() EXCLUDES(mutex_);
  /// Waits until a running query was cancelled.
  void WaitForCancel() EXCLUDES(mutex_);

 private:
  const Answer answer_;
  mutable Mutex mutex_;
  CondVar changed_;
  engine::QueryRequest last_request_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, engine::QueryStream*>> running_ GUARDED_BY(mutex_);
  int cancelled_ GUARDED_BY(mutex_) = 0;
};

/// The parsed rows of a JSON array as a batch, by Arrow's own reader of JSON types.
std::shared_ptr<arrow::RecordBatch> BatchFromJson(const std::shared_ptr<arrow::Schema>& schema,
                                                  const std::string& json);

/// One script with one batch.
FakeStream::Script OneBatch(const std::shared_ptr<arrow::RecordBatch>& batch);

}  // namespace tarn::frontends
