#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// A file of a v2 checkpoint that holds file actions, as its manifest names it.
struct Sidecar {
  /// Its name in the log's folder for sidecars.
  std::string name;
  int64_t size_bytes = 0;
  int64_t modified_millis = 0;
};

/// The actions of checkpoints (PROTOCOL.md, "Checkpoint Schema", "Sidecar File Schema").
enum class CheckpointColumn : uint8_t {
  kTxn,
  kAdd,
  kRemove,
  kMetadata,
  kProtocol,
  kDomainMetadata,
  kCheckpointMetadata,
  kSidecar,
};

/// What the rows of one kind of checkpoint file look like: each has exactly one column that is not null.
struct CheckpointLayout {
  std::vector<CheckpointColumn> columns;
  /// False leaves `add.stats` null (delta.checkpoint.writeStatsAsJson=false).
  bool stats_as_json = true;
  /// Types of `add.stats_parsed` and `add.partitionValues_parsed` (delta.checkpoint.writeStatsAsStruct=true); null
  /// leaves the column out.
  std::shared_ptr<arrow::DataType> parsed_stats;
  std::shared_ptr<arrow::DataType> parsed_partition;

  /// The one file of a classic checkpoint. Tables without domains lack their column.
  static CheckpointLayout Classic(bool with_domains);
  /// A v2 checkpoint's own file.
  static CheckpointLayout Manifest();
  static CheckpointLayout OfSidecar();

  std::shared_ptr<arrow::Schema> Schema() const;
};

/// Gathers actions into batches of a layout's schema. Batches hold one kind of action each. Thread-compatible.
class CheckpointRows {
 public:
  using Sink = std::function<Status(const arrow::RecordBatch&)>;
  CheckpointRows(CheckpointLayout layout, Sink sink);
  ~CheckpointRows();
  CheckpointRows(const CheckpointRows&) = delete;
  CheckpointRows& operator=(const CheckpointRows&) = delete;

  Status Append(const Protocol& protocol);
  Status Append(const Metadata& metadata);
  Status Append(const Txn& txn);
  Status Append(const DomainMetadata& domain);
  Status Append(const Remove& remove);
  Status Append(const Add& add);
  /// The action that makes a file a v2 checkpoint.
  Status AppendCheckpointMetadata(int64_t version);
  Status Append(const Sidecar& sidecar);
  /// Hands over what is gathered.
  Status Flush();
  int64_t num_rows() const { return num_rows_; }

 private:
  struct Builders;
  Status Begin(CheckpointColumn column);
  Status End(const Status& row, size_t bytes);

  const CheckpointLayout layout_;
  const Sink sink_;
  const std::unique_ptr<Builders> builders_;
  CheckpointColumn column_ = CheckpointColumn::kProtocol;
  int64_t gathered_rows_ = 0;
  size_t gathered_bytes_ = 0;
  int64_t num_rows_ = 0;
};

}  // namespace tarn::delta
