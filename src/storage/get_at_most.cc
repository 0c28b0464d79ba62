#include "storage/get_at_most.h"

#include <memory>
#include <span>

namespace tarn::storage {

Result<std::string> GetAtMost(ObjectStore& store, std::string_view key, int64_t max_bytes) {
  TARN_ASSIGN_OR_RETURN(const std::unique_ptr<ObjectReader> reader, store.Open(key));
  if (reader->info().size_bytes > max_bytes) {
    return Status::ResourceExhausted(std::string(key) + " has " + std::to_string(reader->info().size_bytes) +
                                     " bytes, and at most " + std::to_string(max_bytes) + " are read of it");
  }
  std::string bytes(static_cast<size_t>(reader->info().size_bytes), '\0');
  TARN_ASSIGN_OR_RETURN(const size_t got, reader->ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}

}  // namespace tarn::storage
