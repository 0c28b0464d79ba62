#include "cli/stop_signals.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace tarn::cli {
namespace {

/// Tells that Run's work has ended; nobody else sends it.
int DoneSignal() { return SIGRTMIN; }

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGINT);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, DoneSignal());
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int StopSignals::Wait() {
  int signal = 0;
  while (sigwait(&set_, &signal) != 0) {
  }
  return signal;
}

Status StopSignals::Run(const std::function<Status()>& work, const std::function<void(int signal)>& on_stop,
                        int64_t patience_micros) {
  Status status;
  Mutex mutex;
  CondVar ended;
  bool has_ended = false;
  Thread worker("tarn-work", [&] {
    status = work();
    {
      MutexLock lock(mutex);
      has_ended = true;
      ended.notify_all();
    }
    kill(getpid(), DoneSignal());
  });
  const int signal = Wait();
  if (signal != DoneSignal()) {
    bool in_time = false;
    {
      MutexLock lock(mutex);
      const int64_t deadline = SystemClock().MonotonicMicros() + patience_micros;
      while (!has_ended && SystemClock().MonotonicMicros() < deadline) {
        SystemClock().WaitUntil(ended, mutex, deadline);
      }
      in_time = has_ended;
    }
    if (!in_time) {
      EndAtOnce();
      on_stop(signal);
    } else {
      worker.Join();
      sigset_t done;
      sigemptyset(&done);
      sigaddset(&done, DoneSignal());
      int taken = 0;
      while (sigwait(&done, &taken) != 0) {
      }
      kill(getpid(), signal);
    }
  }
  worker.Join();
  return status;
}

void StopSignals::EndAtOnce() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { _exit(128 + signal); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
}

}  // namespace tarn::cli
