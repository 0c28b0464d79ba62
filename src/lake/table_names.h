#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// A name as the catalog compares it: ASCII letters in lower case.
std::string FoldCase(std::string_view name);

/// False for databases that hold no user tables (DESIGN.md, "Names").
bool IsReservedDatabase(std::string_view database);

}  // namespace tarn::lake
