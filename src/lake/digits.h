#pragma once

#include <cstdint>
#include <string>

namespace tarn::lake {

/// A number with leading zeros, so that names sort as what they count.
inline std::string Digits(uint64_t number, size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

}  // namespace tarn::lake
