#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "columnar/field_match.h"
#include "columnar/value.h"
#include "delta/actions.h"
#include "delta/predicate.h"

namespace tarn::delta {

/// One live data file of a snapshot, decoded for reading.
struct DataFile {
  /// Key of the file in the table's store (decoded, relative to the table).
  std::string key;
  int64_t size_bytes = 0;
  int64_t modification_time_millis = 0;
  /// Rows in the file, those that the deletion vector deletes included; -1 when the file has no statistics.
  int64_t num_records = -1;
  /// Typed, in the order of `partition_columns`.
  std::vector<columnar::Value> partition_values;
  std::optional<DeletionVector> deletion_vector;
  /// Where set, of the rows that `deletion_vector` leaves only those count that this vector deletes: what one commit
  /// deleted of a file that stays (ReadChanges). No file of a table at one version has it.
  std::optional<DeletionVector> only_deleted_by;

  /// Rows that are not deleted; -1 when unknown.
  int64_t live_records() const {
    if (only_deleted_by) return -1;
    return num_records < 0 || !deletion_vector ? num_records : num_records - deletion_vector->cardinality;
  }
};

/// Index of a file within one snapshot, 0 <= i < num_files().
using FileIndex = uint32_t;

/// A Delta table at one version: immutable and shared. Every method is const and thread-safe.
///
/// Built from a checkpoint and the JSON commits behind it (PROTOCOL.md, "Action Reconciliation"). Files are kept in
/// compact chunks that successive snapshots share, so that refreshing costs O(new actions). Statistics are parsed only
/// for the columns that a predicate names.
class Snapshot {
 public:
  virtual ~Snapshot() = default;

  virtual int64_t version() const = 0;
  /// The commit's timestamp: in-commit where enabled, otherwise the log file's modification time, 0 where no store
  /// tells it.
  virtual int64_t timestamp_millis() const = 0;
  virtual const Protocol& protocol() const = 0;
  virtual const Metadata& metadata() const = 0;
  /// Logical schema, partition columns included, in declared order.
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// Indices of the partition columns in `schema`, in partitioning order.
  virtual const std::vector<int>& partition_columns() const = 0;
  /// How data files name the columns.
  virtual columnar::FieldMatch field_match() const = 0;
  /// The name of a column of `schema` in partition values and statistics, and in data files unless they go by ids.
  std::string StoredName(int column) const;
  /// Version of the latest `txn` action of `app_id`.
  virtual std::optional<int64_t> TxnVersion(const std::string& app_id) const = 0;

  virtual size_t num_files() const = 0;
  virtual int64_t total_bytes() const = 0;
  virtual Result<DataFile> File(FileIndex index) const = 0;
  /// The `add` action as it stands in the log (compaction and checkpoints need it).
  virtual Result<Add> AddAction(FileIndex index) const = 0;

  /// Files that may hold rows matching every one of the predicates; all files when there is none.
  virtual Result<std::vector<FileIndex>> Select(const std::vector<Predicate>& all_of) const = 0;
  /// The same among `candidates`, for filters that become known while a query runs.
  virtual Result<std::vector<FileIndex>> SelectAmong(const std::vector<FileIndex>& candidates,
                                                     const std::vector<Predicate>& all_of) const = 0;
  /// What is known of one column in one file (partition value or statistics).
  virtual Result<ColumnBounds> Bounds(FileIndex index, int column) const = 0;

  /// Bytes of memory held by file entries, statistics aside.
  virtual size_t memory_bytes() const = 0;
};

}  // namespace tarn::delta
