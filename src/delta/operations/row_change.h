#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/operations/row_condition.h"
#include "delta/operations/row_places.h"
#include "delta/operations/table_writer.h"
#include "delta/table.h"
#include "delta/transaction.h"

namespace tarn::delta {

/// What the rows that a condition selects become.
class RowUpdate {
 public:
  virtual ~RowUpdate() = default;
  /// As many rows as given, both with all columns of the table's schema, those that partition it included. Asked again
  /// when the change is planned anew.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
};

/// What a change of rows did.
struct ChangeCounts {
  /// Deleted or updated; nullopt when a file was removed unread whose number of rows the log does not tell.
  std::optional<int64_t> rows = 0;
  /// Written again because they shared a file with others.
  int64_t rows_copied = 0;
  int64_t files_removed = 0;
  int64_t files_added = 0;
  /// Written in this change, those among them that replace another, and those that are gone.
  int64_t vectors_added = 0;
  int64_t vectors_updated = 0;
  int64_t vectors_removed = 0;
  int64_t bytes_removed = 0;
  int64_t bytes_added = 0;
};

struct ChangeResult {
  /// nullopt when no row was selected and none came in.
  std::optional<int64_t> version;
  std::shared_ptr<const Snapshot> snapshot;
  ChangeCounts counts;
};

/// A condition's text as a parameter of commitInfo: a list, as Spark writes it.
std::map<std::string, std::string> PredicateParameter(const std::string& predicate);

/// What is changed, and what the commit says of it.
struct ChangeRequest {
  /// Which rows; or `places`, one of the two.
  RowCondition* condition = nullptr;
  /// nullptr deletes the rows.
  RowUpdate* update = nullptr;
  /// Rows of the snapshot that are deleted, found by whoever asks, who has read `reads` for it. Such a change cannot be
  /// planned anew: behind a commit that changed what was read it is Conflict.
  const RowPlaces* places = nullptr;
  Reads reads;
  /// Files with rows that come in with the same commit; the caller's to delete when it fails.
  std::vector<Add> new_files;
  std::string operation;
  std::map<std::string, std::string> parameters;
  /// For commitInfo beside what is counted here; one of the same name wins.
  std::map<std::string, std::string> metrics;
  TableWriterOptions files;
};

/// Whether a commit that failed surely published nothing, so that its new files may be deleted. Behind any other error
/// it may be in the log.
bool IsSurelyNotCommitted(const Status& failure);

/// Deletes, updates or replaces rows in one commit, file by file: with deletion vectors where
/// `delta.enableDeletionVectors` asks for them, else by writing the files anew. Behind a conflicting commit it is
/// planned again on the newest version, a bounded number of times, unless the table's schema or properties changed,
/// which is Conflict. What is not committed is deleted, as far as the store lets.
Result<ChangeResult> ChangeRows(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                                const ChangeRequest& request);

}  // namespace tarn::delta
