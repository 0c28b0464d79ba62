#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include "base/status.h"

namespace tarn::columnar {

/// Arrow's status in our terms: the one place where the two meet.
Status FromArrow(const arrow::Status& status);

template <typename T>
Result<T> FromArrow(arrow::Result<T> result) {
  if (!result.ok()) return FromArrow(result.status());
  return std::move(result).ValueUnsafe();
}

}  // namespace tarn::columnar
