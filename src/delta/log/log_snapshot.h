#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "delta/log/checkpoint_source.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "delta/table_state.h"

namespace tarn::delta {

/// The one implementation of Snapshot: reconciled state plus what is derived from it.
class LogSnapshot final : public Snapshot, public CheckpointSource {
 public:
  /// Corruption when protocol or metaData is missing or does not fit the rest; Unsupported names a feature in use that
  /// cannot be read. `previous` lends what did not change.
  static Result<std::shared_ptr<const LogSnapshot>> Make(const TableContext& table, TableState state,
                                                         const LogSnapshot* previous = nullptr);

  /// The files that a commit's text adds, alone, as a table of `like`'s schema and protocol has them.
  static Result<std::shared_ptr<const Snapshot>> FilesAddedIn(const TableContext& table, const LogSnapshot& like,
                                                              std::string_view text, int64_t version);

  /// `snapshot` as what it is.
  static std::shared_ptr<const LogSnapshot> From(const std::shared_ptr<const Snapshot>& snapshot);

  const TableState& state() const { return state_; }

  int64_t version() const override { return state_.version; }
  int64_t timestamp_millis() const override;
  const Protocol& protocol() const override { return *state_.protocol; }
  const Metadata& metadata() const override { return *state_.metadata; }
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<int>& partition_columns() const override { return partition_columns_; }
  columnar::FieldMatch field_match() const override { return field_match_; }
  std::optional<int64_t> TxnVersion(const std::string& app_id) const override;
  size_t num_files() const override { return first_index_.back(); }
  int64_t total_bytes() const override { return total_bytes_; }
  Result<DataFile> File(FileIndex index) const override;
  Result<Add> AddAction(FileIndex index) const override;
  Result<std::vector<FileIndex>> Select(const std::vector<Predicate>& all_of) const override;
  Result<std::vector<FileIndex>> SelectAmong(const std::vector<FileIndex>& candidates,
                                             const std::vector<Predicate>& all_of) const override;
  Result<ColumnBounds> Bounds(FileIndex index, int column) const override;
  size_t memory_bytes() const override;

  Status VisitAdds(const std::function<Status(const Add&)>& visit) const override;
  Status VisitRemoves(const TableContext& table, int64_t deleted_after_millis,
                      const std::function<Status(const Remove&)>& visit) const override;
  Status VisitTxns(const std::function<Status(const Txn&)>& visit) const override;
  Status VisitDomains(const std::function<Status(const DomainMetadata&)>& visit) const override;

 private:
  struct Location {
    size_t chunk = 0;
    uint32_t slot = 0;
  };
  /// A candidate within one chunk.
  struct Candidate {
    uint32_t slot = 0;
    FileIndex index = 0;
  };
  struct Plan;

  LogSnapshot(const TableContext& table, TableState state);
  Status Derive(const LogSnapshot* previous);
  Location Locate(FileIndex index) const;
  Result<std::shared_ptr<const TypedPartitions>> TypedOf(const FileChunk& chunk) const;
  static Result<Add> AddWithoutStats(const FileChunk& chunk, uint32_t slot, PartitionValues partition_values);
  StatsColumn StatsColumnOf(int column) const;
  Plan MakePlan(const std::vector<Predicate>& all_of) const;
  Status SelectInChunk(const Plan& plan, const FileChunk& chunk, std::vector<Candidate> candidates,
                       std::vector<FileIndex>& selected) const;

  const std::shared_ptr<storage::ObjectStore> store_;
  const columnar::TimeZone partition_timezone_;
  const TableState state_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> partition_columns_;
  columnar::FieldMatch field_match_ = columnar::FieldMatch::kName;
  /// Per schema column its place among the partition columns, or -1.
  std::vector<int> partition_place_;
  /// Stored names and types of the partition columns and the zone of their timestamps, to tell cached typed values of
  /// another partitioning apart.
  std::string partitioning_;
  /// Index of the first file of each chunk; the number of files at the end.
  std::vector<size_t> first_index_;
  int64_t total_bytes_ = 0;
};

struct CheckpointFiles;

/// A version by other ways than some checkpoints and compacted files, which are not to be trusted.
Result<std::shared_ptr<const Snapshot>> LoadSnapshotWithout(const TableContext& table, int64_t version,
                                                            std::set<std::string> keys);

/// What a checkpoint alone holds; Corruption or NotFound when it cannot stand for the log before it.
Result<std::shared_ptr<const Snapshot>> OpenCheckpoint(const TableContext& table, const CheckpointFiles& checkpoint);

}  // namespace tarn::delta
