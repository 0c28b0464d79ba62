#pragma once

namespace tarn::internal {

/// Prints what failed and where, then aborts the process. For bugs of ours; the world's faults are a Status.
[[noreturn]] void CheckFailed(const char* expression, const char* detail, const char* file, int line);

}  // namespace tarn::internal

/// Holds in every build: a broken invariant must stop the program before it writes anything wrong.
#define TARN_CHECK(condition)                                            \
  do {                                                                   \
    if (!(condition)) [[unlikely]] {                                     \
      ::tarn::internal::CheckFailed(#condition, "", __FILE__, __LINE__); \
    }                                                                    \
  } while (false)
