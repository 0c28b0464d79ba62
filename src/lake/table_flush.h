#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "columnar/parquet_writer.h"
#include "delta/actions.h"
#include "lake/living_table.h"

namespace tarn::lake {

struct FlushResult {
  /// Null when the table turned out to hold the rows already.
  std::shared_ptr<const delta::Snapshot> snapshot;
  int64_t rows_written = 0;
  int64_t rows_rejected = 0;
};

/// Writes one FlushWork to its table: data files, rejected rows, one commit. Used once, by one thread.
///
/// A commit that loses against another writer's is made again on the newest version, with rows matched anew: the
/// table's schema decides, and what no longer fits goes to the rejected store before the commit that passes it over.
class TableFlush {
 public:
  struct Surroundings {
    /// Of the lake, for rejected rows.
    storage::ObjectStore* store = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    std::function<Status(std::string_view)> at_point;
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
    /// By folder, so that files come in a stable order.
    std::map<std::string, Partition> partitions;
    std::vector<Rejected> rejected;
    int64_t rows = 0;
    int64_t rejected_rows = 0;
  };

  Result<Plan> MakePlan(const delta::Snapshot* snapshot) const;
  Status AddSegments(Plan& plan, const std::vector<std::shared_ptr<const BufferSegment>>& segments) const;
  Status WriteRejected(const Plan& plan) const;
  Status WritePartition(const Plan& plan, const std::string& folder, const Partition& partition,
                        std::vector<delta::Add>& adds) const;
  Result<std::vector<delta::Add>> WriteFiles(const Plan& plan) const;
  Result<std::shared_ptr<const delta::Snapshot>> Commit(const std::shared_ptr<const delta::Snapshot>& snapshot,
                                                        const Plan& plan, const std::vector<delta::Add>& adds) const;
  void DeleteFiles(const std::vector<delta::Add>& adds) const;
  bool IsCovered(const delta::Snapshot& snapshot) const;
  Status At(std::string_view point) const { return around_.at_point ? around_.at_point(point) : Status::Ok(); }

  LivingTable& table_;
  const FlushWork& work_;
  const Surroundings around_;
};

}  // namespace tarn::lake
