#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace tarn::engine {

/// Keeps statements of one process that change rows of one table from starving each other: one that lost to another
/// commit runs again by turns with its like, and others of the table begin behind them. So a statement loses at most
/// once to each that had begun before its turn. Waits are bounded and can be stopped; whoever has waited for long
/// enough goes on. Thread-safe.
class ChangeTurns {
 public:
  /// Its waits are real time.
  explicit ChangeTurns(Clock& clock) : clock_(clock) {}

  /// Before the first run: waits while others of the table run again. Returns early once `stop` is true.
  void AwaitOthers(const std::string& table, const std::atomic<bool>& stop) EXCLUDES(mutex_);
  /// Before a further run: waits for the turn of `who`, in order of the first call. It lasts until GiveBack.
  void Take(const std::string& table, const void* who, const std::atomic<bool>& stop) EXCLUDES(mutex_);
  /// Also of one that has none.
  void GiveBack(const std::string& table, const void* who) EXCLUDES(mutex_);
  /// To be called when a `stop` has become true.
  void Wake() EXCLUDES(mutex_);

 private:
  Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  /// Those that lost, by table; the first of each has its turn.
  std::map<std::string, std::deque<const void*>> lines_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
