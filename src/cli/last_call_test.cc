#include "cli/last_call.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>

namespace tarn::cli {
namespace {

constexpr int64_t kPatience = 5 * kMicrosPerSecond;

/// A query that no interrupt reaches: whoever takes it down waits for it.
class StuckQuery {
 public:
  explicit StuckQuery(std::future<void> end) : end_(std::move(end)) {}
  ~StuckQuery() { end_.wait(); }

 private:
  std::future<void> end_;
};

TEST(LastCall, AQueryThatDoesNotEndIsGivenUpInTime) {
  FakeClock clock;
  std::promise<void> end;
  std::promise<void> taking_down;
  std::promise<void> given_up;
  Thread server("server", [&] {
    auto query = std::make_unique<StuckQuery>(end.get_future());
    const LastCall last_call(clock, kPatience, [&] { given_up.set_value(); });
    taking_down.set_value();
    query.reset();
  });
  taking_down.get_future().wait();
  auto was_given_up = given_up.get_future();
  clock.Advance(kPatience - 1);
  EXPECT_EQ(was_given_up.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  clock.Advance(1);
  was_given_up.wait();
  end.set_value();
  server.Join();
}

TEST(LastCall, WhatEndsInTimeIsLeftAlone) {
  FakeClock clock;
  bool given_up = false;
  {
    const LastCall last_call(clock, kPatience, [&] { given_up = true; });
    clock.Advance(kPatience - 1);
  }
  clock.Advance(kPatience);
  EXPECT_FALSE(given_up);
}

}  // namespace
}  // namespace tarn::cli
