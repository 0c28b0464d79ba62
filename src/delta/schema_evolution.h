#pragma once

#include <arrow/type_fwd.h>

#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// Whether a table of the lowest protocol can have a column of this name; Unsupported names the feature that it needs.
Status CheckPlainName(std::string_view name);

/// Whether a table of the lowest protocol can have this schema: at least one column, names that differ by more than
/// case, no type or name that needs a table feature; where columns are mapped, names may be any. Unsupported names the
/// feature.
Status CheckPlainSchema(const arrow::Schema& schema, bool columns_are_mapped = false);

/// Whether a name, at any depth, keeps a table of the lowest protocol from having these columns, and nothing else does.
bool NeedsMapping(const arrow::Schema& schema);

/// OK when `after` is `before` with nullable columns added; InvalidArgument otherwise.
Status CheckOnlyAddsColumns(const arrow::Schema& before, const arrow::Schema& after);

}  // namespace tarn::delta
