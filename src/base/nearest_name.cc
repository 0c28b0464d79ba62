#include "base/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tarn {
namespace {

/// Edits of one byte between two names.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string DidYouMean(std::string_view name, const std::vector<std::string>& names) {
  const size_t bound = std::max<size_t>(2, name.size() / 3);
  const std::string* best = nullptr;
  size_t least = bound + 1;
  for (const std::string& candidate : names) {
    // The rest of a long name may have been left out.
    const size_t distance = name.size() > 3 && candidate.starts_with(name) ? 1 : Distance(name, candidate);
    if (distance < least) {
      least = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : "; did you mean " + *best + "?";
}

}  // namespace tarn
