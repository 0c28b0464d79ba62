#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include "base/status.h"

namespace duckdb {
class ErrorData;
}  // namespace duckdb

namespace tarn::engine {

/// The one place where exceptions of DuckDB (and of std through it) become a Status and the reverse.
///
/// A status of ours raised inside a callback of DuckDB travels through it as an exception that carries code and
/// message, and StatusFromError gives back exactly that status. DuckDB's own errors map by type: parser, binder,
/// conversion and range errors are InvalidArgument; an unknown table, function or schema is NotFound; permission,
/// memory, interrupt and I/O errors have their codes; what invalidates the instance is Internal. Where DuckDB tells a
/// position in the SQL text, the message ends with " (at byte N)", which SqlErrorPosition reads back.

/// Throws `status` (not OK) through DuckDB. Only from code that DuckDB calls.
[[noreturn]] void ThrowStatus(const Status& status);

inline void ThrowIfError(const Status& status) {
  if (!status.ok()) ThrowStatus(status);
}

template <typename T>
T ValueOrThrow(Result<T> result) {
  if (!result.ok()) ThrowStatus(result.status());
  return std::move(result).value();
}

/// The status that a DuckDB error (of a result, or of a caught exception) stands for; never OK.
Status StatusFromError(const duckdb::ErrorData& error);

/// The same for the exception being handled: to be called inside a catch block only.
Status StatusFromCurrentException();

/// Whether the error is a status of ours on its way through DuckDB.
bool IsOwnStatus(const duckdb::ErrorData& error);

/// True when the error leaves the database instance unusable, so that it has to be replaced.
bool InvalidatesInstance(const duckdb::ErrorData& error);

/// Runs `body`, which may throw, and returns its Status, its Result or OK; exceptions become a status.
template <typename Body>
auto Guarded(Body&& body) {
  using Returned = std::invoke_result_t<Body>;
  if constexpr (std::is_void_v<Returned>) {
    try {
      std::forward<Body>(body)();
      return Status::Ok();
    } catch (...) {
      return StatusFromCurrentException();
    }
  } else {
    try {
      return std::forward<Body>(body)();
    } catch (...) {
      return Returned(StatusFromCurrentException());
    }
  }
}

}  // namespace tarn::engine
