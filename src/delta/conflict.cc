#include "delta/conflict.h"

#include <algorithm>

#include "delta/log/commit_json.h"
#include "delta/table.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

class WinnerVisitor final : public ActionVisitor {
 public:
  WinnerVisitor(Winner& winner, std::string_view table_uri) : winner_(winner), table_uri_(table_uri) {}

  Status OnAdd(const AddRecord&) override {
    winner_.has_file_actions = true;
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& remove) override {
    winner_.has_file_actions = true;
    winner_.removed.insert(FileKeyText(CanonicalPath(remove.path, table_uri_), remove.deletion_vector));
    return Status::Ok();
  }
  Status OnProtocol(Protocol) override {
    winner_.has_protocol = true;
    return Status::Ok();
  }
  Status OnMetadata(Metadata) override {
    winner_.has_metadata = true;
    return Status::Ok();
  }
  Status OnTxn(Txn txn) override {
    winner_.app_ids.insert(std::move(txn.app_id));
    return Status::Ok();
  }
  Status OnCommitInfo(std::string_view json) override {
    TARN_ASSIGN_OR_RETURN(winner_.info, ParseCommitInfo(json));
    return Status::Ok();
  }

 private:
  Winner& winner_;
  const std::string_view table_uri_;
};

Status ConflictWith(const Winner& winner, std::string_view rule) {
  std::string message = "version " + std::to_string(winner.version);
  if (!winner.info.operation.empty()) message += " (" + winner.info.operation + ")";
  return Status::Conflict(message + " came first: " + std::string(rule));
}

}  // namespace

std::string FileKeyText(std::string_view canonical_path, const std::optional<DeletionVector>& deletion_vector) {
  std::string key(canonical_path);
  if (deletion_vector.has_value()) {
    key += '\0';
    key += deletion_vector->UniqueId();
  }
  return key;
}

Result<Winner> ReadWinner(std::string_view text, int64_t version, std::string_view table_uri) {
  Winner winner;
  winner.version = version;
  WinnerVisitor visitor(winner, table_uri);
  CommitParser parser;
  TARN_RETURN_NOT_OK(parser.ParseCommit(text, visitor).WithContext(CommitKey(version)));
  return winner;
}

Status CheckConflict(const OwnChange& own, const Winner& winner) {
  if (winner.has_protocol) return ConflictWith(winner, "it changed the protocol (ProtocolChanged)");
  if (winner.has_metadata) return ConflictWith(winner, "it changed the metadata (MetadataChanged)");
  if (own.app_id.has_value() && winner.app_ids.contains(*own.app_id)) {
    return ConflictWith(winner, "it carries a txn of the same application (ConcurrentTransaction)");
  }
  if (own.kind == ChangeKind::kBlindAppend) return Status::Ok();
  const bool same_removed = std::any_of(own.removed.begin(), own.removed.end(),
                                        [&](const std::string& key) { return winner.removed.contains(key); });
  if (same_removed) return ConflictWith(winner, "it removed a file that this change removes (ConcurrentDeleteDelete)");
  if (own.kind == ChangeKind::kOther && winner.has_file_actions) {
    return ConflictWith(winner, "it changed files of a table that this change has read (ConcurrentAppend)");
  }
  return Status::Ok();
}

}  // namespace tarn::delta
