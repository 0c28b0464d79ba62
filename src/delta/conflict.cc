#include "delta/conflict.h"

#include <algorithm>
#include <array>

#include "delta/letter_case.h"
#include "delta/log/commit_json.h"
#include "delta/protocol_features.h"
#include "delta/table.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Features that ask nothing of a commit which began before them: what they change is in other files, or begins with
/// an action of their own.
constexpr std::array<std::string_view, 3> kHarmlessWhenAdded = {"domainMetadata", "v2Checkpoint",
                                                                "vacuumProtocolCheck"};

class WinnerVisitor final : public ActionVisitor {
 public:
  WinnerVisitor(Winner& winner, std::string_view table_uri) : winner_(winner), table_uri_(table_uri) {}

  Status OnAdd(const AddRecord&) override {
    winner_.adds_files = true;
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& remove) override {
    winner_.removed.insert(FileKeyText(CanonicalPath(remove.path, table_uri_), remove.deletion_vector));
    return Status::Ok();
  }
  Status OnProtocol(Protocol protocol) override {
    winner_.protocol = std::move(protocol);
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
  Status OnDomainMetadata(DomainMetadata domain) override {
    winner_.domains.insert(std::move(domain.domain));
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

/// The first element that both have, or nullptr.
const std::string* FirstCommon(const std::set<std::string>& own, const std::set<std::string>& winners) {
  const auto found =
      std::find_if(own.begin(), own.end(), [&](const std::string& element) { return winners.contains(element); });
  return found == own.end() ? nullptr : &*found;
}

/// The path in a file key.
std::string PathOf(const std::string& key) { return key.substr(0, key.find('\0')); }

Status CheckProtocol(const OwnChange& own, const Winner& winner, const Protocol& before) {
  if (!winner.protocol.has_value()) return Status::Ok();
  if (own.changes_protocol) return ConflictWith(winner, "both change the protocol (ProtocolChanged)");
  const std::set<std::string> old_features = FeaturesOf(before);
  const std::set<std::string> new_features = FeaturesOf(*winner.protocol);
  for (const std::string& feature : old_features) {
    if (!new_features.contains(feature)) {
      return ConflictWith(winner, "it dropped the feature " + feature + " (ProtocolChanged)");
    }
  }
  for (const std::string& feature : new_features) {
    const bool harmless =
        std::find(kHarmlessWhenAdded.begin(), kHarmlessWhenAdded.end(), feature) != kHarmlessWhenAdded.end();
    if (!harmless && !old_features.contains(feature)) {
      return ConflictWith(winner, "it added the feature " + feature + " (ProtocolChanged)");
    }
  }
  return Status::Ok();
}

/// Whether rows that the winner added count as ones that the transaction should have seen.
bool MindsAdds(const OwnChange& own, const Winner& winner) {
  if (!winner.adds_files || own.isolation == IsolationLevel::kSnapshot) return false;
  const bool passes_blind_appends = own.isolation == IsolationLevel::kWriteSerializable && !own.changes_metadata;
  return !(passes_blind_appends && winner.IsBlindAppend());
}

Status CheckAdded(const OwnChange& own, const Winner& winner, const AddedFiles& added) {
  if (!MindsAdds(own, winner)) return Status::Ok();
  if (own.read_whole_table) {
    return ConflictWith(winner, "it added files to a table that this change has read as a whole (ConcurrentAppend)");
  }
  if (own.read_conditions.empty()) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const std::shared_ptr<const Snapshot> files, added());
  for (const std::vector<Predicate>& condition : own.read_conditions) {
    TARN_ASSIGN_OR_RETURN(const std::vector<FileIndex> matching, files->Select(condition));
    if (matching.empty()) continue;
    TARN_ASSIGN_OR_RETURN(const DataFile file, files->File(matching.front()));
    return ConflictWith(
        winner, "it added the file " + file.key + ", which may hold rows that this change reads (ConcurrentAppend)");
  }
  return Status::Ok();
}

Status CheckRemoved(const OwnChange& own, const Winner& winner) {
  if (winner.removed.empty()) return Status::Ok();
  if (own.read_whole_table) {
    return ConflictWith(winner,
                        "it removed files of a table that this change has read as a whole (ConcurrentDeleteRead)");
  }
  if (const std::string* file = FirstCommon(own.read_files, winner.removed); file != nullptr) {
    return ConflictWith(winner,
                        "it removed the file " + PathOf(*file) + ", which this change has read (ConcurrentDeleteRead)");
  }
  if (const std::string* file = FirstCommon(own.removed, winner.removed); file != nullptr) {
    return ConflictWith(winner,
                        "it removed the file " + PathOf(*file) + ", as this change does (ConcurrentDeleteDelete)");
  }
  return Status::Ok();
}

}  // namespace

std::string_view IsolationLevelName(IsolationLevel level) {
  switch (level) {
    case IsolationLevel::kSerializable:
      return "Serializable";
    case IsolationLevel::kWriteSerializable:
      return "WriteSerializable";
    case IsolationLevel::kSnapshot:
      return "SnapshotIsolation";
  }
  return "";
}

IsolationLevel IsolationLevelOf(const Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.isolationLevel");
  if (found == metadata.configuration.end()) return IsolationLevel::kWriteSerializable;
  const bool is_lenient = SameButForCase(found->second, IsolationLevelName(IsolationLevel::kWriteSerializable));
  return is_lenient ? IsolationLevel::kWriteSerializable : IsolationLevel::kSerializable;
}

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

Status CheckConflict(const OwnChange& own, const Winner& winner, const Protocol& before, const AddedFiles& added) {
  TARN_RETURN_NOT_OK(CheckProtocol(own, winner, before));
  if (winner.has_metadata) return ConflictWith(winner, "it changed the metadata (MetadataChanged)");
  if (const std::string* domain = FirstCommon(own.domains, winner.domains); domain != nullptr) {
    return ConflictWith(winner, "it changed the domain " + *domain + " (ConcurrentDomainMetadata)");
  }
  if (const std::string* app_id = FirstCommon(own.app_ids, winner.app_ids); app_id != nullptr) {
    return ConflictWith(winner, "it carries a txn of the application " + *app_id + " (ConcurrentTransaction)");
  }
  TARN_RETURN_NOT_OK(CheckAdded(own, winner, added));
  return CheckRemoved(own, winner);
}

}  // namespace tarn::delta
