#include "cli/stop_signals.h"

#include <unistd.h>

#include "base/executor.h"

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

Status StopSignals::Run(const std::function<Status()>& work, const std::function<void(int signal)>& on_stop) {
  Status status;
  Thread worker("tarn-work", [&] {
    status = work();
    kill(getpid(), DoneSignal());
  });
  if (const int signal = Wait(); signal != DoneSignal()) {
    EndAtOnce();
    on_stop(signal);
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
