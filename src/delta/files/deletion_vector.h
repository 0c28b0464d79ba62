#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/row_bitmap.h"
#include "delta/snapshot.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Reads the positions of the rows that a vector deletes (PROTOCOL.md, "Deletion Vectors") and checks its length,
/// checksum and cardinality. Corruption names the vector; PermissionDenied for a file outside of the table that
/// its store does not read; errors of the store pass through.
Result<std::shared_ptr<const RowBitmap>> ReadDeletionVector(storage::ObjectStore& table_store,
                                                            const DeletionVector& vector);

/// Which rows of one file count. Immutable; thread-safe.
class LiveRows {
 public:
  /// Reads the vectors of a file, with the errors of ReadDeletionVector.
  static Result<LiveRows> Read(storage::ObjectStore& table_store, const DataFile& file);

  bool all() const { return deleted_ == nullptr && only_ == nullptr; }
  /// Calls `visit` with each row in [begin, end) that counts, ascending.
  template <typename Visit>
  void ForEach(int64_t begin, int64_t end, Visit&& visit) const;

 private:
  std::shared_ptr<const RowBitmap> deleted_;
  std::shared_ptr<const RowBitmap> only_;
};

/// Canonical path (table_path.h) of the file that holds a vector of type 'u' or 'p'; nullopt for an inline one.
/// Corruption for a path that cannot be decoded. `table_uri` is ObjectStore::uri() of the table's store.
Result<std::optional<std::string>> DeletionVectorPath(const DeletionVector& vector, std::string_view table_uri);

/// The store's key of that file, with the errors of KeyOfCanonical, too.
Result<std::optional<std::string>> DeletionVectorKey(const DeletionVector& vector,
                                                     const storage::ObjectStore& table_store);

/// Four bytes for five characters of the protocol's base85 (ZeroMQ RFC 32); nullopt for text that is none.
std::optional<std::string> DecodeBase85(std::string_view text);

/// The inverse; `bytes` come in fours.
std::string EncodeBase85(std::string_view bytes);

template <typename Visit>
void LiveRows::ForEach(int64_t begin, int64_t end, Visit&& visit) const {
  std::vector<int64_t> deleted;
  if (deleted_ != nullptr) deleted_->AppendRange(begin, end, deleted);
  auto next = deleted.begin();
  const auto visit_unless_deleted = [&](int64_t row) {
    while (next != deleted.end() && *next < row) ++next;
    if (next == deleted.end() || *next != row) visit(row);
  };
  if (only_ == nullptr) {
    for (int64_t row = begin; row < end; ++row) visit_unless_deleted(row);
    return;
  }
  std::vector<int64_t> only;
  only_->AppendRange(begin, end, only);
  for (const int64_t row : only) visit_unless_deleted(row);
}

}  // namespace tarn::delta
