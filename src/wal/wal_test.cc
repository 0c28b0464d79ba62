#include "wal/wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/simulated_segments.h"
#include "storage/testing/temp_folder.h"
#include "wal/format.h"
#include "wal/testing/replayed.h"

namespace tarn::wal {
namespace {

using storage::testing::SimulatedSegments;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Record;
using testing::Replayed;

class WalTest : public ::testing::Test {
 protected:
  WalTest() { options_.segment_bytes = 64 << 10; }

  std::unique_ptr<Wal> Open() {
    replayed_ = {};
    return Wal::Open(segments_, options_, clock_, random_, replayed_.visitor()).value();
  }
  std::vector<std::string> ReadOnly() {
    Replayed replayed;
    std::string uuid;
    EXPECT_TRUE(Wal::ReadOnly(*segments_, &uuid, replayed.visitor()).ok());
    return replayed.records;
  }
  static Status AppendOne(Wal& wal, std::string_view payload) {
    return wal.Append({Record(wal.DefineSchema("S"), payload)}).status();
  }

  std::shared_ptr<SimulatedSegments> disk_ = std::make_shared<SimulatedSegments>(1);
  std::shared_ptr<storage::SegmentStore> segments_ = disk_;
  WalOptions options_;
  FakeClock clock_;
  Random random_{1};
  Replayed replayed_;
};

TEST_F(WalTest, ReplaysWhatWasAppended) {
  std::string uuid;
  {
    const auto wal = Open();
    uuid = wal->uuid();
    const auto a = wal->DefineSchema("A");
    const auto b = wal->DefineSchema("B");
    EXPECT_NE(a->id, b->id);
    EXPECT_EQ(wal->end(), 0u);
    EXPECT_EQ(wal->Append({Record(a, "one", "key")}).value(), 1u);
    EXPECT_EQ(wal->Append({Record(b, "two"), Record(a, "")}).value(), 3u);
    EXPECT_EQ(wal->end(), 3u);
    const WalStats stats = wal->stats();
    EXPECT_EQ(stats.records_appended, 3);
    EXPECT_EQ(stats.syncs, 2);
    EXPECT_EQ(stats.segments, 1);
    EXPECT_EQ(stats.bytes, internal::kSegmentHeaderBytes + stats.bytes_appended);
  }
  const auto wal = Open();
  EXPECT_EQ(wal->uuid(), uuid);
  EXPECT_THAT(replayed_.records, ElementsAre("1:A:key:one", "2:B::two", "3:A::"));
  EXPECT_EQ(wal->end(), 3u);
  const auto c = wal->DefineSchema("C");
  EXPECT_EQ(c->id, 3u);
  EXPECT_EQ(wal->Append({Record(c, "four")}).value(), 4u);
  EXPECT_THAT(ReadOnly(), ElementsAre("1:A:key:one", "2:B::two", "3:A::", "4:C::four"));
}

TEST_F(WalTest, PayloadPiecesBecomeOnePayload) {
  const auto wal = Open();
  const std::string large(9 << 20, 'x');
  ASSERT_TRUE(wal->Append({{wal->DefineSchema("S"), "k", {AsBytes("a"), {}, AsBytes(large), AsBytes("bc")}}}).ok());
  ASSERT_TRUE(AppendOne(*wal, "after").ok());
  EXPECT_THAT(ReadOnly(), ElementsAre("1:S:k:a" + large + "bc", "2:S::after"));
}

TEST_F(WalTest, RefusesWhatTheFormatCannotHold) {
  const auto wal = Open();
  const auto schema = wal->DefineSchema("S");
  const std::string megabyte(1 << 20, 'x');
  NewRecord record{schema, "", std::vector<ByteSpan>(64, AsBytes(megabyte))};
  record.payload.push_back(AsBytes("x"));
  EXPECT_EQ(wal->Append({record}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(wal->Append({Record(schema, "", std::string(65536, 'k'))}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(wal->Append({Record(nullptr, "")}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(wal->Append({}).status().code(), StatusCode::kInvalidArgument);
  record.payload.pop_back();
  EXPECT_EQ(wal->Append({record}).value(), 1u);
  EXPECT_EQ(wal->Append({Record(schema, "", std::string(65535, 'k'))}).value(), 2u);
}

TEST_F(WalTest, EverySegmentStandsAlone) {
  options_.segment_bytes = 256;
  {
    const auto wal = Open();
    const auto schema = wal->DefineSchema("S");
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(wal->Append({Record(schema, "payload")}).ok());
    EXPECT_GT(wal->stats().segments, 5);
    ASSERT_TRUE(wal->Release(17).ok());
  }
  const auto wal = Open();
  ASSERT_FALSE(replayed_.records.empty());
  EXPECT_LE(replayed_.records.size(), 16u);
  EXPECT_GE(replayed_.records.size(), 13u);
  EXPECT_EQ(replayed_.records.back(), "30:S::payload");
}

TEST_F(WalTest, NumberingSurvivesTheReleaseOfEverything) {
  options_.segment_bytes = 256;
  std::string uuid;
  {
    const auto wal = Open();
    uuid = wal->uuid();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(AppendOne(*wal, "payload").ok());
    ASSERT_TRUE(wal->Release(10).ok());
    EXPECT_GT(wal->stats().segments, 0);
    ASSERT_TRUE(wal->Release(1000).ok());
    EXPECT_EQ(wal->stats().segments, 0);
    EXPECT_EQ(wal->stats().bytes, 0);
    EXPECT_EQ(AppendOne(*wal, "x").code(), StatusCode::kOk);
    ASSERT_TRUE(wal->Release(21).ok());
  }
  const auto wal = Open();
  EXPECT_THAT(replayed_.records, ::testing::Each(::testing::StartsWith("21:")));
  EXPECT_EQ(wal->uuid(), uuid);
  EXPECT_EQ(wal->end(), 21u);
  EXPECT_EQ(wal->Append({Record(wal->DefineSchema("A"), "x")}).value(), 22u);
}

TEST_F(WalTest, NothingIsReplayedAfterAReleaseAtTheEnd) {
  {
    const auto wal = Open();
    ASSERT_TRUE(wal->ReleaseAtEnd(0).ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(AppendOne(*wal, "payload").ok());
    // What is still needed keeps its segment, and a release on the way keeps a small one.
    ASSERT_TRUE(wal->ReleaseAtEnd(2).ok());
    ASSERT_TRUE(wal->Release(3).ok());
    EXPECT_EQ(ReadOnly().size(), 3u);
    ASSERT_TRUE(wal->ReleaseAtEnd(3).ok());
    ASSERT_TRUE(wal->ReleaseAtEnd(3).ok());
    EXPECT_EQ(wal->stats().segments, 0);
    EXPECT_EQ(wal->stats().bytes, 0);
    EXPECT_THAT(ReadOnly(), IsEmpty());
    ASSERT_TRUE(AppendOne(*wal, "late").ok());
    EXPECT_THAT(ReadOnly(), ElementsAre("4:S::late"));
    ASSERT_TRUE(wal->ReleaseAtEnd(4).ok());
  }
  disk_->LosePower();
  const auto wal = Open();
  EXPECT_THAT(replayed_.records, IsEmpty());
  EXPECT_EQ(wal->end(), 4u);
  EXPECT_EQ(wal->Append({Record(wal->DefineSchema("S"), "x")}).value(), 5u);
}

TEST_F(WalTest, AReleaseThatIsCutShortIsFinishedOnOpening) {
  options_.segment_bytes = 256;
  for (const char* operation : {"write_file", "remove"}) {
    for (int64_t nth = 1; nth <= 4; ++nth) {
      disk_ = std::make_shared<SimulatedSegments>(1);
      const auto injector = std::make_shared<storage::testing::FaultInjector>();
      segments_ = storage::testing::MakeFaultySegments(disk_, injector);
      {
        const auto wal = Open();
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(AppendOne(*wal, "payload").ok());
        injector->Arm({.nth = nth, .mode = storage::testing::FaultMode::kForever, .operation = operation});
        const bool released = wal->Release(12).ok();
        EXPECT_EQ(released, !injector->fired());
      }
      injector->Disarm();
      const auto wal = Open();
      EXPECT_EQ(wal->end(), 20u);
      EXPECT_EQ(replayed_.records.back(), "20:S::payload");
      EXPECT_TRUE(AppendOne(*wal, "x").ok());
      EXPECT_TRUE(wal->Release(21).ok());
    }
  }
}

TEST_F(WalTest, ALimitOnTheTotalRefusesBeforeWriting) {
  options_.segment_bytes = 1024;
  options_.max_total_bytes = 4096;
  const auto wal = Open();
  const std::string payload(400, 'x');
  int written = 0;
  while (AppendOne(*wal, payload).ok()) ++written;
  EXPECT_GE(written, 5);
  EXPECT_EQ(AppendOne(*wal, payload).code(), StatusCode::kResourceExhausted);
  EXPECT_LE(wal->stats().bytes, 4096);
  EXPECT_EQ(ReadOnly().size(), static_cast<size_t>(written));
  // What fits still goes in, and room comes back with a release.
  ASSERT_TRUE(wal->Release(wal->end()).ok());
  EXPECT_TRUE(AppendOne(*wal, payload).ok());
  EXPECT_EQ(wal->end(), static_cast<Position>(written) + 1);
}

TEST_F(WalTest, AFullDiskRefusesAndRecoversWithRoom) {
  options_.segment_bytes = 1024;
  disk_->SetCapacity(4096);
  const auto wal = Open();
  const std::string payload(400, 'x');
  while (AppendOne(*wal, payload).ok()) {
  }
  EXPECT_EQ(AppendOne(*wal, payload).code(), StatusCode::kResourceExhausted);
  const Position end = wal->end();
  EXPECT_EQ(ReadOnly().size(), end);
  disk_->SetCapacity(8192);
  EXPECT_TRUE(AppendOne(*wal, payload).ok());
  EXPECT_EQ(wal->end(), end + 1);
}

TEST_F(WalTest, AFailedSyncStopsTheLogUntilItIsOpenedAnew) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    segments_ = disk_ = std::make_shared<SimulatedSegments>(seed);
    {
      const auto wal = Open();
      ASSERT_TRUE(AppendOne(*wal, "one").ok());
      disk_->FailSync(1);
      EXPECT_EQ(AppendOne(*wal, "two").code(), StatusCode::kUnavailable);
      EXPECT_EQ(AppendOne(*wal, "three").code(), StatusCode::kUnavailable);
      EXPECT_EQ(wal->end(), 1u);
    }
    const auto wal = Open();
    ASSERT_GE(replayed_.records.size(), 1u);
    EXPECT_EQ(replayed_.records[0], "1:S::one");
    const Position end = wal->end();
    EXPECT_LE(end, 2u);
    EXPECT_EQ(wal->Append({Record(wal->DefineSchema("S"), "four")}).value(), end + 1);
    disk_->LosePower();
    EXPECT_EQ(ReadOnly().size(), end + 1);
  }
}

TEST_F(WalTest, EveryFaultWhileAppendingLeavesALogThatOpens) {
  options_.segment_bytes = 256;
  using storage::testing::FaultMode;
  for (const FaultMode mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
    const int64_t swept = storage::testing::SweepFaults({.mode = mode}, [&](auto injector, const auto& arm) {
      disk_ = std::make_shared<SimulatedSegments>(7);
      segments_ = storage::testing::MakeFaultySegments(disk_, injector);
      std::vector<std::string> acknowledged;
      arm();
      {
        Replayed replayed;
        auto wal = Wal::Open(segments_, options_, clock_, random_, replayed.visitor());
        if (wal.ok()) {
          for (int i = 0; i < 8; ++i) {
            const std::string payload = "payload " + std::to_string(i);
            const auto position = (*wal)->Append({Record((*wal)->DefineSchema("S"), payload)});
            if (position.ok()) acknowledged.push_back(std::to_string(*position) + ":S::" + payload);
          }
          (void)(*wal)->Release(3);
        }
        disk_->LosePower();
      }
      segments_ = disk_;
      const auto wal = Open();
      for (const std::string& record : acknowledged) {
        const bool released = record[0] <= '3';
        EXPECT_EQ(std::count(replayed_.records.begin(), replayed_.records.end(), record) == 1 || released, true)
            << record;
      }
      EXPECT_TRUE(AppendOne(*wal, "after").ok());
    });
    EXPECT_GT(swept, 20);
  }
}

TEST_F(WalTest, ConcurrentAppendsShareSyncs) {
  const storage::testing::TempFolder folder;
  segments_ = storage::OpenLocalSegments(folder.path()).value();
  constexpr int kThreads = 8;
  constexpr int kAppends = 40;
  const auto wal = Open();
  const auto schema = wal->DefineSchema("S");
  std::vector<std::vector<Position>> positions(kThreads);
  {
    std::vector<Thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back("appender", [&, t] {
        for (int i = 0; i < kAppends; ++i) {
          const std::string payload = std::to_string(t) + "/" + std::to_string(i);
          positions[static_cast<size_t>(t)].push_back(wal->Append({Record(schema, payload)}).value());
        }
      });
    }
  }
  const std::vector<std::string> records = ReadOnly();
  ASSERT_EQ(records.size(), static_cast<size_t>(kThreads * kAppends));
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kAppends; ++i) {
      const Position position = positions[static_cast<size_t>(t)][static_cast<size_t>(i)];
      EXPECT_EQ(records[position - 1], std::to_string(position) + ":S::" + std::to_string(t) + "/" + std::to_string(i));
    }
  }
  EXPECT_LT(wal->stats().syncs, kThreads * kAppends);
}

TEST_F(WalTest, ReadingALiveLogSeesAPrefixThatOnlyGrows) {
  options_.segment_bytes = 2048;
  const auto wal = Open();
  const auto schema = wal->DefineSchema("S");
  constexpr Position kRecords = 400;
  Thread owner("owner", [&] {
    for (Position i = 1; i <= kRecords; ++i) {
      ASSERT_TRUE(wal->Append({Record(schema, std::string(i % 100, 'x'))}).ok());
      ASSERT_TRUE(i % 50 != 0 || wal->Release(i - 25).ok());
    }
  });
  Position seen = 0;
  while (seen < kRecords) {
    std::string uuid;
    Position last = 0;
    const Position end_before = wal->end();
    const Status status = Wal::ReadOnly(*segments_, &uuid, [&](const ReplayedRecord& record) {
      EXPECT_GT(record.position, last);
      EXPECT_EQ(record.payload.size(), record.position % 100);
      last = record.position;
      return Status::Ok();
    });
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_GE(last, end_before);
    seen = last;
  }
  owner.Join();
}

TEST_F(WalTest, ReadingALiveLogGoesOnBehindSegmentsThatVanish) {
  options_.segment_bytes = 256;
  const auto wal = Open();
  const auto schema = wal->DefineSchema("S");
  const auto append = [&] { ASSERT_TRUE(wal->Append({Record(schema, "payload")}).ok()); };
  while (wal->stats().segments < 2) append();
  std::string uuid;
  Position last = 0;
  const Status status = Wal::ReadOnly(*segments_, &uuid, [&](const ReplayedRecord& record) {
    // The owner overtakes the reader: what was listed behind the first segment is gone.
    if (last == 0) {
      while (wal->stats().segments < 5) append();
      EXPECT_TRUE(wal->Release(wal->end() - 1).ok());
    }
    EXPECT_GT(record.position, last);
    last = record.position;
    return Status::Ok();
  });
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(last, wal->end());
}

TEST_F(WalTest, ResetBeginsANewLogWhereverItIsInterrupted) {
  for (int64_t nth = 1;; ++nth) {
    disk_ = std::make_shared<SimulatedSegments>(1);
    const auto injector = std::make_shared<storage::testing::FaultInjector>();
    segments_ = storage::testing::MakeFaultySegments(disk_, injector);
    options_.segment_bytes = 256;
    std::string old_uuid;
    {
      const auto wal = Open();
      old_uuid = wal->uuid();
      for (int i = 0; i < 9; ++i) ASSERT_TRUE(AppendOne(*wal, "payload").ok());
    }
    injector->Arm({.nth = nth, .mode = storage::testing::FaultMode::kForever});
    const bool finished = Reset(*segments_, random_).ok();
    EXPECT_EQ(finished, !injector->fired());
    injector->Disarm();
    const auto wal = Open();
    if (wal->uuid() == old_uuid) {
      EXPECT_EQ(replayed_.records.size(), 9u);
      EXPECT_EQ(nth, 1);
    } else {
      EXPECT_THAT(replayed_.records, IsEmpty());
      EXPECT_EQ(wal->Append({Record(wal->DefineSchema("S"), "x")}).value(), 1u);
    }
    if (finished) break;
  }
}

TEST_F(WalTest, AVisitorsErrorEndsOpening) {
  {
    ASSERT_TRUE(AppendOne(*Open(), "x").ok());
  }
  const auto refuse = [](const ReplayedRecord&) { return Status::Cancelled("enough"); };
  EXPECT_EQ(Wal::Open(segments_, options_, clock_, random_, refuse).status().code(), StatusCode::kCancelled);
}

TEST_F(WalTest, ReadOnlyFindsNoLog) {
  std::string uuid;
  EXPECT_EQ(Wal::ReadOnly(*segments_, &uuid, Replayed().visitor()).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tarn::wal
