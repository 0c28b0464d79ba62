#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace tarn::delta {

/// Names of columns, properties and features, and many of their values, count as equal when only the case of ASCII
/// letters differs.
inline char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return LowerCase(c); });
  return lower;
}

inline bool SameButForCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char left, char right) { return LowerCase(left) == LowerCase(right); });
}

}  // namespace tarn::delta
