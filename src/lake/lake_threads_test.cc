#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::RowCountOf;

// Appenders, a flusher and readers at once: a count never falls, never lags an acknowledgement that came before the
// pin, and never exceeds what was sent before the count was read.
TEST(LakeThreads, CountsNeverFallLagOrOvershoot) {
  constexpr int kAppenders = 4;
  constexpr int kAppendsEach = 100;
  LakeWorld world;
  ThreadPool pool({.name = "lake-test", .threads = 2});
  auto options = world.Options();
  options.clock = &SystemClock();
  options.executor = &pool;
  options.flush = {.max_age_micros = 2 * kMicrosPerMilli, .max_rows = 100, .max_bytes = 1 << 20};
  options.checkpoint_interval = 7;
  auto lake = std::move(*world.Open(options));

  std::atomic<int64_t> sent = 0;
  std::atomic<int64_t> acknowledged = 0;
  std::atomic<int> appending = kAppenders;
  std::atomic<bool> wrong = false;
  {
    std::vector<std::jthread> threads;
    for (int appender = 0; appender < kAppenders; ++appender) {
      threads.emplace_back([&, appender] {
        for (int64_t i = 0; i < kAppendsEach; ++i) {
          const int64_t id = appender * 1000 + i;
          sent += 3;
          const auto appended =
              lake->Append({{kTable, MakeRows({.ids = {id * 10, id * 10 + 1, id * 10 + 2}, .day = i % 2})}});
          if (!appended.ok()) wrong = true;
          acknowledged += 3;
        }
        --appending;
      });
    }
    threads.emplace_back([&] {
      while (appending > 0) {
        if (!lake->FlushAll().ok()) wrong = true;
      }
    });
    for (int reader = 0; reader < 2; ++reader) {
      threads.emplace_back([&] {
        int64_t last = 0;
        while (appending > 0) {
          const int64_t floor = acknowledged;
          const auto view = lake->Pin(kTable, std::nullopt);
          const int64_t count = view.ok() ? RowCountOf(**view) : 0;
          const int64_t ceiling = sent;
          if (count < last || count < floor || count > ceiling) wrong = true;
          last = count;
        }
      });
    }
  }
  EXPECT_FALSE(wrong);
  ASSERT_TRUE(lake->FlushAll().ok());
  const auto view = *lake->Pin(kTable, std::nullopt);
  EXPECT_TRUE(view->segments.empty());
  EXPECT_EQ(RowCountOf(*view), kAppenders * kAppendsEach * 3);
  lake->Close();
}

// On a slow disk a shutdown must not wait for one table after the other: with four threads and this one, five tables
// are under way at once, which each of them waits for.
TEST(LakeThreads, FlushAllWorksOnSeveralTablesAtOnce) {
  constexpr int kThreads = 4;
  constexpr int64_t kTables = 100;
  LakeWorld world;
  Mutex mutex;
  CondVar changed;
  int under_way = 0;
  int most = 0;
  bool counting = false;
  world.at_point = [&](std::string_view point) {
    MutexLock guard(mutex);
    if (!counting) return Status::Ok();
    if (point == "before-commit") {
      most = std::max(most, ++under_way);
      changed.notify_all();
      while (most <= kThreads) changed.wait(mutex);
    }
    if (point == "after-commit") --under_way;
    return Status::Ok();
  };
  ThreadPool pool({.name = "lake-test", .threads = kThreads});
  auto options = world.Options();
  options.executor = &pool;
  auto lake = std::move(*world.Open(options));
  for (int64_t i = 0; i < kTables; ++i) {
    ASSERT_TRUE(lake->Append({{{"db", "t" + std::to_string(i)}, MakeRows({.ids = {i}})}}).ok());
  }
  {
    MutexLock guard(mutex);
    counting = true;
  }
  // One table cannot be committed now: the others are, and its row stays in the log.
  ASSERT_TRUE(world.store->Put("db/t7/_delta_log/00000000000000000000.json", AsBytes("{"), {}).ok());
  EXPECT_EQ(lake->FlushAll().code(), StatusCode::kCorruption);
  EXPECT_EQ(most, kThreads + 1);
  EXPECT_EQ(lake->stats().rows_flushed, kTables - 1);
  lake.reset();
  ASSERT_TRUE(world.store->Delete("db/t7/_delta_log/00000000000000000000.json").ok());
  lake = std::move(*world.Open());
  EXPECT_EQ(testing::IdsIn(*lake, {"db", "t7"}), testing::Ids{7});
  EXPECT_EQ(lake->stats().buffered_rows, 1);
}

}  // namespace
}  // namespace tarn::lake
