#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/random.h"
#include "storage/testing/simulated_segments.h"
#include "wal/testing/replayed.h"
#include "wal/wal.h"

namespace tarn::wal {
namespace {

using storage::testing::SimulatedSegments;
using testing::Record;

constexpr int kSeeds = 150;
constexpr int kLives = 6;
constexpr int kThreads = 3;
constexpr int kAppendsPerLife = 25;

/// What must be in the log, as those who appended know it. Payloads are unique.
class Model {
 public:
  void Acknowledged(Position last, const std::vector<std::string>& payloads) {
    MutexLock lock(mutex_);
    for (size_t i = 0; i < payloads.size(); ++i) {
      ASSERT_TRUE(durable_.emplace(last - payloads.size() + 1 + i, payloads[i]).second);
    }
  }
  void Tried(const std::vector<std::string>& payloads) {
    MutexLock lock(mutex_);
    for (const std::string& payload : payloads) appends_[payload] = payloads;
  }
  void Released(Position position) {
    MutexLock lock(mutex_);
    released_ = std::max(released_, position);
  }

  /// Compares a replay with all that was promised, and takes what survived for durable from now on.
  void Check(const std::map<Position, std::string>& replayed, Position end) {
    MutexLock lock(mutex_);
    ASSERT_TRUE(durable_.empty() || end >= durable_.rbegin()->first);
    const Position first = replayed.empty() ? end + 1 : replayed.begin()->first;
    ASSERT_LE(first, released_ + 1);
    ASSERT_EQ(replayed.size(), end + 1 - first);
    std::set<std::string> seen;
    for (const auto& [position, payload] : replayed) {
      ASSERT_TRUE(seen.insert(payload).second) << payload << " twice";
      const auto durable = durable_.find(position);
      ASSERT_TRUE(durable == durable_.end() || payload == durable->second) << "at " << position;
      ASSERT_TRUE(appends_.contains(payload)) << payload;
    }
    for (const auto& [position, payload] : replayed) {
      // Its whole append is there, in order; its beginning may have been released.
      const std::vector<std::string>& append = appends_[payload];
      const size_t index = static_cast<size_t>(std::find(append.begin(), append.end(), payload) - append.begin());
      for (size_t i = 0; i < append.size(); ++i) {
        const Position other = position - index + i;
        if (other < first) continue;
        ASSERT_TRUE(replayed.contains(other) && replayed.at(other) == append[i]) << append[i];
      }
    }
    for (const auto& [position, payload] : replayed) durable_[position] = payload;
  }

 private:
  Mutex mutex_;
  std::map<Position, std::string> durable_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> appends_ GUARDED_BY(mutex_);
  Position released_ GUARDED_BY(mutex_) = 0;
};

/// Appends until the log stops or enough was written; `acknowledged` is called after each success.
void AppendMany(Wal& wal, Model& model, const std::string& name, uint64_t seed,
                const std::function<void()>& acknowledged) {
  Random random(seed);
  std::shared_ptr<const SchemaEntry> schema = wal.DefineSchema("schema of " + name);
  for (int i = 0; i < kAppendsPerLife; ++i) {
    if (random.Below(5) == 0) schema = wal.DefineSchema("another of " + name);
    std::vector<std::string> payloads;
    for (uint64_t k = 0; k <= random.Below(3); ++k) {
      payloads.push_back(name + "/" + std::to_string(i) + "/" + std::to_string(k) +
                         std::string(random.Below(700), '.'));
    }
    model.Tried(payloads);
    std::vector<NewRecord> records;
    for (const std::string& payload : payloads) records.push_back(Record(schema, payload));
    const Result<Position> last = wal.Append(std::move(records));
    if (!last.ok()) {
      ASSERT_EQ(last.status().code(), StatusCode::kUnavailable);
      return;
    }
    model.Acknowledged(*last, payloads);
    acknowledged();
    if (random.Below(8) == 0) {
      const Position position = *last - std::min<Position>(*last, random.Below(20));
      model.Released(position);
      (void)(random.Below(2) == 0 ? wal.ReleaseAtEnd(position) : wal.Release(position));
    }
  }
}

TEST(WalCrash, EveryAcknowledgedRecordIsThereExactlyOnceAndInOrder) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    FakeClock clock;
    const auto disk = std::make_shared<SimulatedSegments>(seed);
    WalOptions options;
    options.segment_bytes = 1500 + static_cast<int64_t>(random.Below(6000));
    options.max_group_bytes = 3000;
    Model model;
    for (int life = 0; life < kLives; ++life) {
      std::map<Position, std::string> replayed;
      const auto wal = Wal::Open(disk, options, clock, random, [&](const ReplayedRecord& record) {
        EXPECT_TRUE(replayed.emplace(record.position, AsText(record.payload)).second);
        return Status::Ok();
      });
      ASSERT_TRUE(wal.ok()) << wal.status().ToString();
      ASSERT_NO_FATAL_FAILURE(model.Check(replayed, (*wal)->end()));
      const int64_t stop_after = 1 + static_cast<int64_t>(random.Below(60));
      const uint64_t death = random.Below(3);
      if (death == 2) disk->FailSync(stop_after / 2 + 1);
      // The others are in the middle of their appends when one of them meets its death.
      std::atomic<int64_t> appends = 0;
      const auto acknowledged = [&] {
        if (++appends != stop_after) return;
        if (death == 0) disk->LosePower();
        if (death == 1) disk->KillProcess();
      };
      {
        std::vector<Thread> threads;
        for (int t = 0; t < kThreads; ++t) {
          threads.emplace_back("appender", [&, t, thread_seed = random.Next()] {
            AppendMany(**wal, model, std::to_string(life) + "/" + std::to_string(t), thread_seed, acknowledged);
          });
        }
      }
      disk->FailSync(0);
      // However it died, the machine may go down before the next start.
      if (random.Below(2) == 0) disk->LosePower();
      disk->KillProcess();
    }
  }
}

}  // namespace
}  // namespace tarn::wal
