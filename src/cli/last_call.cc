#include "cli/last_call.h"

#include <utility>

namespace tarn::cli {

LastCall::LastCall(Clock& clock, int64_t patience_micros, std::function<void()> give_up) {
  // Counts from here, not from when the thread first runs.
  const int64_t deadline = clock.MonotonicMicros() + patience_micros;
  thread_ = Thread("tarn-last-call", [this, &clock, deadline, give_up = std::move(give_up)] {
    {
      MutexLock lock(mutex_);
      while (!ended_ && clock.MonotonicMicros() < deadline) clock.WaitUntil(wake_, mutex_, deadline);
      if (ended_) return;
    }
    give_up();
  });
}

LastCall::~LastCall() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    wake_.notify_all();
  }
  thread_.Join();
}

}  // namespace tarn::cli
