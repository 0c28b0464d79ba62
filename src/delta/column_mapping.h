#pragma once

#include <arrow/type_fwd.h>

#include "base/status.h"
#include "columnar/field_match.h"
#include "delta/actions.h"

namespace tarn::delta {

/// How a table's columns are found in its data files (PROTOCOL.md, "Column Mapping"): by their own names unless the
/// protocol has the feature and `delta.columnMapping.mode` asks for it. Corruption for a mode that does not exist.
Result<columnar::FieldMatch> FieldMatchOf(const Protocol& protocol, const Metadata& metadata);

/// Corruption, naming the column, when a field at any depth has no physical name or id, or shares one.
Status CheckMapping(const arrow::Schema& schema, columnar::FieldMatch match);

}  // namespace tarn::delta
