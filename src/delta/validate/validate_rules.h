#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "delta/files/statistics.h"
#include "delta/validate/validate_commit.h"
#include "delta/validate/validate_model.h"
#include "delta/validate/validate_shape.h"

namespace tarn::delta::validation {

/// The state of a table as commit follows upon commit, and the rules that each has to keep. Thread-compatible.
class LogRules {
 public:
  LogRules(std::string table_uri, Findings& findings) : table_uri_(std::move(table_uri)), findings_(findings) {}

  /// Begins at the state that a checkpoint holds; `model` lacks its files, each of which follows by Begin.
  void Begin(const TableModel& model, const Place& place);
  void BeginFile(const Add& add, const Place& place);

  /// Checks one commit against the state and by itself, and brings the state up to it.
  void Apply(const CommitActions& commit);

  const TableModel& model() const { return model_; }
  const TableShape& shape() const { return shape_; }
  int64_t total_bytes() const { return total_bytes_; }
  std::optional<int64_t> in_commit_timestamp() const { return in_commit_timestamp_; }

 private:
  void CheckOnce(const CommitActions& commit);
  void ApplyTableActions(const CommitActions& commit);
  void ApplyTxns(const CommitActions& commit);
  void ApplyDomains(const CommitActions& commit);
  void ApplyRemoves(const CommitActions& commit);
  void ApplyAdds(const CommitActions& commit);
  void ApplyTimestamp(const CommitActions& commit);
  void Put(const std::string& path, const Add& add);
  void ReportNotLive(const Place& place, std::string message);

  const std::string table_uri_;
  Findings& findings_;
  TableModel model_;
  TableShape shape_;
  StatsParser stats_parser_;
  int64_t total_bytes_ = 0;
  /// What came before a checkpoint is not known.
  bool begins_at_checkpoint_ = false;
  bool reported_incomplete_ = false;
  std::optional<int64_t> in_commit_timestamp_;
};

}  // namespace tarn::delta::validation
