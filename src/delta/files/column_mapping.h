#pragma once

#include <arrow/type_fwd.h>

#include "base/random.h"
#include "base/status.h"
#include "columnar/field_match.h"
#include "delta/actions.h"

namespace tarn::delta {

/// How a table's columns are found in its data files (PROTOCOL.md, "Column Mapping"): by their own names unless the
/// protocol has the feature and `delta.columnMapping.mode` asks for it. Corruption for a mode that does not exist.
Result<columnar::FieldMatch> FieldMatchOf(const Protocol& protocol, const Metadata& metadata);

/// Corruption, naming the column, when a field at any depth has no physical name or id, or shares one.
Status CheckMapping(const arrow::Schema& schema, columnar::FieldMatch match);

/// `schema` as that of a table that maps its columns: those that `current` has, as they are there; the others with an
/// id and a physical name of their own at every depth. Ids go on from `delta.columnMapping.maxColumnId`.
std::shared_ptr<arrow::Schema> MapNewColumns(const arrow::Schema& current, const Metadata& metadata,
                                             const arrow::Schema& schema, Random& random);

/// Sets `delta.columnMapping.maxColumnId` to the highest id of the schema, unless it already is higher.
void RaiseMaxColumnId(const arrow::Schema& schema, Metadata& metadata);

}  // namespace tarn::delta
