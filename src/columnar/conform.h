#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "base/status.h"
#include "columnar/field_match.h"

namespace tarn::columnar {

/// Brings rows read from a file to the schema of a table that may have evolved since: columns and struct members are
/// found as `match` says, those that are missing become nulls and those that are not asked for are left out, at any
/// depth; types are cast when no value changes (a narrower integer, a timestamp without zone read as UTC), and names
/// become the schema's. Not copied where nothing differs. InvalidArgument, naming the column, when a value does not
/// fit, or a required one is missing.
Result<std::shared_ptr<arrow::RecordBatch>> ConformBatch(const arrow::RecordBatch& batch,
                                                         const std::shared_ptr<arrow::Schema>& schema,
                                                         FieldMatch match = FieldMatch::kName);

/// InvalidArgument, naming the column, when one that must not be null is, at any depth.
Status CheckRequired(const arrow::RecordBatch& batch);

}  // namespace tarn::columnar
