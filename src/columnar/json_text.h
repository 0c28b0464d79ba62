#pragma once

#include <string>
#include <string_view>

namespace tarn::columnar {

/// Appends `text` as a JSON string with its quotes. `text` must be valid UTF-8, or what comes out is not JSON.
void AppendJsonString(std::string& out, std::string_view text);

/// Appends the shortest JSON number that reads back as the same double; `value` must be finite.
void AppendJsonDouble(std::string& out, double value);

}  // namespace tarn::columnar
