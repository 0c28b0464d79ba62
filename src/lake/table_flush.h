#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/data_file_writer.h"
#include "delta/transaction.h"
#include "lake/living_table.h"

namespace tarn::lake {

struct FlushResult {
  /// Null when nothing was committed: the table turned out to hold the rows already, or they were all set aside.
  std::shared_ptr<const delta::Snapshot> snapshot;
  int64_t rows_written = 0;
  int64_t rows_rejected = 0;
  /// Why the first of them was.
  std::string reason;
  /// The table takes no rows any more: all of the work's were set aside, and the rejected store says so.
  bool settled = false;
};

/// Writes one FlushWork to its table: data files, rejected rows, one commit. Used once, by one thread.
///
/// A commit that loses against another writer's is made again on the newest version, with rows matched anew: the
/// table's schema and constraints decide, and what no longer fits goes to the rejected store before the commit that
/// passes it over. When the table itself cannot be written any more (another writer made it use a feature that is not
/// ours, or something else is in its place), no later attempt can help: all rows go to the rejected store.
class TableFlush {
 public:
  struct Surroundings {
    /// Of the lake, for rejected rows.
    storage::ObjectStore* store = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    std::function<Status(std::string_view)> at_point;
    /// Whether a table that was dropped meanwhile is made again.
    bool create_missing_table = true;
    int64_t target_file_bytes = 128 << 20;
  };

  TableFlush(LivingTable& table, const FlushWork& work, const Surroundings& surroundings)
      : table_(table), work_(work), around_(surroundings) {}

  Result<FlushResult> Run();

 private:
  /// Rows of one partition, in position order.
  struct Partition {
    delta::PartitionValues values;
    std::vector<std::shared_ptr<const BufferSegment>> segments;
  };
  struct Rejected {
    wal::Position position = 0;
    RefittedRows::Rejected rows;
  };
  /// Everything that one attempt wants to write.
  struct Plan {
    TableColumns columns;
    /// Null for a table that begins.
    std::shared_ptr<const delta::RowConstraints> constraints;
    delta::DataFileOptions options;
    /// Of a table that maps its columns from this commit on, because the name of a new one needs it.
    struct Mapping {
      delta::Protocol protocol;
      delta::Metadata metadata;
    };
    std::optional<Mapping> mapping;
    /// The table that is to begin, with every property.
    delta::CreateTableOptions create;
    /// By folder, so that files come in a stable order.
    std::map<std::string, Partition> partitions;
    std::vector<Rejected> rejected;
    int64_t rows = 0;
    int64_t rejected_rows = 0;
  };

  Result<FlushResult> KeepRows();
  Result<FlushResult> SetAside(const Status& why) const;
  /// One attempt on that snapshot; null begins a table.
  Result<FlushResult> Attempt(const std::shared_ptr<const delta::Snapshot>& snapshot) const;
  Result<Plan> MakePlan(const std::shared_ptr<const delta::Snapshot>& snapshot) const;
  /// Gives new columns ids and names for data files where the table maps its columns, or has to from now on.
  Status MapColumns(const std::shared_ptr<const delta::Snapshot>& snapshot, Plan& plan) const;
  Status BeginMapping(const std::shared_ptr<const delta::Snapshot>& snapshot, Plan& plan) const;
  /// Whether all rows can be kept as they are.
  static Result<bool> Fits(const Plan& plan, const BufferEntry& entry);
  /// Rows that the plan's columns or constraints do not take as they are.
  Status AddRefitted(Plan& plan, const BufferEntry& record) const;
  Status AddSegments(Plan& plan, const std::vector<std::shared_ptr<const BufferSegment>>& segments) const;
  Status WriteRejected(const std::vector<Rejected>& all) const;
  Status WritePartition(const Plan& plan, const std::string& folder, const Partition& partition,
                        std::vector<delta::Add>& adds) const;
  Result<std::vector<delta::Add>> WriteFiles(const Plan& plan) const;
  Result<std::shared_ptr<const delta::Snapshot>> Commit(const std::shared_ptr<const delta::Snapshot>& snapshot,
                                                        const Plan& plan, const std::vector<delta::Add>& adds) const;
  void DeleteFiles(const std::vector<delta::Add>& adds) const;
  /// Up to where the table holds the log's rows; -1 when it holds none.
  int64_t HeldUntil(const delta::Snapshot* snapshot) const;
  Status At(std::string_view point) const { return around_.at_point ? around_.at_point(point) : Status::Ok(); }

  LivingTable& table_;
  const FlushWork& work_;
  const Surroundings around_;
};

}  // namespace tarn::lake
