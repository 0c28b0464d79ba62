#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/row_bitmap.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Writes deletion vectors, many to a file (PROTOCOL.md, "Deletion Vector File Storage Format"), in memory of one
/// vector. An unfinished file leaves nothing behind. Thread-compatible.
class DeletionVectorWriter {
 public:
  /// A file is closed once it has this many bytes, so that few vectors keep one from being vacuumed.
  static constexpr int64_t kTargetFileBytes = 2 << 20;

  DeletionVectorWriter(storage::ObjectStore& table_store, Random& random) : store_(table_store), random_(random) {}

  /// The vector as the log is to name it; it can be read once Finish has returned OK.
  Result<DeletionVector> Write(const RowBitmap& rows);
  /// Publishes what is not yet, durably.
  Status Finish();
  /// Of the files that were published, or may have been.
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  Status OpenFile();

  storage::ObjectStore& store_;
  Random& random_;
  std::unique_ptr<storage::ObjectWriter> file_;
  /// Of the open file: its UUID as the log spells it, its key, and how long it is.
  std::string encoded_uuid_;
  std::string key_;
  int64_t size_ = 0;
  std::vector<std::string> keys_;
};

}  // namespace tarn::delta
