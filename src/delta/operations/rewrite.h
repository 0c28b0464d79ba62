#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "columnar/value.h"
#include "delta/table.h"

namespace tarn::delta {

/// The columns that a table's data files hold, as indices into its schema: no partition columns, no void ones.
std::vector<int> DataFileColumns(const Snapshot& snapshot);
/// The same as a schema.
std::shared_ptr<arrow::Schema> DataFileSchema(const Snapshot& snapshot);

/// The values of a table's partition columns as an `add` has them.
PartitionValues PartitionTexts(const Snapshot& snapshot, const std::vector<columnar::Value>& values);

/// Whether what was planned on one version still makes sense on the other: the same table with equal schema,
/// partitioning and properties.
bool SameLayout(const Snapshot& a, const Snapshot& b);

/// How rows are sorted on their way.
struct RewriteOrder {
  /// Indices into the table's schema, of sortable columns that are in data files.
  std::vector<int> columns;
  int64_t memory_bytes = 0;
  std::string temp_folder;

  /// What the files' tag kSortedByTag says of it.
  std::string tag;
};
inline constexpr char kSortedByTag[] = "tarn.sortedBy";

/// Columns by their names; errors as Optimize has them.
Result<RewriteOrder> OrderBy(const Snapshot& snapshot, const std::vector<std::string>& columns);

struct RewriteOptions {
  int64_t target_file_bytes = 0;
  /// An output is not split off for less than this.
  int64_t min_file_bytes = 0;
  /// A second thread decodes inputs while the caller's encodes.
  bool decode_ahead = false;
  /// nullopt keeps rows as they lie.
  std::optional<RewriteOrder> order = std::nullopt;
};

/// What one group of inputs became. All adds and removes have dataChange=false.
struct Rewritten {
  std::vector<Remove> removes;
  std::vector<Add> adds;
  /// Keys of the new files, for deleting them when they are not committed.
  std::vector<std::string> keys;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
};

/// Writes the live rows of some files of one partition, one file after the other, into new ones. On failure what was
/// written is deleted again, as far as the store lets. NotFound when an input is gone.
Result<Rewritten> RewriteFiles(const TableContext& table, const Snapshot& snapshot, const std::vector<FileIndex>& files,
                               const RewriteOptions& options);

/// Deletes files that no commit names. Best effort: what stays is an orphan for vacuum.
void DeleteUncommitted(const TableContext& table, const std::vector<std::string>& keys);

}  // namespace tarn::delta
