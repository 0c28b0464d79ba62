#include "delta/actions.h"

namespace tarn::delta {

std::string DeletionVector::UniqueId() const {
  std::string id(1, storage_type);
  id += path_or_inline;
  if (offset.has_value()) id += "@" + std::to_string(*offset);
  return id;
}

Remove RemoveOf(const Add& add, int64_t now_millis, bool data_change) {
  Remove remove;
  remove.path = add.path;
  remove.deletion_timestamp_millis = now_millis;
  remove.data_change = data_change;
  remove.extended_file_metadata = true;
  remove.partition_values = add.partition_values;
  remove.size_bytes = add.size_bytes;
  remove.deletion_vector = add.deletion_vector;
  return remove;
}

}  // namespace tarn::delta
