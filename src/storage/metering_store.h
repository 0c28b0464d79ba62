#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "storage/object_store.h"

namespace tarn::storage {

/// What can be asked of a store, as metrics name it.
enum class StoreOperation : uint8_t { kHead, kOpen, kRead, kPut, kWrite, kList, kDelete };
inline constexpr int kStoreOperationCount = 7;
/// "head", "open", "read", "put", "write", "list", "delete".
std::string_view StoreOperationName(StoreOperation operation);

struct OperationStats {
  int64_t calls = 0;
  /// Calls that failed other than by NotFound, AlreadyExists or Conflict, which are answers.
  int64_t failures = 0;
  /// Payload read or written by calls that succeeded.
  int64_t bytes = 0;
  int64_t micros_total = 0;
};
using StoreStats = std::array<OperationStats, kStoreOperationCount>;

/// Counts what passes to the store below it. Thread-safe; counting takes no lock.
class MeteringStore : public ObjectStore {
 public:
  virtual StoreStats stats() const = 0;
};

std::shared_ptr<MeteringStore> MakeMeteringStore(std::shared_ptr<ObjectStore> store, Clock& clock);

}  // namespace tarn::storage
