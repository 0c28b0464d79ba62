#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::storage::internal {

/// The members of one JSON object whose values are strings of ASCII, as the metadata service of EC2 answers. Corruption
/// for any other text.
Result<std::map<std::string, std::string>> ParseFlatJson(std::string_view text);

}  // namespace tarn::storage::internal
