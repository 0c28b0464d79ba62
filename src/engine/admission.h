#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace tarn::engine {

/// Decides which query runs next: at most `max_running` at once, the rest wait. A free slot goes to the principal that
/// has the fewest running, and among its queries, or those of equals, to the one that came first. Thread-safe.
class Admission {
 public:
  Admission(int max_running, int max_waiting, Clock& clock)
      : max_running_(max_running), max_waiting_(max_waiting), clock_(clock) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// The right to run, given back on destruction. The Admission must outlive it.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), principal_(std::move(other.principal_)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(principal_, other.principal_);
      return *this;
    }
    ~Slot() {
      if (admission_ != nullptr) admission_->Leave(principal_);
    }

   private:
    friend class Admission;
    Slot(Admission* admission, std::string principal) : admission_(admission), principal_(std::move(principal)) {}
    Admission* admission_ = nullptr;
    std::string principal_;
  };

  /// Waits for a slot. ResourceExhausted when too many wait already, DeadlineExceeded when the time (0 is none) has
  /// come, Cancelled when `stopped` was set before; whoever sets it calls WakeAll.
  Result<Slot> Enter(const std::string& principal, int64_t deadline_monotonic_micros, const std::atomic<bool>& stopped)
      EXCLUDES(mutex_);
  void WakeAll() EXCLUDES(mutex_);

  int64_t running() const EXCLUDES(mutex_);
  int64_t waiting() const EXCLUDES(mutex_);

 private:
  struct Waiter {
    std::string principal;
    CondVar wake;
    bool admitted = false;
  };

  void Leave(const std::string& principal) EXCLUDES(mutex_);
  /// Gives free slots to waiters.
  void AdmitWaiting() REQUIRES(mutex_);

  const int max_running_;
  const int max_waiting_;
  Clock& clock_;
  mutable Mutex mutex_;
  int running_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, int> running_by_principal_ GUARDED_BY(mutex_);
  /// In order of arrival; the waiting threads own the elements.
  std::list<Waiter*> waiting_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
