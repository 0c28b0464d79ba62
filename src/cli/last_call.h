#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace tarn::cli {

/// Bounds what goes on while it lives: calls `give_up`, on a thread of its own, when it is not destroyed in time. For
/// the end of a server, whose engine cannot be interrupted everywhere and whose store may hang.
class LastCall {
 public:
  /// `clock` outlives it.
  LastCall(Clock& clock, int64_t patience_micros, std::function<void()> give_up);
  ~LastCall();
  LastCall(const LastCall&) = delete;
  LastCall& operator=(const LastCall&) = delete;

 private:
  Mutex mutex_;
  CondVar wake_;
  bool ended_ GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace tarn::cli
