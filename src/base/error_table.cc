#include "base/error_table.h"

#include <array>

namespace tarn {

const ErrorCodes& CodesOf(StatusCode code) {
  // In the order of StatusCode; error_table_test.cc proves that no row is missing or out of place.
  static constexpr std::array<ErrorCodes, kStatusCodeCount> kTable = {{
      {200, "00000", 0, "OK", 0, ""},
      {400, "22023", 3, "BAD_USER_INPUT", 2, "InvalidArgumentError"},
      {404, "42P01", 5, "NOT_FOUND", 3, "NotFoundError"},
      {409, "42710", 6, "ALREADY_EXISTS", 4, "AlreadyExistsError"},
      {409, "40001", 10, "CONFLICT", 5, "ConflictError"},
      {422, "0A000", 12, "UNSUPPORTED", 6, "UnsupportedError"},
      {500, "XX001", 15, "CORRUPTION", 7, "CorruptionError"},
      {403, "42501", 7, "FORBIDDEN", 8, "PermissionDeniedError"},
      {401, "28000", 16, "UNAUTHENTICATED", 9, "UnauthenticatedError"},
      {429, "53000", 8, "RESOURCE_EXHAUSTED", 10, "ResourceExhaustedError"},
      {503, "57P03", 14, "UNAVAILABLE", 11, "UnavailableError"},
      {500, "08007", 2, "INDETERMINATE", 12, "IndeterminateError"},
      {500, "57014", 1, "CANCELLED", 13, "CancelledError"},
      {504, "57014", 4, "DEADLINE_EXCEEDED", 14, "DeadlineExceededError"},
      {500, "XX000", 13, "INTERNAL", 15, "InternalError"},
  }};
  return kTable[static_cast<size_t>(code)];
}

}  // namespace tarn
