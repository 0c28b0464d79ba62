#pragma once

#include <arrow/type_fwd.h>

#include "base/status.h"

namespace tarn::delta {

/// Whether files from before a column's type was changed can be read as what it is now (PROTOCOL.md, "Type Widening").
/// Unsupported names the column and a change that is none of the protocol's, Corruption one that cannot be read.
Status CheckTypeChanges(const arrow::Schema& schema);

/// Whether the type of the field, or of what it holds, was changed.
bool HasTypeChanges(const arrow::Field& field);

/// Whether files may hold floats in a column that is a double now: texts of their bounds are rounded to floats.
bool WasFloat(const arrow::Field& field);

}  // namespace tarn::delta
