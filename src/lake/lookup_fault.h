#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace tarn::lake {

/// For what went wrong while the lake looked up its own folders and logs. Where the store blames an argument or finds
/// something missing or too large, that is the lake's and not the caller's, to whom it is Unavailable; other codes
/// stay.
inline Status AsLookupFault(Status status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
    case StatusCode::kResourceExhausted:
      return Status::Unavailable(status.message());
    default:
      return status;
  }
}

}  // namespace tarn::lake
