#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tarn {

/// "; did you mean …?" with that one of `names` which takes the fewest edits to become `name`, or begins with it; empty
/// when none is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& names);

}  // namespace tarn
