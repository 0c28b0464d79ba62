#pragma once

#include <csignal>
#include <cstdint>
#include <functional>

#include "base/status.h"

namespace tarn::cli {

/// SIGINT and SIGTERM, taken by whoever asks instead of ending the process; SIGPIPE is ignored, so that a closed pipe
/// is an error of its writer. To be made before any thread begins, because all threads inherit the mask. One a process.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Waits for one of the two and returns it.
  int Wait();
  /// Runs `work` on a thread of its own. On a signal meanwhile calls `on_stop`, after which a second signal ends the
  /// process at once, and waits for `work` to end. Work that ends within `patience_micros` of the signal counts as
  /// ended before it, whatever its end made others do: the signal is for the next Wait.
  Status Run(const std::function<Status()>& work, const std::function<void(int signal)>& on_stop,
             int64_t patience_micros = 0);
  /// From here on a signal ends the process at once.
  void EndAtOnce();

  static const char* Name(int signal) { return signal == SIGINT ? "SIGINT" : "SIGTERM"; }

 private:
  sigset_t set_{};
};

}  // namespace tarn::cli
