#include "engine/admission.h"

#include <algorithm>

namespace tarn::engine {

namespace {
/// A waiter without deadline looks around this often; the value has no effect on the outcome.
constexpr int64_t kIdleWaitMicros = 3600 * kMicrosPerSecond;
}  // namespace

Result<Admission::Slot> Admission::Enter(const std::string& principal, int64_t deadline_monotonic_micros,
                                         const std::atomic<bool>& stopped) {
  MutexLock lock(mutex_);
  if (running_ < max_running_ && waiting_.empty()) {
    ++running_;
    ++running_by_principal_[principal];
    return Slot(this, principal);
  }
  if (static_cast<int>(waiting_.size()) >= max_waiting_) {
    return Status::ResourceExhausted("too many queries are waiting (" + std::to_string(max_waiting_) + ")");
  }
  Waiter waiter;
  waiter.principal = principal;
  auto place = waiting_.insert(waiting_.end(), &waiter);
  while (!waiter.admitted) {
    const int64_t now = clock_.MonotonicMicros();
    const bool expired = deadline_monotonic_micros != 0 && now >= deadline_monotonic_micros;
    if (expired || stopped.load()) {
      waiting_.erase(place);
      if (stopped.load()) return Status::Cancelled("the query was cancelled while it waited");
      return Status::DeadlineExceeded("the query's time ran out while it waited for others");
    }
    clock_.WaitUntil(waiter.wake, mutex_,
                     deadline_monotonic_micros != 0 ? deadline_monotonic_micros : now + kIdleWaitMicros);
  }
  return Slot(this, principal);
}

void Admission::WakeAll() {
  MutexLock lock(mutex_);
  for (Waiter* waiter : waiting_) waiter->wake.notify_one();
}

void Admission::Leave(const std::string& principal) {
  MutexLock lock(mutex_);
  --running_;
  auto count = running_by_principal_.find(principal);
  TARN_CHECK(count != running_by_principal_.end());
  if (--count->second == 0) running_by_principal_.erase(count);
  AdmitWaiting();
}

void Admission::AdmitWaiting() {
  while (running_ < max_running_ && !waiting_.empty()) {
    auto running_of = [this](const Waiter* waiter) REQUIRES(mutex_) {
      auto found = running_by_principal_.find(waiter->principal);
      return found == running_by_principal_.end() ? 0 : found->second;
    };
    // Of equals the one that came first.
    auto next = waiting_.begin();
    for (auto each = waiting_.begin(); each != waiting_.end(); ++each) {
      if (running_of(*each) < running_of(*next)) next = each;
    }
    Waiter* waiter = *next;
    waiting_.erase(next);
    ++running_;
    ++running_by_principal_[waiter->principal];
    waiter->admitted = true;
    waiter->wake.notify_one();
  }
}

int64_t Admission::running() const {
  MutexLock lock(mutex_);
  return running_;
}

int64_t Admission::waiting() const {
  MutexLock lock(mutex_);
  return static_cast<int64_t>(waiting_.size());
}

}  // namespace tarn::engine
