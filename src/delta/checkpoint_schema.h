#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// Columns of a classic checkpoint (PROTOCOL.md, "Checkpoint Schema"); each row has exactly one that is not null.
/// `domainMetadata` comes last, so that a table without that feature just lacks it.
enum class CheckpointColumn : int { kTxn, kAdd, kRemove, kMetadata, kProtocol, kDomainMetadata };

std::shared_ptr<arrow::Schema> CheckpointSchema(bool with_domains);

/// Gathers actions into batches of CheckpointSchema. Batches hold one kind of action each. Thread-compatible.
class CheckpointRows {
 public:
  using Sink = std::function<Status(const arrow::RecordBatch&)>;
  CheckpointRows(bool with_domains, Sink sink);
  ~CheckpointRows();
  CheckpointRows(const CheckpointRows&) = delete;
  CheckpointRows& operator=(const CheckpointRows&) = delete;

  Status Append(const Protocol& protocol);
  Status Append(const Metadata& metadata);
  Status Append(const Txn& txn);
  Status Append(const DomainMetadata& domain);
  Status Append(const Remove& remove);
  /// `with_stats` false leaves the statistics out (delta.checkpoint.writeStatsAsJson=false).
  Status Append(const Add& add, bool with_stats);
  /// Hands over what is gathered.
  Status Flush();
  int64_t num_rows() const { return num_rows_; }

 private:
  struct Builders;
  Status Begin(CheckpointColumn column);
  Status End(const Status& row, size_t bytes);

  const Sink sink_;
  const std::unique_ptr<Builders> builders_;
  CheckpointColumn column_ = CheckpointColumn::kProtocol;
  int64_t gathered_rows_ = 0;
  size_t gathered_bytes_ = 0;
  int64_t num_rows_ = 0;
};

}  // namespace tarn::delta
