#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "delta/operations/row_change.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "delta/transaction.h"

namespace tarn::delta {

/// Changes of one table's rows that become one commit, each made on what those before it left. Nobody else sees any of
/// them before Commit; what is not committed is deleted, as far as the store lets. Thread-compatible; used once.
class TableDraft {
 public:
  /// Begins on a snapshot, which Change checks, so that one that is only read may be of any table.
  TableDraft(const TableContext& table, std::shared_ptr<const Snapshot> base)
      : table_(table), base_(std::move(base)), snapshot_(base_) {}
  ~TableDraft();
  TableDraft(const TableDraft&) = delete;
  TableDraft& operator=(const TableDraft&) = delete;

  /// The table with all changes so far: what the next one is to be made on. Its version is nobody's.
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  /// How many changes were made.
  int changes() const { return changes_; }

  /// As ChangeRows, errors too, on `snapshot()` and without a commit; one with neither condition nor places only brings
  /// its new files. Those are the caller's again when it fails, which leaves the draft as it was.
  Status Change(const ChangeRequest& request);

  /// Publishes all changes; null when none of them changed anything. Conflict when another commit changed what one of
  /// them rests on.
  Result<std::shared_ptr<const Snapshot>> Commit();

 private:
  Result<std::shared_ptr<const Snapshot>> With(const std::vector<Remove>& removes, const std::vector<Add>& adds) const;
  Status AddReads(const Reads& reads);
  void AddFiles(const std::vector<Remove>& removes, const std::vector<Add>& adds);
  void AddMetrics(const std::map<std::string, std::string>& metrics);
  std::map<std::string, std::string> Parameters() const;
  /// Deletes the files made here that no action left names.
  void DeleteUnnamed();

  const TableContext table_;
  const std::shared_ptr<const Snapshot> base_;
  std::shared_ptr<const Snapshot> snapshot_;
  int changes_ = 0;
  /// Of `base_`.
  Reads reads_;
  /// What all changes together do to `base_`, by canonical path.
  std::map<std::string, Remove> removes_;
  std::map<std::string, Add> adds_;
  /// Of all files made here.
  std::vector<std::string> keys_;
  std::vector<std::string> operations_;
  /// Those of the only change.
  std::map<std::string, std::string> parameters_;
  std::map<std::string, int64_t> metrics_;
  /// The files are in a commit, or may be.
  bool keeps_files_ = false;
};

}  // namespace tarn::delta
