#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// The name of a table property as the protocol spells it, whatever its case: for those who cannot keep to it, as SQL.
/// Names that do not begin with "delta." belong to users and stay as they are; Unsupported for another one that Delta
/// has and this program does nothing about, InvalidArgument for one that it does not know. `delta.feature.NAME` stays
/// as it is but for the prefix; TakeFeatures knows the names.
Result<std::string> PropertyName(std::string_view name);

/// InvalidArgument, saying what would do, for a value that the property of this name (as PropertyName gives it) cannot
/// have.
Status CheckPropertyValue(const std::string& name, const std::string& value);

/// Takes the `delta.feature.NAME = supported` out of the properties, which are no properties but wishes for the
/// protocol, and gives the names as the protocol spells them. InvalidArgument for another value.
Result<std::set<std::string>> TakeFeatures(std::map<std::string, std::string>& properties);

}  // namespace tarn::delta
