#pragma once

#include <string>
#include <string_view>

namespace tarn::storage::internal {

/// Of text that others wrote, what can stand in a message: its beginning, without control characters.
std::string Printable(std::string_view text);

}  // namespace tarn::storage::internal
