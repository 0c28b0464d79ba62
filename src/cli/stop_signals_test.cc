#include "cli/stop_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/clock.h"

namespace tarn::cli {
namespace {

TEST(StopSignals, WorkThatHasEndedWasNotStopped) {
  StopSignals signals;
  int stops = 0;
  // As a server that is asked to stop as soon as it answers, before its opening has returned: it has rows by then.
  const Status ran = signals.Run(
      [] {
        kill(getpid(), SIGTERM);
        return Status::Ok();
      },
      [&](int) { ++stops; }, /*patience_micros=*/60 * kMicrosPerSecond);
  EXPECT_TRUE(ran.ok());
  EXPECT_EQ(stops, 0);
  EXPECT_EQ(signals.Wait(), SIGTERM);
}

}  // namespace
}  // namespace tarn::cli
