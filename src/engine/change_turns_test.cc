#include "engine/change_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "base/executor.h"

namespace tarn::engine {
namespace {

constexpr char kTable[] = "db.t";

TEST(ChangeTurns, TurnsAreInOrderAndOthersBeginBehindThem) {
  ChangeTurns turns(SystemClock());
  const std::atomic<bool> stop = false;
  const int first = 1;
  const int second = 2;
  turns.AwaitOthers(kTable, stop);
  turns.Take(kTable, &first, stop);
  turns.Take(kTable, &first, stop);
  turns.AwaitOthers("db.u", stop);
  Mutex mutex;
  std::string order;
  const auto note = [&](char what) {
    MutexLock lock(mutex);
    order += what;
  };
  Thread behind("behind", [&] {
    turns.Take(kTable, &second, stop);
    note('2');
    turns.GiveBack(kTable, &second);
  });
  Thread newcomer("newcomer", [&] {
    turns.AwaitOthers(kTable, stop);
    note('n');
  });
  note('1');
  turns.GiveBack(kTable, &first);
  behind.Join();
  newcomer.Join();
  EXPECT_EQ(order.front(), '1');
  EXPECT_EQ(order.size(), 3U);
  turns.AwaitOthers(kTable, stop);
}

TEST(ChangeTurns, WaitsAreStoppedAndBounded) {
  FakeClock clock;
  ChangeTurns turns(clock);
  std::atomic<bool> stop = false;
  const int holder = 1;
  const int other = 2;
  turns.Take(kTable, &holder, stop);
  Thread waiting("waiting", [&] { turns.Take(kTable, &other, stop); });
  stop = true;
  turns.Wake();
  waiting.Join();
  turns.GiveBack(kTable, &other);
  const std::atomic<bool> never = false;
  std::atomic<bool> done = false;
  Thread patient("patient", [&] {
    turns.AwaitOthers(kTable, never);
    done = true;
  });
  while (!done) clock.Advance(kMicrosPerSecond);
  patient.Join();
}

}  // namespace
}  // namespace tarn::engine
