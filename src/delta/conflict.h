#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// How a transaction stands to what others do meanwhile (delta.md b).
enum class ChangeKind : uint8_t {
  /// Adds files (and perhaps columns) without having read any.
  kBlindAppend,
  /// Replaces files by others with the same rows: every file action has dataChange=false.
  kRewrite,
  /// Has read the whole table.
  kOther,
};

/// What one transaction changes, as far as conflicts are concerned.
struct OwnChange {
  ChangeKind kind = ChangeKind::kBlindAppend;
  bool changes_metadata = false;
  std::optional<std::string> app_id;
  /// FileKeyText of every file that is removed.
  std::set<std::string> removed;
};

/// What a commit that won the race did.
struct Winner {
  int64_t version = 0;
  bool has_protocol = false;
  bool has_metadata = false;
  bool has_file_actions = false;
  std::set<std::string> app_ids;
  std::set<std::string> removed;
  CommitInfo info;
};

/// Identity of a file as text: canonical path and deletion vector id.
std::string FileKeyText(std::string_view canonical_path, const std::optional<DeletionVector>& deletion_vector);

/// Reads a commit as a winner; Corruption names the file.
Result<Winner> ReadWinner(std::string_view text, int64_t version, std::string_view table_uri);

/// OK when the change may be committed behind the winner; Conflict names version and rule.
Status CheckConflict(const OwnChange& own, const Winner& winner);

}  // namespace tarn::delta
