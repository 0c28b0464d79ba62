#include "ingest/precision.h"

#include <gtest/gtest.h>

#include "ingest/numbers.h"

namespace tarn::ingest {
namespace {

TEST(ParsePrecision, KnowsTheNamesOfEachApi) {
  for (const WriteApi api : {WriteApi::kV1, WriteApi::kV2, WriteApi::kV3}) {
    for (const char* text : {"ns", "n", "nanosecond", "nanoseconds"}) {
      EXPECT_EQ(*ParsePrecision(text, api), Precision::kNanoseconds) << text;
    }
    for (const char* text : {"us", "u", "\u00b5", "\u03bc", "microsecond", "microseconds"}) {
      EXPECT_EQ(*ParsePrecision(text, api), Precision::kMicroseconds) << text;
    }
    for (const char* text : {"ms", "millisecond", "milliseconds"}) {
      EXPECT_EQ(*ParsePrecision(text, api), Precision::kMilliseconds) << text;
    }
    for (const char* text : {"s", "second", "seconds"}) {
      EXPECT_EQ(*ParsePrecision(text, api), Precision::kSeconds) << text;
    }
    for (const char* text : {"NS", "M", "min", " ns", "seconds ", "1s", "\xff"}) {
      EXPECT_EQ(ParsePrecision(text, api).status().code(), StatusCode::kInvalidArgument) << text;
    }
  }
}

TEST(ParsePrecision, OnlyTheFirstApiCountsMinutesAndHours) {
  EXPECT_EQ(*ParsePrecision("m", WriteApi::kV1), Precision::kMinutes);
  EXPECT_EQ(*ParsePrecision("h", WriteApi::kV1), Precision::kHours);
  for (const WriteApi api : {WriteApi::kV2, WriteApi::kV3}) {
    EXPECT_FALSE(ParsePrecision("m", api).ok());
    EXPECT_FALSE(ParsePrecision("h", api).ok());
  }
  int64_t nanos = 0;
  EXPECT_TRUE(ToNanos(-2, Precision::kMinutes, nanos));
  EXPECT_EQ(nanos, -120'000'000'000);
  EXPECT_TRUE(ToNanos(2'562'047, Precision::kHours, nanos));
  EXPECT_EQ(nanos, 2'562'047 * 3'600'000'000'000);
  EXPECT_FALSE(ToNanos(2'562'048, Precision::kHours, nanos));
  EXPECT_EQ(TruncateNanos(3'700'000'000'000, Precision::kHours), 3'600'000'000'000);
}

TEST(ParsePrecision, OnlyTheThirdApiGuesses) {
  EXPECT_EQ(*ParsePrecision("", WriteApi::kV1), Precision::kNanoseconds);
  EXPECT_EQ(*ParsePrecision("", WriteApi::kV2), Precision::kNanoseconds);
  EXPECT_EQ(*ParsePrecision("", WriteApi::kV3), Precision::kAuto);
  EXPECT_EQ(*ParsePrecision("auto", WriteApi::kV3), Precision::kAuto);
  EXPECT_FALSE(ParsePrecision("auto", WriteApi::kV1).ok());
  EXPECT_FALSE(ParsePrecision("auto", WriteApi::kV2).ok());
}

TEST(TruncateNanos, RoundsDownAlsoBeforeTheEpoch) {
  EXPECT_EQ(TruncateNanos(-1, Precision::kSeconds), -1'000'000'000);
  EXPECT_EQ(TruncateNanos(-1, Precision::kNanoseconds), -1);
  EXPECT_EQ(TruncateNanos(1'999, Precision::kMicroseconds), 1'000);
  EXPECT_EQ(TruncateNanos(1'999, Precision::kAuto), 1'999);
}

}  // namespace
}  // namespace tarn::ingest
