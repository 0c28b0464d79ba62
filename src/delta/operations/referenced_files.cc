#include "delta/operations/referenced_files.h"

#include <algorithm>

#include "delta/files/deletion_vector.h"
#include "delta/log/file_chunk.h"
#include "delta/table_path.h"

namespace tarn::delta {

void ReferencedFiles::AddKey(std::string_view key) { hashes_.push_back(HashFileKey(key, {})); }

void ReferencedFiles::AddPath(std::string_view path) {
  if (IsPlainPath(path)) {
    AddKey(path);
    return;
  }
  const std::string canonical = CanonicalPath(path, table_uri_);
  AddKey(canonical);
  // A writer may have left the path as it is, without encoding it.
  AddKey(path);
  if (!IsOutside(canonical)) return;
  // A path outside of the table may be one inside by another name, as of a folder that is linked to, or that was moved.
  for (size_t slash = canonical.find('/'); slash != std::string::npos; slash = canonical.find('/', slash + 1)) {
    AddKey(std::string_view(canonical).substr(slash + 1));
  }
}

void ReferencedFiles::Add(std::string_view path, const std::optional<DeletionVector>& deletion_vector) {
  AddPath(path);
  if (!deletion_vector.has_value() || deletion_vector->storage_type == 'i') return;
  if (deletion_vector->storage_type == 'p') {
    AddPath(deletion_vector->path_or_inline);
  } else if (const auto path = DeletionVectorPath(*deletion_vector, table_uri_); path.ok()) {
    AddKey(**path);
  }
}

bool ReferencedFiles::Contains(std::string_view key) {
  if (sorted_ < hashes_.size()) {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
    sorted_ = hashes_.size();
  }
  return std::binary_search(hashes_.begin(), hashes_.end(), HashFileKey(key, {}));
}

}  // namespace tarn::delta
