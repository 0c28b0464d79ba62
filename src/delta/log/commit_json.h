#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// Bytes that must be readable (their content does not matter) behind a line given to CommitParser.
inline constexpr size_t kLinePadding = 64;

/// An `add` as it stands in one line of a commit; the views live until the parser's next line.
struct AddRecord {
  std::string_view path;
  /// JSON texts of the objects; empty when absent.
  std::string_view partition_values;
  std::string_view tags;
  int64_t size_bytes = 0;
  int64_t modification_time_millis = 0;
  bool data_change = true;
  /// The JSON string token of `stats`, quotes included; points into the line. Empty when absent.
  std::string_view stats_token;
  std::optional<DeletionVector> deletion_vector;
};

struct RemoveRecord {
  std::string_view path;
  std::string_view partition_values;
  std::optional<int64_t> deletion_timestamp_millis;
  std::optional<int64_t> size_bytes;
  bool data_change = true;
  bool extended_file_metadata = false;
  std::optional<DeletionVector> deletion_vector;
};

/// Receives the actions of a commit in the order of its lines; passes over what is not overridden. A status other than
/// OK ends the reading.
class ActionVisitor {
 public:
  virtual ~ActionVisitor() = default;
  /// Whether a line holds nothing for this visitor for sure; such a one is passed over without being parsed.
  virtual bool Skips(std::string_view /*line*/) const { return false; }
  virtual Status OnAdd(const AddRecord&) { return Status::Ok(); }
  virtual Status OnRemove(const RemoveRecord&) { return Status::Ok(); }
  virtual Status OnProtocol(Protocol) { return Status::Ok(); }
  virtual Status OnMetadata(Metadata) { return Status::Ok(); }
  virtual Status OnTxn(Txn) { return Status::Ok(); }
  virtual Status OnDomainMetadata(DomainMetadata) { return Status::Ok(); }
  /// The text of the commitInfo object.
  virtual Status OnCommitInfo(std::string_view /*json*/) { return Status::Ok(); }
  /// A file of a v2 checkpoint that holds file actions; URI-encoded.
  virtual Status OnSidecar(std::string_view /*path*/) { return Status::Ok(); }
  /// A change file (`cdc`) of this commit: no statistics, no deletion vector, perhaps no size (-1).
  virtual Status OnChangeFile(const AddRecord&) { return Status::Ok(); }
};

/// Reads commit lines; keeps buffers from line to line. Thread-compatible.
class CommitParser {
 public:
  CommitParser();
  ~CommitParser();
  CommitParser(const CommitParser&) = delete;
  CommitParser& operator=(const CommitParser&) = delete;

  /// Reads one line (no newline in it) behind which kLinePadding bytes are readable. Blank lines, unknown actions and
  /// unknown fields are passed over. Corruption says what is wrong, without naming the file.
  Status ParseLine(std::string_view line, ActionVisitor& visitor);

  /// Reads all lines of a whole commit. `text` needs no padding. Corruption names the line.
  Status ParseCommit(std::string_view text, ActionVisitor& visitor);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The value of a JSON string token, quotes included.
Result<std::string> UnescapeJsonString(std::string_view token);

/// The pairs of a `partitionValues` object; empty text gives none.
Result<PartitionValues> ParsePartitionValuesObject(std::string_view json);
Result<std::map<std::string, std::string>> ParseTagsObject(std::string_view json);
/// Corruption when `json` is not an object; unknown or ill-typed fields are passed over.
Result<CommitInfo> ParseCommitInfo(std::string_view json);

/// `numRecords` of a statistics text, -1 when it has none. Takes a JSON string token when `escaped`.
int64_t NumRecordsOf(std::string_view stats, bool escaped);

// Each appends one line, newline included, as PROTOCOL.md writes the action.
void AppendLine(std::string& out, const Protocol& protocol);
void AppendLine(std::string& out, const Metadata& metadata);
void AppendLine(std::string& out, const Add& add);
void AppendLine(std::string& out, const Remove& remove);
void AppendLine(std::string& out, const Txn& txn);
void AppendLine(std::string& out, const DomainMetadata& domain);
void AppendLine(std::string& out, const CommitInfo& info);

// Each appends the action's object alone, as checksums hold it.
void AppendObject(std::string& out, const Protocol& protocol);
void AppendObject(std::string& out, const Metadata& metadata);
void AppendObject(std::string& out, const Txn& txn);
void AppendObject(std::string& out, const DomainMetadata& domain);

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 must have been refused before.
void AppendJsonString(std::string& out, std::string_view text);
/// ["a","b"]
std::string JsonList(const std::vector<std::string>& texts);

}  // namespace tarn::delta
