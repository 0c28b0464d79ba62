#include "delta/validate/validate_rules.h"

#include <map>
#include <set>
#include <utility>

#include "delta/table_path.h"

namespace tarn::delta::validation {
namespace {

template <typename Action>
std::string VectorIdOf(const Action& action) {
  return action.deletion_vector.has_value() ? action.deletion_vector->UniqueId() : std::string();
}

/// Reports each action whose key an earlier one of the same commit has.
template <typename Action, typename KeyOf>
void CheckUnique(const std::vector<AtLine<Action>>& actions, const std::string& what, KeyOf&& key_of,
                 const Place& place, Findings& findings) {
  std::set<std::string> seen;
  for (const auto& [action, line] : actions) {
    const std::string key = key_of(action);
    if (!seen.insert(key).second) {
      findings.Error("duplicate-action", place.AtLine(line),
                     "the commit has two " + what + (key.empty() ? "" : " " + key));
    }
  }
}

}  // namespace

void LogRules::Begin(const TableModel& model, const Place& place) {
  model_ = model;
  begins_at_checkpoint_ = true;
  if (!model_.protocol.has_value() || !model_.metadata.has_value()) return;
  CheckFeatureLists(*model_.protocol, place, findings_);
  shape_ = CheckShape(*model_.protocol, *model_.metadata, place, findings_);
}

void LogRules::BeginFile(const Add& add, const Place& place) {
  CheckAdd(add, shape_, stats_parser_, place, findings_);
  Put(CanonicalPath(add.path, table_uri_), add);
}

void LogRules::Apply(const CommitActions& commit) {
  CheckOnce(commit);
  ApplyTableActions(commit);
  ApplyTxns(commit);
  ApplyDomains(commit);
  ApplyRemoves(commit);
  ApplyAdds(commit);
  ApplyTimestamp(commit);
}

void LogRules::CheckOnce(const CommitActions& commit) {
  const Place& place = commit.place;
  const auto path_of = [&](const auto& action) { return CanonicalPath(action.path, table_uri_); };
  const auto nothing = [](const auto&) { return std::string(); };
  CheckUnique(commit.protocols, "protocol", nothing, place, findings_);
  CheckUnique(commit.metadatas, "metaData", nothing, place, findings_);
  CheckUnique(commit.infos, "commitInfo", nothing, place, findings_);
  CheckUnique(commit.txns, "txn", [](const Txn& txn) { return txn.app_id; }, place, findings_);
  CheckUnique(commit.domains, "domainMetadata", [](const DomainMetadata& d) { return d.domain; }, place, findings_);
  CheckUnique(commit.adds, "add", path_of, place, findings_);
  CheckUnique(commit.removes, "remove", path_of, place, findings_);
  std::map<std::string, std::string> removed;
  for (const auto& [remove, line] : commit.removes) removed[path_of(remove)] = VectorIdOf(remove);
  for (const auto& [add, line] : commit.adds) {
    const auto found = removed.find(path_of(add));
    if (found != removed.end() && found->second == VectorIdOf(add)) {
      findings_.Error("add-and-remove", place.AtLine(line),
                      "the commit adds and removes " + add.path + " with the same deletion vector");
    }
  }
}

void LogRules::ApplyTableActions(const CommitActions& commit) {
  if (!commit.protocols.empty()) {
    const auto& [protocol, line] = commit.protocols.back();
    CheckFeatureLists(protocol, commit.place.AtLine(line), findings_);
    model_.protocol = protocol;
  }
  int64_t line = commit.protocols.empty() ? 0 : commit.protocols.back().line;
  if (!commit.metadatas.empty()) {
    line = commit.metadatas.back().line;
    const Metadata& metadata = commit.metadatas.back().action;
    if (model_.metadata.has_value()) {
      CheckColumnIdsKept(*model_.metadata, metadata, commit.place.AtLine(line), findings_);
    }
    model_.metadata = metadata;
  }
  if (!model_.protocol.has_value() || !model_.metadata.has_value()) {
    if (std::exchange(reported_incomplete_, true)) return;
    if (!model_.protocol.has_value()) findings_.Error("no-protocol", commit.place, "the table has no protocol by now");
    if (!model_.metadata.has_value()) findings_.Error("no-metadata", commit.place, "the table has no metaData by now");
    return;
  }
  if (line > 0) shape_ = CheckShape(*model_.protocol, *model_.metadata, commit.place.AtLine(line), findings_);
}

void LogRules::ApplyTxns(const CommitActions& commit) {
  for (const auto& [txn, line] : commit.txns) {
    const auto before = model_.txns.find(txn.app_id);
    if (before != model_.txns.end() && txn.version < before->second.version) {
      findings_.Warn("txn-falls", commit.place.AtLine(line),
                     "the application " + txn.app_id + " goes from version " + std::to_string(before->second.version) +
                         " back to " + std::to_string(txn.version));
    }
    model_.txns[txn.app_id] = txn;
  }
}

void LogRules::ApplyDomains(const CommitActions& commit) {
  for (const auto& [domain, line] : commit.domains) {
    if (!shape_.has_domains) {
      findings_.Error("feature-missing", commit.place.AtLine(line),
                      "domainMetadata needs the feature domainMetadata, which the protocol lacks");
    }
    if (domain.removed) {
      model_.domains.erase(domain.domain);
    } else {
      model_.domains[domain.domain] = domain;
    }
  }
}

void LogRules::ApplyRemoves(const CommitActions& commit) {
  for (const auto& [remove, line] : commit.removes) {
    const Place place = commit.place.AtLine(line);
    if (shape_.append_only && remove.data_change) {
      findings_.Error("append-only", place, "rows of an append-only table are removed with " + remove.path);
    }
    const auto live = model_.files.find(CanonicalPath(remove.path, table_uri_));
    if (live == model_.files.end()) {
      ReportNotLive(place, remove.path + " is removed, but was not live");
    } else if (live->second.vector_id != VectorIdOf(remove)) {
      ReportNotLive(place, remove.path + " is removed with another deletion vector than it has");
    } else {
      total_bytes_ -= live->second.size_bytes;
      model_.files.erase(live);
    }
  }
}

void LogRules::ApplyAdds(const CommitActions& commit) {
  for (const auto& [add, line] : commit.adds) {
    const Place place = commit.place.AtLine(line);
    CheckAdd(add, shape_, stats_parser_, place, findings_);
    const std::string path = CanonicalPath(add.path, table_uri_);
    const auto live = model_.files.find(path);
    if (live != model_.files.end() && live->second.vector_id != VectorIdOf(add)) {
      findings_.Error(
          "two-vectors", place,
          add.path + " is added with a deletion vector while it is live with another one: its rows are there twice");
    } else if (live != model_.files.end() && add.data_change) {
      findings_.Error("add-live", place, add.path + " is added as new data, but is live already");
    }
    Put(path, add);
  }
}

void LogRules::ApplyTimestamp(const CommitActions& commit) {
  const auto before = std::exchange(in_commit_timestamp_, std::nullopt);
  if (!commit.infos.empty()) in_commit_timestamp_ = commit.infos.front().action.in_commit_timestamp_millis;
  if (!shape_.in_commit_timestamps || !commit.complete) return;
  if (commit.infos.empty() || commit.infos.front().line != 1) {
    findings_.Error("commit-info-first", commit.place,
                    "with in-commit timestamps, commitInfo must be the first action");
  } else if (!in_commit_timestamp_.has_value()) {
    findings_.Error("in-commit-timestamp", commit.place, "commitInfo lacks inCommitTimestamp");
  } else if (before.has_value() && *in_commit_timestamp_ <= *before) {
    findings_.Error("in-commit-timestamp", commit.place,
                    "inCommitTimestamp is not later than that of the version before");
  }
}

/// Behind a checkpoint it is only a warning: the checkpoint may be what is wrong.
void LogRules::ReportNotLive(const Place& place, std::string message) {
  if (begins_at_checkpoint_) {
    findings_.Warn("remove-not-live", place, std::move(message));
  } else {
    findings_.Error("remove-not-live", place, std::move(message));
  }
}

void LogRules::Put(const std::string& path, const Add& add) {
  AddFacts& facts = model_.files[path];
  total_bytes_ += add.size_bytes - facts.size_bytes;
  facts = AddFacts::Of(add);
}

}  // namespace tarn::delta::validation
