#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "delta/operations/table_draft.h"
#include "lake/table_view.h"

namespace tarn::engine {

/// What the statements between BEGIN and COMMIT share: each sees every table as it was at the first use of it in the
/// block, with what those before it changed. All of them change the same one table, and Commit makes that one Delta
/// commit; without it nothing is changed. Pin is thread-safe, the rest is called between statements.
class TransactionBlock {
 public:
  /// `catalog` outlives the block.
  explicit TransactionBlock(lake::TableCatalog& catalog) : catalog_(catalog) {}

  /// A table for one of the statements. Errors as of TableCatalog::PinForChange.
  Result<lake::TableForChange> Pin(const lake::TableName& name) EXCLUDES(mutex_);
  /// InvalidArgument once a second table was changed.
  Status CheckOneTable() const EXCLUDES(mutex_);
  /// Conflict when another commit came in between, so that the whole block has to run again. Once.
  Status Commit() EXCLUDES(mutex_);

 private:
  /// The tables that statements changed.
  std::vector<lake::TableForChange> Changed() const EXCLUDES(mutex_);

  lake::TableCatalog& catalog_;
  mutable Mutex mutex_;
  /// As they were at first, by the names that statements use, of which several may mean one table.
  std::map<lake::TableName, lake::TableForChange> pinned_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
