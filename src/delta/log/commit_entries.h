#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace tarn::delta {

/// What decides a commit beside the log: that the version named by `file_name` is what lies under `temp_path`.
struct CommitEntry {
  /// The table as Spark writes it: "s3a://bucket/folder".
  std::string table_path;
  /// "00000000000000000012.json".
  std::string file_name;
  /// Relative to the log folder: ".tmp/00000000000000000012.json.<uuid>".
  std::string temp_path;
  /// Whether the bytes are under `file_name`, too.
  bool complete = false;
};

/// The entries of tables, read as they are now. Only the newest of a table can be incomplete. Errors: Unavailable,
/// which is certain; Indeterminate for what may have been written; PermissionDenied; Unauthenticated. Thread-safe.
class CommitEntries {
 public:
  virtual ~CommitEntries() = default;
  virtual Result<std::optional<CommitEntry>> Get(const std::string& table_path, const std::string& file_name) = 0;
  /// The one with the greatest file name.
  virtual Result<std::optional<CommitEntry>> Newest(const std::string& table_path) = 0;
  /// AlreadyExists when there is one for the file.
  virtual Status Add(const CommitEntry& entry) = 0;
  /// Marks an entry as complete, so that it may be removed once the time has come, in seconds since 1970. Conflict when
  /// the file's entry has another temporary path, or is gone.
  virtual Status Complete(const CommitEntry& entry, int64_t expire_seconds) = 0;
};

}  // namespace tarn::delta
