#include "delta/operations/repair.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "delta/log/checksum.h"
#include "delta/log/log_names.h"
#include "delta/log/log_snapshot.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using Kind = LogName::Kind;

std::optional<LogName> NameOf(const std::string& key) {
  if (!key.starts_with(kLogFolder)) return std::nullopt;
  return ParseLogName(std::string_view(key).substr(kLogFolder.size()));
}

class Repairer {
 public:
  Repairer(const TableContext& table, const RepairOptions& options) : table_(table), options_(options) {}

  Result<RepairResult> Run();

 private:
  /// Sorts out which derived files are wrong; false when something else is.
  bool Sort(const ValidationReport& report);
  Status MendOptional(const std::string& key, const LogName& name);
  Status MendCheckpoint(const std::string& key, const LogName& name);
  Status Delete(const std::string& key) {
    return options_.dry_run ? Status::Ok() : table_.store->Delete(key).WithContext(key);
  }
  void Note(const std::string& key, std::string what) { result_.steps.push_back({key, std::move(what)}); }

  const TableContext& table_;
  const RepairOptions& options_;
  /// By key, with what is wrong.
  std::map<std::string, std::string> wrong_;
  bool wrong_hint_ = false;
  RepairResult result_;
};

bool Repairer::Sort(const ValidationReport& report) {
  bool only_derived = true;
  for (const Finding& finding : report.findings) {
    const auto name = NameOf(finding.key);
    if (finding.key == kLastCheckpointKey) {
      wrong_hint_ = true;
    } else if (name.has_value() && name->kind != Kind::kCommit) {
      wrong_.emplace(finding.key, finding.message);
    } else if (finding.severity == Finding::Severity::kError) {
      only_derived = false;
    }
  }
  return only_derived;
}

Status Repairer::MendOptional(const std::string& key, const LogName& name) {
  TARN_RETURN_NOT_OK(Delete(key));
  if (name.kind == Kind::kChecksum) {
    const auto snapshot = LoadSnapshotAt(table_, name.version);
    if (snapshot.ok() && (options_.dry_run || WriteChecksum(table_, **snapshot).ok())) {
      Note(key, "written anew, since " + wrong_.at(key));
      return Status::Ok();
    }
  }
  Note(key, "deleted, since " + wrong_.at(key));
  return Status::Ok();
}

Status Repairer::MendCheckpoint(const std::string& key, const LogName& name) {
  std::set<std::string> wrong_keys;
  for (const auto& [wrong, what] : wrong_) wrong_keys.insert(wrong);
  const auto snapshot = LoadSnapshotWithout(table_, name.version, wrong_keys);
  if (!snapshot.ok()) {
    Note(key, "left as it is, since nothing else leads to version " + std::to_string(name.version) + ": " +
                  snapshot.status().message());
    return Status::Ok();
  }
  for (int part = 1; part <= name.parts; ++part) {
    TARN_RETURN_NOT_OK(Delete(name.parts == 1 ? key : CheckpointPartKey(name.version, part, name.parts)));
  }
  if (!options_.dry_run) TARN_RETURN_NOT_OK(WriteCheckpoint(table_, **snapshot));
  Note(key, "written anew from the commits, since " + wrong_.at(key));
  return Status::Ok();
}

Result<RepairResult> Repairer::Run() {
  TARN_ASSIGN_OR_RETURN(result_.report, ValidateTable(table_));
  if (!Sort(result_.report)) {
    for (const auto& [key, what] : wrong_) Note(key, "left as it is, since commits are at fault, too: " + what);
    return std::move(result_);
  }
  if (wrong_hint_) {
    // Readers list the log without one, and the next checkpoint comes with one.
    const std::string key(kLastCheckpointKey);
    TARN_RETURN_NOT_OK(Delete(key));
    Note(key, "deleted, since it is wrong");
  }
  for (const auto& [key, what] : wrong_) {
    const LogName name = *NameOf(key);
    const bool checkpoint = name.kind == Kind::kCheckpoint || name.kind == Kind::kUuidCheckpoint;
    TARN_RETURN_NOT_OK(checkpoint ? MendCheckpoint(key, name) : MendOptional(key, name));
  }
  if (!options_.dry_run && !result_.steps.empty()) {
    TARN_ASSIGN_OR_RETURN(result_.report, ValidateTable(table_));
  }
  return std::move(result_);
}

}  // namespace

Result<RepairResult> Repair(const TableContext& table, const RepairOptions& options) {
  return Repairer(table, options).Run();
}

}  // namespace tarn::delta
