#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// The name of a table property as the protocol spells it, whatever its case: for those who cannot keep to it, as SQL.
/// Names that do not begin with "delta." belong to users and stay as they are; InvalidArgument for another one that
/// this program does not know.
Result<std::string> PropertyName(std::string_view name);

}  // namespace tarn::delta
