#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "columnar/value.h"

namespace tarn::columnar {

/// The value in one row; null where the array is, and for types of which there are no values (nested ones, void).
Value ValueAt(const arrow::Array& array, int64_t row);

/// A column of one value, `length` times. InvalidArgument when the value does not fit the type.
Result<std::shared_ptr<arrow::Array>> ConstantArray(const Value& value, const std::shared_ptr<arrow::DataType>& type,
                                                    int64_t length);

}  // namespace tarn::columnar
