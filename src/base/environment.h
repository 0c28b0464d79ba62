#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tarn {

/// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

/// Those of this process.
Environment ProcessEnvironment();

/// The value of a variable, empty when it is not set: the two mean the same everywhere.
std::string_view ValueOf(const Environment& environment, std::string_view name);

}  // namespace tarn
