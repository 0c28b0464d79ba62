#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <utility>

#include "base/status.h"

namespace tarn::columnar {

/// Arrow's status in our terms: the one place where the two meet. A status of ours that went through Arrow (ToArrow)
/// comes out unchanged. Bytes that Arrow cannot read are Corruption.
Status FromArrow(const arrow::Status& status);

template <typename T>
Result<T> FromArrow(arrow::Result<T> result) {
  if (!result.ok()) return FromArrow(result.status());
  return std::move(result).ValueUnsafe();
}

/// Our status in Arrow's terms, for adapters that Arrow calls back; FromArrow gives it back as it was.
arrow::Status ToArrow(const Status& status);

namespace internal {
/// The exception in flight as a status; only inside a catch block.
Status FromCurrentException();
}  // namespace internal

/// The barrier for exceptions of Arrow and Parquet: calls `body`, which returns a Status or a Result, and turns
/// whatever it throws into one. Every call into parquet:: happens below one of these.
template <typename Body>
auto ArrowBarrier(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    return internal::FromCurrentException();
  }
}

/// Returns the status of an Arrow call from the enclosing function when it is not OK.
#define TARN_RETURN_ARROW_NOT_OK(expression) TARN_RETURN_NOT_OK(::tarn::columnar::FromArrow(expression))

/// TARN_ASSIGN_OR_RETURN for an arrow::Result.
#define TARN_ASSIGN_OR_RETURN_ARROW(target, expression) \
  TARN_ASSIGN_OR_RETURN(target, ::tarn::columnar::FromArrow(expression))

}  // namespace tarn::columnar
