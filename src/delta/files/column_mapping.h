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

/// One new column or struct member of such a table, and what it holds, with ids and physical names of their own;
/// `delta.columnMapping.maxColumnId` follows.
std::shared_ptr<arrow::Field> MapNewColumn(const std::shared_ptr<arrow::Field>& field, Metadata& metadata,
                                           const arrow::Schema& current, Random& random);

/// The schema of a new table that maps its columns. Ids and physical names that are there stay.
std::shared_ptr<arrow::Schema> MapColumnsOfNewTable(const arrow::Schema& schema, Random& random);

/// The schema of a table that maps its columns from now on: at every depth the physical name is the name that its
/// files have, and each field has an id.
std::shared_ptr<arrow::Schema> MapColumnsAsInFiles(const arrow::Schema& schema, const Metadata& metadata);

/// Sets `delta.columnMapping.maxColumnId` to the highest id of the schema, unless it already is higher.
void RaiseMaxColumnId(const arrow::Schema& schema, Metadata& metadata);

}  // namespace tarn::delta
