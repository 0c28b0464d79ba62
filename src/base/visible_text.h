#pragma once

#include <string>
#include <string_view>

namespace tarn {

/// The text as it may be shown on a terminal, whoever wrote it: control characters, C1 among them, and those that
/// change the direction of writing are escaped as \x1b or \u202e, but for line ends and tabs. UTF-8 in, UTF-8 out;
/// bytes that are none stay as they are.
std::string VisibleText(std::string_view text);

}  // namespace tarn
