#pragma once

#include <cmath>
#include <compare>
#include <optional>

#include "columnar/value.h"

namespace tarn::columnar {

/// Orders as Compare does, and floating numbers as SQL does: NaN equals itself and is greater than all others.
inline std::optional<std::strong_ordering> CompareSql(const Value& left, const Value& right) {
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr && (std::isnan(*a) || std::isnan(*b))) return std::isnan(*a) <=> std::isnan(*b);
  return Compare(left, right);
}

}  // namespace tarn::columnar
