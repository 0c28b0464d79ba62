#include "delta/validate/validate_derived.h"

#include <simdjson.h>

#include <map>
#include <unordered_map>

#include "columnar/parquet_reader.h"
#include "delta/log/checkpoint_reader.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_reader.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/replay.h"
#include "delta/table_path.h"
#include "delta/validate/validate_commit.h"
#include "storage/get_at_most.h"

namespace tarn::delta::validation {
namespace {

namespace dom = simdjson::dom;

/// One that lists every file has a few hundred bytes for each.
constexpr int64_t kMaxChecksumBytes = 256 << 20;

/// A file that cannot be read is a finding; a store that cannot be, an error.
Status Judge(const Status& status, const std::string& rule, const Place& place, Findings& findings) {
  if (status.Is(StatusCode::kUnsupported) || status.Is(StatusCode::kPermissionDenied)) {
    findings.Warn(rule, place, "not checked: " + status.message());
  } else if (status.Is(StatusCode::kCorruption) || status.Is(StatusCode::kNotFound)) {
    findings.Error(rule, place, status.message());
  } else {
    return status;
  }
  return Status::Ok();
}

/// What a checkpoint of the table may leave out.
CompareOptions WhatCheckpointsKeep(const TableModel& model) {
  CompareOptions options;
  if (!model.metadata.has_value()) return options;
  const auto& properties = model.metadata->configuration;
  const auto stats = properties.find("delta.checkpoint.writeStatsAsJson");
  options.stats = stats == properties.end() || stats->second != "false";
  options.txns = !properties.contains("delta.setTransactionRetentionDuration");
  return options;
}

/// Notes what no checkpoint may hold.
class StrayActions final : public ActionVisitor {
 public:
  Status OnCommitInfo(std::string_view) override { return Refuse("commitInfo"); }
  Status OnChangeFile(const AddRecord&) override { return Refuse("cdc"); }

 private:
  static Status Refuse(const std::string& action) {
    return Status::Corruption("a checkpoint must not hold any " + action);
  }
};

Status CheckNoStrayActions(storage::ObjectStore& store, const LogFile& part) {
  if (part.key.ends_with(".json")) {
    StrayActions visitor;
    return CommitReader(store).ReadAll(part, ReplayOptions().window_bytes, visitor);
  }
  TARN_ASSIGN_OR_RETURN(const auto file, columnar::ParquetFile::Open(store, part.key));
  for (const char* action : {"commitInfo", "cdc"}) {
    for (const int leaf : file->FindLeaves({action})) {
      for (int group = 0; group < file->num_row_groups(); ++group) {
        if (file->NullCount(group, leaf).value_or(file->row_group_rows(group)) != file->row_group_rows(group)) {
          return Status::Corruption(std::string("a checkpoint must not hold any ") + action);
        }
      }
    }
  }
  return Status::Ok();
}

Status CheckTombstones(const TableContext& table, const CheckpointFiles& checkpoint, const TableModel& model,
                       const Place& place, Findings& findings) {
  const std::string uri = table.store->uri();
  return VisitCheckpointRemoves(table.store, checkpoint, [&](const Remove& remove) {
    const auto live = model.files.find(CanonicalPath(remove.path, uri));
    const std::string vector = remove.deletion_vector.has_value() ? remove.deletion_vector->UniqueId() : std::string();
    if (live != model.files.end() && live->second.vector_id == vector) {
      findings.Error("checkpoint", place, "it has a remove of the live file " + remove.path);
    }
    return Status::Ok();
  });
}

Status CompareCheckpoint(const TableContext& table, const CheckpointFiles& checkpoint, const LogRules& state,
                         const Place& place, Findings& findings) {
  TARN_ASSIGN_OR_RETURN(const auto snapshot, OpenCheckpoint(table, checkpoint));
  TARN_ASSIGN_OR_RETURN(const TableModel found, ModelOf(*snapshot, table.store->uri(), "checkpoint", place, findings));
  CompareModels(state.model(), found, WhatCheckpointsKeep(state.model()), "checkpoint", place, findings);
  for (const LogFile& part : checkpoint.parts) TARN_RETURN_NOT_OK(CheckNoStrayActions(*table.store, part));
  return CheckTombstones(table, checkpoint, state.model(), place, findings);
}

/// The actions that a checksum repeats.
class WrappedVisitor final : public ActionVisitor {
 public:
  Status OnProtocol(Protocol found) override {
    protocol = std::move(found);
    return Status::Ok();
  }
  Status OnMetadata(Metadata found) override {
    metadata = std::move(found);
    return Status::Ok();
  }
  Status OnTxn(Txn txn) override {
    txns[txn.app_id] = txn;
    return Status::Ok();
  }
  Status OnDomainMetadata(DomainMetadata domain) override {
    if (!domain.removed) domains[domain.domain] = domain;
    return Status::Ok();
  }

  std::optional<Protocol> protocol;
  std::optional<Metadata> metadata;
  std::map<std::string, Txn> txns;
  std::map<std::string, DomainMetadata> domains;
};

/// A checksum being compared.
class ChecksumChecker {
 public:
  ChecksumChecker(const dom::object& root, const Place& place, const LogRules& state, Findings& findings)
      : root_(root), place_(place), state_(state), findings_(findings) {}

  Status Run(const std::optional<CommitInfo>& info) {
    ExpectNumber("tableSizeBytes", state_.total_bytes(), /*required=*/true);
    ExpectNumber("numFiles", static_cast<int64_t>(state_.model().files.size()), /*required=*/true);
    ExpectNumber("numProtocol", 1, /*required=*/true);
    ExpectNumber("numMetadata", 1, /*required=*/true);
    if (state_.in_commit_timestamp().has_value()) {
      ExpectNumber("inCommitTimestampOpt", *state_.in_commit_timestamp(), /*required=*/false);
    }
    std::string_view txn_id;
    if (info.has_value() && root_["txnId"].get_string().get(txn_id) == simdjson::SUCCESS && txn_id != info->txn_id) {
      Fail("txnId is not that of the commit");
    }
    return CompareActions();
  }

 private:
  void Fail(std::string message) { findings_.Error("checksum", place_, std::move(message)); }

  void ExpectNumber(std::string_view field, int64_t expected, bool required) {
    int64_t number = 0;
    if (root_[field].get_int64().get(number) != simdjson::SUCCESS) {
      if (required) Fail(std::string(field) + " is missing");
    } else if (number != expected) {
      Fail(std::string(field) + " is " + std::to_string(number) + ", but " + std::to_string(expected) + " by the log");
    }
  }

  /// False when the checksum does not have the field.
  Result<bool> Parse(std::string_view field, const std::string& action, WrappedVisitor& visitor) {
    dom::element value;
    if (root_[field].get(value) != simdjson::SUCCESS || value.is_null()) return false;
    CommitParser parser;
    if (!value.is_array()) {
      TARN_RETURN_NOT_OK(parser.ParseCommit("{\"" + action + "\":" + simdjson::minify(value) + "}", visitor));
      return true;
    }
    for (const dom::element element : dom::array(value)) {
      TARN_RETURN_NOT_OK(parser.ParseCommit("{\"" + action + "\":" + simdjson::minify(element) + "}", visitor));
    }
    return true;
  }

  Status CompareActions() {
    WrappedVisitor found;
    TARN_ASSIGN_OR_RETURN(const bool has_protocol, Parse("protocol", "protocol", found));
    TARN_ASSIGN_OR_RETURN(const bool has_metadata, Parse("metadata", "metaData", found));
    TARN_ASSIGN_OR_RETURN(const bool has_txns, Parse("setTransactions", "txn", found));
    TARN_ASSIGN_OR_RETURN(const bool has_domains, Parse("domainMetadata", "domainMetadata", found));
    if (!has_protocol) Fail("protocol is missing");
    if (!has_metadata) Fail("metadata is missing");
    // What the checksum does not tell is taken from the log, so that it compares as equal.
    TableModel expected;
    expected.protocol = state_.model().protocol;
    expected.metadata = state_.model().metadata;
    expected.txns = state_.model().txns;
    expected.domains = state_.model().domains;
    TableModel model = expected;
    model.protocol = found.protocol;
    model.metadata = found.metadata;
    if (has_txns) model.txns = found.txns;
    if (has_domains) model.domains = found.domains;
    CompareModels(expected, model, {}, "checksum", place_, findings_);
    return Status::Ok();
  }

  const dom::object& root_;
  const Place& place_;
  const LogRules& state_;
  Findings& findings_;
};

/// What some commits or a compacted file leave of their actions: the newest of each kind and key.
struct Reconciled {
  /// Protocol, metaData, txns and domains; files are below.
  TableModel small;
  /// By path and deletion vector; a remove has no facts.
  std::unordered_map<std::string, std::optional<AddFacts>> files;

  void Apply(const CommitActions& actions, const std::string& uri) {
    const auto key_of = [&](const auto& action) {
      const auto& vector = action.deletion_vector;
      return CanonicalPath(action.path, uri) + '\0' + (vector.has_value() ? vector->UniqueId() : std::string());
    };
    if (!actions.protocols.empty()) small.protocol = actions.protocols.back().action;
    if (!actions.metadatas.empty()) small.metadata = actions.metadatas.back().action;
    for (const auto& [txn, line] : actions.txns) small.txns[txn.app_id] = txn;
    for (const auto& [domain, line] : actions.domains) small.domains[domain.domain] = domain;
    for (const auto& [remove, line] : actions.removes) files[key_of(remove)].reset();
    for (const auto& [add, line] : actions.adds) files[key_of(add)] = AddFacts::Of(add);
  }
};

/// The file's path, and its deletion vector where it has one.
std::string NameOfKey(const std::string& key) {
  const size_t end = key.find('\0');
  return key.substr(0, end) + (end + 1 < key.size() ? " with " + key.substr(end + 1) : std::string());
}

void CompareReconciled(const Reconciled& expected, const Reconciled& found, const Place& place, Findings& findings) {
  const auto fail = [&](std::string message) { findings.Error("compacted", place, std::move(message)); };
  if (expected.small.protocol.has_value() != found.small.protocol.has_value()) fail("it differs in having a protocol");
  if (expected.small.metadata.has_value() != found.small.metadata.has_value()) fail("it differs in having a metaData");
  CompareModels(expected.small, found.small, {}, "compacted", place, findings);
  for (const auto& [key, facts] : expected.files) {
    const auto other = found.files.find(key);
    const std::string kind = facts.has_value() ? "add" : "remove";
    if (other == found.files.end()) {
      fail("it lacks the " + kind + " of " + NameOfKey(key));
    } else if (facts.has_value() != other->second.has_value()) {
      fail("the newest action of " + NameOfKey(key) + " is the " + kind + ", not what it has");
    } else if (facts.has_value()) {
      const std::string what = DifferenceOf(*facts, *other->second, /*with_stats=*/true);
      if (!what.empty()) fail("its add of " + NameOfKey(key) + " has " + what);
    }
  }
  for (const auto& [key, facts] : found.files) {
    if (!expected.files.contains(key))
      fail("it has an action of " + NameOfKey(key) + ", of which the commits have none");
  }
}

}  // namespace

Status CheckOpens(const TableContext& table, const CheckpointFiles& checkpoint, Findings& findings) {
  const Place place{checkpoint.key(), checkpoint.version};
  return Judge(OpenCheckpoint(table, checkpoint).status(), "checkpoint", place, findings);
}

Status CheckCheckpoint(const TableContext& table, const CheckpointFiles& checkpoint, const LogRules& state,
                       Findings& findings) {
  const Place place{checkpoint.key(), checkpoint.version};
  return Judge(CompareCheckpoint(table, checkpoint, state, place, findings), "checkpoint", place, findings);
}

Status CheckChecksum(const TableContext& table, const Place& place, const LogRules& state,
                     const std::optional<CommitInfo>& info, Findings& findings) {
  const auto read = storage::GetAtMost(*table.store, place.key, kMaxChecksumBytes);
  if (read.status().Is(StatusCode::kResourceExhausted)) {
    findings.Error("checksum", place, read.status().message());
    return Status::Ok();
  }
  TARN_RETURN_NOT_OK(read.status());
  const std::string& text = *read;
  dom::parser parser;
  dom::object root;
  if (parser.parse(text).get_object().get(root) != simdjson::SUCCESS) {
    findings.Error("checksum", place, "the file is no JSON object");
    return Status::Ok();
  }
  return Judge(ChecksumChecker(root, place, state, findings).Run(info), "checksum", place, findings);
}

Status CheckCompacted(const TableContext& table, const LogFile& compacted, Findings& findings) {
  const std::string uri = table.store->uri();
  const Place place{compacted.key, compacted.compacted_to};
  Reconciled expected;
  // What is wrong with the commits themselves was found before.
  ValidationReport known;
  Findings unheard(known, 0);
  for (int64_t version = compacted.version; version <= compacted.compacted_to; ++version) {
    TARN_ASSIGN_OR_RETURN(const CommitActions commit,
                          ReadActions(*table.store, {CommitKey(version), version}, unheard));
    expected.Apply(commit, uri);
  }
  TARN_ASSIGN_OR_RETURN(const CommitActions actions, ReadActions(*table.store, place, findings));
  if (!actions.infos.empty()) findings.Error("compacted", place, "it has a commitInfo, which no compacted file has");
  Reconciled found;
  found.Apply(actions, uri);
  CompareReconciled(expected, found, place, findings);
  return Status::Ok();
}

Status CheckReplay(const TableContext& table, const LogRules& state, int64_t version, Findings& findings) {
  const Place place{"", version};
  const auto snapshot = LoadSnapshot(table);
  if (!snapshot.ok()) return Judge(snapshot.status(), "replay", place, findings);
  if ((*snapshot)->version() != version) {
    findings.Error("replay", place,
                   "the reader takes version " + std::to_string((*snapshot)->version()) + " for the newest");
    return Status::Ok();
  }
  TARN_ASSIGN_OR_RETURN(const TableModel found, ModelOf(**snapshot, table.store->uri(), "replay", place, findings));
  CompareModels(state.model(), found, WhatCheckpointsKeep(state.model()), "replay", place, findings);
  return Status::Ok();
}

}  // namespace tarn::delta::validation
