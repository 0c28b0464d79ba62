#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/table.h"

namespace tarn::delta {

enum class VacuumMode : uint8_t {
  /// Looks at every file of the table's folder.
  kFull,
  /// Looks only at what the commits since the last vacuum removed, without listing the folder: change files and files
  /// that no commit ever named stay.
  kLite,
};

/// What vacuum makes of one file.
struct VacuumFile {
  enum class Verdict : uint8_t {
    /// Full mode: no version within the retention has it.
    kUnreferenced,
    /// Lite mode: it was removed longer ago than the retention.
    kExpired,
    // All below stay.
    kLive,
    /// A version within the retention has it.
    kRetained,
    /// Changed within the retention: its writer may be about to commit it.
    kYoung,
    /// A name that begins with '_' or '.', or a folder with such a name, whose key ends with '/'.
    kHidden,
    /// A path of the log that leads out of the table, or one that leads through a link on the disk.
    kOutside,
  };
  std::string key;
  int64_t size_bytes = 0;
  /// In lite mode when it was removed.
  int64_t modified_millis = 0;
  Verdict verdict = Verdict::kLive;

  bool goes() const { return verdict == Verdict::kUnreferenced || verdict == Verdict::kExpired; }
};

/// "no version within the retention has it"
std::string_view Explanation(VacuumFile::Verdict verdict);

struct VacuumOptions {
  VacuumMode mode = VacuumMode::kFull;
  /// How long a file that is not of the newest version stays; `delta.deletedFileRetentionDuration` when not given.
  std::optional<int64_t> retention_millis;
  /// What the retention is at least, where it is the table's.
  int64_t min_retention_millis = 0;
  /// Takes a retention that is shorter than the table's. Files that a writer has not committed yet, and those that
  /// readers of other versions are reading, are deleted then.
  bool allow_short_retention = false;
  /// Deletes nothing.
  bool dry_run = false;
  /// Called for each file that was deleted; in a dry run for every file, with what would become of it.
  std::function<void(const VacuumFile&)> explain;
};

struct VacuumResult {
  /// Deleted, or to be deleted in a dry run.
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t files_kept = 0;
  /// Files older than this could go.
  int64_t cutoff_millis = 0;
  /// The newest version that was read, the commits of the vacuum itself included.
  std::shared_ptr<const Snapshot> snapshot;
};

/// Deletes data files and deletion vectors that no version within the retention needs.
///
/// A file goes only when neither a live add nor a remove within the retention names it or its deletion vector, and its
/// modification time lies before the retention. The log is read again right before each batch is deleted. Never deleted
/// are hidden files and folders (other than `_change_data` and the folders of partitions), what links lead to, and
/// paths that lie outside of the table. Readers of versions from before the retention fail afterwards.
///
/// Where there is something to delete, a commit VACUUM START comes before and VACUUM END behind it, as Spark writes
/// them. Deleting may be repeated after any failure. Memory: eight bytes for each file of the log, and one batch.
///
/// InvalidArgument for a retention shorter than the table's; Unsupported names a feature, of readers or writers, that
/// this program does not know; NotFound when lite mode lacks commits since the last vacuum.
Result<VacuumResult> Vacuum(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            const VacuumOptions& options);

}  // namespace tarn::delta
