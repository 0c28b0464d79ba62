#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tarn::delta {

/// The actions of the Delta transaction log (PROTOCOL.md, "Actions"), as plain values. Field names follow the protocol.

struct Protocol {
  int min_reader_version = 1;
  int min_writer_version = 2;
  /// Present exactly at reader version 3 and writer version 7.
  std::optional<std::vector<std::string>> reader_features;
  std::optional<std::vector<std::string>> writer_features;
  bool operator==(const Protocol&) const = default;
};

struct Metadata {
  std::string id;
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::string schema_string;
  std::vector<std::string> partition_columns;
  std::map<std::string, std::string> configuration;
  std::optional<int64_t> created_time_millis;
  bool operator==(const Metadata&) const = default;
};

/// Null partition values are nullopt. Keys are physical names.
using PartitionValues = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct DeletionVector {
  /// 'u' (uuid-relative path), 'i' (inline) or 'p' (absolute path).
  char storage_type = 'u';
  std::string path_or_inline;
  std::optional<int32_t> offset;
  int32_t size_in_bytes = 0;
  int64_t cardinality = 0;
  /// PROTOCOL.md, "Derived Fields": storageType, pathOrInlineDv and "@offset" where there is one.
  std::string UniqueId() const;
  bool operator==(const DeletionVector&) const = default;
};

struct Add {
  /// As in the log: URI-encoded, relative to the table or absolute.
  std::string path;
  PartitionValues partition_values;
  int64_t size_bytes = 0;
  int64_t modification_time_millis = 0;
  bool data_change = true;
  /// The `stats` JSON text, empty when absent.
  std::string stats;
  std::optional<DeletionVector> deletion_vector;
  std::map<std::string, std::string> tags;
};

struct Remove {
  std::string path;
  std::optional<int64_t> deletion_timestamp_millis;
  bool data_change = true;
  bool extended_file_metadata = true;
  PartitionValues partition_values;
  std::optional<int64_t> size_bytes;
  std::optional<DeletionVector> deletion_vector;
};

/// The removal of a file that is in the table.
Remove RemoveOf(const Add& add, int64_t now_millis, bool data_change);

/// Application transaction: exactly-once writers keep their progress here.
struct Txn {
  std::string app_id;
  int64_t version = 0;
  std::optional<int64_t> last_updated_millis;
};

struct DomainMetadata {
  std::string domain;
  std::string configuration;
  bool removed = false;
};

/// Provenance of one commit. `txn_id` makes a commit recognisable to its own writer after a lost reply.
struct CommitInfo {
  int64_t timestamp_millis = 0;
  std::string operation;
  /// A value is the text of a JSON string, or the JSON text of anything else another writer put there.
  std::map<std::string, std::string> operation_parameters;
  std::map<std::string, std::string> operation_metrics;
  std::optional<int64_t> read_version;
  std::string isolation_level;
  std::optional<bool> is_blind_append;
  std::string engine_info;
  std::string txn_id;
  std::optional<int64_t> in_commit_timestamp_millis;

  /// When the commit was made: as it says itself where the table has in-commit timestamps, else the modification time
  /// of its file; where no store tells that (0), what the writer's clock said.
  int64_t TimeMillis(int64_t modified_millis) const {
    if (in_commit_timestamp_millis.has_value()) return *in_commit_timestamp_millis;
    return modified_millis > 0 ? modified_millis : timestamp_millis;
  }
};

}  // namespace tarn::delta
