#pragma once

#include <cstdint>

namespace tarn::engine {

/// Bytes of this process that are in memory now; 0 where the system does not tell.
int64_t ProcessResidentBytes();

}  // namespace tarn::engine
