#include "lake/row_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/random.h"
#include "storage/testing/simulated_segments.h"

namespace tarn::lake {
namespace {

class CountedLock final : public storage::FolderLock {
 public:
  explicit CountedLock(std::atomic<int>& given_up) : given_up_(given_up) {}
  ~CountedLock() override { ++given_up_; }

 private:
  std::atomic<int>& given_up_;
};

TEST(RowLog, ItsFolderIsGivenUpOnceWhoeverEndsIt) {
  // As a flush and a look for dead logs that end at the same time.
  for (int i = 0; i < 50; ++i) {
    std::atomic<int> given_up = 0;
    std::atomic<int> ready = 0;
    RowLog log("node-1", std::make_unique<CountedLock>(given_up),
               std::make_shared<storage::testing::SimulatedSegments>(1));
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&log, &ready, thread] {
          Random random(static_cast<uint64_t>(thread));
          ++ready;
          while (ready < 4) std::this_thread::yield();
          EXPECT_TRUE(log.TryAbandon(random));
        });
      }
    }
    EXPECT_EQ(given_up, 1);
  }
}

}  // namespace
}  // namespace tarn::lake
