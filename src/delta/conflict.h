#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/predicate.h"
#include "delta/snapshot.h"

namespace tarn::delta {

/// How far a commit may differ from what it would have been behind its winners (delta.md b).
enum class IsolationLevel : uint8_t {
  /// As if it had begun behind every one of them.
  kSerializable,
  /// As if it had come before those that only appended, wherever they are in the log.
  kWriteSerializable,
  /// Only for commits that change no data.
  kSnapshot,
};

/// As commitInfo names it.
std::string_view IsolationLevelName(IsolationLevel level);

/// What `delta.isolationLevel` asks of commits that change data; what is not known counts as the strictest.
IsolationLevel IsolationLevelOf(const Metadata& metadata);

/// What one transaction has read and changes, as far as conflicts are concerned.
struct OwnChange {
  IsolationLevel isolation = IsolationLevel::kWriteSerializable;
  bool changes_protocol = false;
  bool changes_metadata = false;
  bool read_whole_table = false;
  /// Conjunctions; a row that makes all of one true would have been read.
  std::vector<std::vector<Predicate>> read_conditions;
  /// FileKeyText of files that were read, and of those that are removed.
  std::set<std::string> read_files;
  std::set<std::string> removed;
  /// Applications whose `txn` was read or is set.
  std::set<std::string> app_ids;
  std::set<std::string> domains;

  /// It adds files whatever the table holds.
  bool ReadsNothing() const { return !read_whole_table && read_conditions.empty() && read_files.empty(); }
};

/// What a commit that won the race did.
struct Winner {
  int64_t version = 0;
  std::optional<Protocol> protocol;
  bool has_metadata = false;
  bool adds_files = false;
  /// FileKeyText.
  std::set<std::string> removed;
  std::set<std::string> app_ids;
  std::set<std::string> domains;
  CommitInfo info;

  /// Only when it says so.
  bool IsBlindAppend() const { return info.is_blind_append.value_or(false) && removed.empty(); }
};

/// The files that a winner added, as a snapshot of nothing else under the schema of the transaction.
using AddedFiles = std::function<Result<std::shared_ptr<const Snapshot>>()>;

/// Identity of a file as text: canonical path and deletion vector id.
std::string FileKeyText(std::string_view canonical_path, const std::optional<DeletionVector>& deletion_vector);

/// Reads a commit as a winner; Corruption names the file.
Result<Winner> ReadWinner(std::string_view text, int64_t version, std::string_view table_uri);

/// OK when the change may be committed behind the winner; Conflict names version and rule. `before` is the protocol
/// before the winner; `added` is asked only where the rules depend on what the winner's files hold.
Status CheckConflict(const OwnChange& own, const Winner& winner, const Protocol& before, const AddedFiles& added);

}  // namespace tarn::delta
