#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/status.h"
#include "delta/snapshot.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Rows by their place in one snapshot: a file and a position in it. Takes a bit for each row of a file up to the last
/// one that is in. Thread-compatible.
class RowPlaces {
 public:
  /// False when the row is in already; `row` is not negative.
  bool Add(FileIndex file, int64_t row);

  int64_t count() const { return count_; }
  /// Those that have rows, ascending.
  std::vector<FileIndex> Files() const;
  /// Ascending; none for a file that has none.
  std::vector<int64_t> RowsOf(FileIndex file) const;

 private:
  std::map<FileIndex, std::vector<bool>> rows_;
  int64_t count_ = 0;
};

/// Streams the rows at some places of a snapshot, with all columns of its schema, file by file and in their order
/// there. A place whose row is deleted in the snapshot gives none. Errors as of ScanDataFile.
Status ReadRowsAt(storage::ObjectStore& table_store, const Snapshot& snapshot, const RowPlaces& places,
                  const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit);

}  // namespace tarn::delta
