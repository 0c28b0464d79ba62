#pragma once

#include <arrow/type_fwd.h>

#include <string_view>

#include "base/status.h"

namespace tarn::delta {

/// Whether a table of the lowest protocol can have a column of this name; Unsupported names the feature that it needs.
Status CheckPlainName(std::string_view name);

/// What the features of a table let its columns be.
struct SchemaFreedom {
  /// Columns are mapped.
  bool any_name = false;
  /// timestampNtz.
  bool zoneless_times = false;
};

/// Whether a table of the lowest protocol, but for this freedom, can have this schema: at least one column, names that
/// differ by more than case, no type or name that needs a table feature. Unsupported names the feature.
Status CheckPlainSchema(const arrow::Schema& schema, const SchemaFreedom& freedom = {});

/// Whether a name, at any depth, keeps a table of the lowest protocol from having these columns, and nothing else does.
bool NeedsMapping(const arrow::Schema& schema);

/// OK when `after` is `before` with nullable columns added; InvalidArgument otherwise.
Status CheckOnlyAddsColumns(const arrow::Schema& before, const arrow::Schema& after);

}  // namespace tarn::delta
