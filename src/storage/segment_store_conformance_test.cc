#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/stores.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/simulated_segments.h"
#include "storage/testing/temp_folder.h"

namespace tarn::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct SegmentsUnderTest {
  std::unique_ptr<testing::TempFolder> folder;
  std::shared_ptr<SegmentStore> store;
};

struct SegmentsKind {
  std::string name;
  std::function<SegmentsUnderTest()> make;
};

/// What every segment store promises (segment_store.h).
class SegmentStoreConformance : public ::testing::TestWithParam<SegmentsKind> {
 protected:
  SegmentStoreConformance() : under_test_(GetParam().make()), store_(*under_test_.store) {}

  std::vector<std::string> Names() {
    const std::vector<SegmentInfo> segments = store_.List().value();
    std::vector<std::string> names;
    for (const SegmentInfo& info : segments) names.push_back(info.name);
    return names;
  }
  /// The content without the zeros of preallocation.
  std::string Written(std::string_view name) {
    std::string bytes = store_.Read(name).value();
    while (bytes.ends_with('\0')) bytes.pop_back();
    return bytes;
  }

  SegmentsUnderTest under_test_;
  SegmentStore& store_;
};

TEST_P(SegmentStoreConformance, ReadsBackWhatWasAppended) {
  auto writer = store_.Create("a.wal", 4096).value();
  EXPECT_EQ(writer->size_bytes(), 0);
  ASSERT_TRUE(writer->Append(AsBytes("one")).ok());
  const ByteSpan pieces[] = {AsBytes("two"), {}, AsBytes("three")};
  ASSERT_TRUE(writer->AppendPieces(pieces).ok());
  EXPECT_EQ(writer->size_bytes(), 11);
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Written("a.wal"), "onetwothree");
  EXPECT_EQ(store_.ReadRange("a.wal", 3, 3).value(), "two");
  EXPECT_EQ(store_.ReadRange("a.wal", 100'000, 3).value(), "");
  EXPECT_EQ(store_.ReadRange("a.wal", -1, 3).status().code(), StatusCode::kInvalidArgument);
  // A reader sees what is appended meanwhile.
  ASSERT_TRUE(writer->Append(AsBytes("four")).ok());
  EXPECT_EQ(Written("a.wal"), "onetwothreefour");
  writer.reset();
  EXPECT_EQ(store_.Read("a.wal").value(), "onetwothreefour");
  EXPECT_EQ(store_.List().value().at(0).size_bytes, 15);
}

TEST_P(SegmentStoreConformance, GrowsBeyondWhatWasPreallocated) {
  const auto writer = store_.Create("a", 10).value();
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string bytes(static_cast<size_t>(i) * 7, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(writer->Append(AsBytes(bytes)).ok());
    expected += bytes;
  }
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(store_.Read("a").value(), expected);
}

TEST_P(SegmentStoreConformance, WritesMorePiecesThanOneCallTakes) {
  const auto writer = store_.Create("a", 0).value();
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  std::vector<ByteSpan> pieces;
  for (size_t i = 0; i < text.size(); i += 3)
    pieces.push_back(AsBytes(text).subspan(i, std::min<size_t>(3, text.size() - i)));
  ASSERT_TRUE(writer->AppendPieces(pieces).ok());
  EXPECT_EQ(store_.Read("a").value(), text);
}

TEST_P(SegmentStoreConformance, PreallocatedRoomReadsAsZeros) {
  const auto writer = store_.Create("a", 1000).value();
  ASSERT_TRUE(writer->Append(AsBytes("x")).ok());
  const std::string bytes = store_.Read("a").value();
  EXPECT_EQ(bytes.substr(0, 1), "x");
  EXPECT_EQ(bytes.find_first_not_of('\0', 1), std::string::npos);
}

TEST_P(SegmentStoreConformance, NamesAreTakenOnceAndRemoved) {
  {
    auto writer = store_.Create("b", 0).value();
  }
  {
    auto writer = store_.Create("a", 0).value();
  }
  EXPECT_EQ(store_.Create("a", 0).status().code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
  ASSERT_TRUE(store_.Sync("a").ok());
  ASSERT_TRUE(store_.Remove("a").ok());
  ASSERT_TRUE(store_.Remove("a").ok());
  EXPECT_THAT(Names(), ElementsAre("b"));
  EXPECT_EQ(store_.Read("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.ReadRange("a", 0, 1).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.Sync("a").code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_.Create("a", 0).ok());
}

TEST_P(SegmentStoreConformance, ARemovedSegmentFailsItsNextSync) {
  const auto writer = store_.Create("a", 4096).value();
  ASSERT_TRUE(writer->Append(AsBytes("x")).ok());
  ASSERT_TRUE(writer->Sync().ok());
  ASSERT_TRUE(store_.Remove("a").ok());
  (void)writer->Append(AsBytes("y"));
  EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
  EXPECT_EQ(writer->Append(AsBytes("z")).code(), StatusCode::kUnavailable);
  // Another of the name is another segment.
  const auto successor = store_.Create("a", 0).value();
  ASSERT_TRUE(successor->Append(AsBytes("z")).ok());
  EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(successor->Sync().ok());
  EXPECT_EQ(store_.Read("a").value(), "z");
}

TEST_P(SegmentStoreConformance, WholeFilesAreReplaced) {
  ASSERT_TRUE(store_.WriteFile("f.json", AsBytes("a longer first version")).ok());
  ASSERT_TRUE(store_.WriteFile("f.json", AsBytes("second")).ok());
  EXPECT_EQ(store_.Read("f.json").value(), "second");
  EXPECT_THAT(Names(), ElementsAre("f.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Stores, SegmentStoreConformance,
    ::testing::Values(SegmentsKind{"Local",
                                   [] {
                                     SegmentsUnderTest under_test{std::make_unique<testing::TempFolder>(), nullptr};
                                     under_test.store = OpenLocalSegments(under_test.folder->path() + "/x/y").value();
                                     return under_test;
                                   }},
                      SegmentsKind{
                          "Simulated",
                          [] { return SegmentsUnderTest{nullptr, std::make_shared<testing::SimulatedSegments>(1)}; }},
                      SegmentsKind{"Faulty",
                                   [] {
                                     return SegmentsUnderTest{
                                         nullptr,
                                         testing::MakeFaultySegments(std::make_shared<testing::SimulatedSegments>(1),
                                                                     std::make_shared<testing::FaultInjector>())};
                                   }}),
    [](const auto& info) { return info.param.name; });

TEST(LocalSegments, RefusesNamesThatAreNotOnePathPart) {
  const testing::TempFolder folder;
  const auto store = OpenLocalSegments(folder.path()).value();
  for (const char* name : {"", ".", "..", "a/b", "LOCK", ".tarn-tmp-1"}) {
    EXPECT_EQ(store->Create(name, 0).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store->Remove(name).code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store->WriteFile(name, {}).code(), StatusCode::kInvalidArgument) << name;
  }
}

TEST(LockFolder, HasOneHolderAtATime) {
  const testing::TempFolder folder;
  const std::string path = folder.path() + "/a/b";
  auto lock = LockFolder(path).value();
  EXPECT_EQ(LockFolder(path).status().code(), StatusCode::kConflict);
  EXPECT_THAT(OpenLocalSegments(path).value()->List().value(), IsEmpty());
  lock.reset();
  EXPECT_TRUE(LockFolder(path).ok());
}

TEST(LockFolder, ReadersShareItAndCreateNothing) {
  const testing::TempFolder folder;
  const std::string path = folder.path() + "/a";
  EXPECT_EQ(LockFolderForReading(path).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenLocalSegmentsForReading(path).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path));
  auto owner = LockFolder(path).value();
  EXPECT_EQ(LockFolderForReading(path).status().code(), StatusCode::kConflict);
  owner.reset();
  const auto reader = LockFolderForReading(path).value();
  EXPECT_TRUE(LockFolderForReading(path).ok());
  EXPECT_EQ(LockFolder(path).status().code(), StatusCode::kConflict);
  EXPECT_THAT(OpenLocalSegmentsForReading(path).value()->List().value(), IsEmpty());
}

TEST(SimulatedSegments, KeepsWhatWasSyncedAndTearsTheRest) {
  bool torn = false;
  bool vanished = false;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    testing::SimulatedSegments store(seed);
    auto writer = store.Create("a", 8192).value();
    const std::string synced(1000, 's');
    ASSERT_TRUE(writer->Append(AsBytes(synced)).ok());
    ASSERT_TRUE(writer->Sync().ok());
    const std::string pending(3000, 'p');
    ASSERT_TRUE(writer->Append(AsBytes(pending)).ok());
    auto unsynced = store.Create("b", 0).value();
    store.LosePower();
    EXPECT_EQ(writer->Append(AsBytes("x")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
    const std::string bytes = store.Read("a").value();
    ASSERT_EQ(bytes.substr(0, 1000), synced);
    torn |= bytes.find('p') != std::string::npos && bytes.substr(1000, 3000) != pending;
    vanished |= store.Read("b").status().Is(StatusCode::kNotFound);
  }
  EXPECT_TRUE(torn);
  EXPECT_TRUE(vanished);
}

TEST(SimulatedSegments, AKilledProcessLosesNothingThatItsSuccessorSyncs) {
  testing::SimulatedSegments store(1);
  auto writer = store.Create("a", 0).value();
  ASSERT_TRUE(writer->Append(AsBytes("bytes")).ok());
  store.KillProcess();
  EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
  ASSERT_TRUE(store.Sync("a").ok());
  store.LosePower();
  EXPECT_EQ(store.Read("a").value(), "bytes");
}

TEST(SimulatedSegments, AFullDiskRefuses) {
  testing::SimulatedSegments store(1);
  store.SetCapacity(100);
  EXPECT_EQ(store.Create("a", 101).status().code(), StatusCode::kResourceExhausted);
  auto writer = store.Create("a", 50).value();
  ASSERT_TRUE(writer->Append(AsBytes(std::string(100, 'x'))).ok());
  EXPECT_EQ(writer->Append(AsBytes("x")).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(writer->Sync().code(), StatusCode::kResourceExhausted);
}

TEST(SimulatedSegments, AFailedSyncIsFatalToItsSegment) {
  testing::SimulatedSegments store(1);
  auto writer = store.Create("a", 0).value();
  store.FailSync(2);
  ASSERT_TRUE(writer->Append(AsBytes("x")).ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
  EXPECT_EQ(writer->Append(AsBytes("y")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(writer->Sync().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(store.Create("b", 0).value()->Sync().ok());
}

}  // namespace
}  // namespace tarn::storage
