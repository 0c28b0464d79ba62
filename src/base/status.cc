#include "base/status.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace tarn {

namespace internal {

void CheckFailed(const char* expression, const char* detail, const char* file, int line) {
  std::fprintf(stderr, "tarn: check failed: %s %s (%s:%d)\n", expression, detail, file, line);
  std::abort();
}

}  // namespace internal

std::string_view StatusCodeName(StatusCode code) {
  static constexpr std::array<std::string_view, kStatusCodeCount> kNames = {
      "OK",          "InvalidArgument", "NotFound",         "AlreadyExists",    "Conflict",
      "Unsupported", "Corruption",      "PermissionDenied", "Unauthenticated",  "ResourceExhausted",
      "Unavailable", "Indeterminate",   "Cancelled",        "DeadlineExceeded", "Internal"};
  return kNames[static_cast<size_t>(code)];
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string text(StatusCodeName(code_));
  text += ": ";
  text += message_;
  return text;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  std::string text(context);
  text += ": ";
  text += message_;
  return {code_, std::move(text)};
}

}  // namespace tarn
