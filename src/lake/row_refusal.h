#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tarn::lake {

/// Rows of a producer that are refused together, by number.
struct RowRefusal {
  std::vector<int64_t> rows;
  std::string reason;
};

}  // namespace tarn::lake
