#include "engine/change_turns.h"

#include <algorithm>

namespace tarn::engine {
namespace {

/// A statement that takes longer than this must not keep the others of its table away.
constexpr int64_t kMaxWaitMicros = 30 * kMicrosPerSecond;

}  // namespace

void ChangeTurns::AwaitOthers(const std::string& table, const std::atomic<bool>& stop) {
  const int64_t until = clock_.MonotonicMicros() + kMaxWaitMicros;
  MutexLock lock(mutex_);
  while (!stop && lines_.contains(table) && clock_.WaitUntil(changed_, mutex_, until)) {
  }
}

void ChangeTurns::Take(const std::string& table, const void* who, const std::atomic<bool>& stop) {
  const int64_t until = clock_.MonotonicMicros() + kMaxWaitMicros;
  MutexLock lock(mutex_);
  auto& line = lines_[table];
  if (std::find(line.begin(), line.end(), who) == line.end()) line.push_back(who);
  while (!stop && line.front() != who && clock_.WaitUntil(changed_, mutex_, until)) {
  }
}

void ChangeTurns::GiveBack(const std::string& table, const void* who) {
  MutexLock lock(mutex_);
  const auto line = lines_.find(table);
  if (line == lines_.end()) return;
  std::erase(line->second, who);
  if (line->second.empty()) lines_.erase(line);
  changed_.notify_all();
}

void ChangeTurns::Wake() {
  MutexLock lock(mutex_);
  changed_.notify_all();
}

}  // namespace tarn::engine
