#include "delta/log/interval.h"

#include <gtest/gtest.h>

namespace tarn::delta {
namespace {

TEST(Interval, ReadsWhatSparkWrites) {
  constexpr int64_t kHour = 3'600'000;
  EXPECT_EQ(*ParseIntervalMillis("interval 1 week"), 7 * 24 * kHour);
  EXPECT_EQ(*ParseIntervalMillis("interval 30 days"), 30 * 24 * kHour);
  EXPECT_EQ(*ParseIntervalMillis("7 DAYS"), 7 * 24 * kHour);
  EXPECT_EQ(*ParseIntervalMillis(" interval  6 hours 30 minutes 1 second "), 6 * kHour + 1'801'000);
  EXPECT_EQ(*ParseIntervalMillis("interval 0 seconds"), 0);
  EXPECT_EQ(*ParseIntervalMillis("interval 1500 microseconds 2 milliseconds"), 3);
}

TEST(Interval, RefusesTheRest) {
  for (const char* text : {"", "interval", "7", "days 7", "interval 1 month", "interval 1 year", "interval -1 days",
                           "interval 1.5 days", "interval 1 day 2", "interval 99999999999999 weeks", "P7D"}) {
    EXPECT_TRUE(ParseIntervalMillis(text).status().Is(StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace tarn::delta
