#include "wal/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing/source_tree.h"
#include "storage/testing/simulated_segments.h"
#include "wal/format.h"
#include "wal/identity.h"
#include "wal/testing/golden_log.h"
#include "wal/testing/replayed.h"

namespace tarn::wal {
namespace {

using internal::kIdentityName;
using internal::kRecordHeaderBytes;
using internal::kSegmentHeaderBytes;
using internal::SegmentName;
using storage::testing::SimulatedSegments;
using testing::Record;
using testing::Replayed;

using Files = std::map<std::string, std::string>;

struct Opened {
  Status status;
  std::vector<std::string> records;
  std::shared_ptr<SimulatedSegments> disk;
  std::unique_ptr<Wal> wal;
};

class RecoveryTest : public ::testing::Test {
 protected:
  RecoveryTest() { options_.segment_bytes = 470; }

  /// Three segments: positions 1 to 3, 4 to 7 (the last three in one append) and 8 to 10; the last one is cut off as by
  /// kill -9, with preallocated zeros behind.
  Files SmallLog() {
    const auto disk = std::make_shared<SimulatedSegments>(1);
    const auto wal = Wal::Open(disk, options_, clock_, random_, Replayed().visitor()).value();
    const auto a = wal->DefineSchema("A");
    const auto b = wal->DefineSchema("B");
    const std::string filler(60, 'f');
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(wal->Append({Record(a, filler, "k")}).ok());
    EXPECT_TRUE(wal->Append({Record(b, "four")}).ok());
    EXPECT_TRUE(wal->Append({Record(a, "five"), Record(b, ""), Record(a, "seven")}).ok());
    const std::string larger(100, 'e');
    EXPECT_TRUE(wal->Append({Record(a, larger)}).ok());
    EXPECT_TRUE(wal->Append({Record(b, "nine", "key")}).ok());
    EXPECT_TRUE(wal->Append({Record(a, "ten")}).ok());
    disk->KillProcess();
    return FilesOf(*disk);
  }

  static Files FilesOf(SimulatedSegments& disk) {
    Files files;
    const std::vector<storage::SegmentInfo> listed = disk.List().value();
    for (const auto& file : listed) files[file.name] = disk.Read(file.name).value();
    return files;
  }

  Opened OpenFiles(const Files& files) {
    Opened opened;
    opened.disk = std::make_shared<SimulatedSegments>(1);
    for (const auto& [name, bytes] : files) opened.disk->Overwrite(name, bytes);
    Replayed replayed;
    auto wal = Wal::Open(opened.disk, options_, clock_, random_, replayed.visitor());
    opened.status = wal.status();
    opened.records = std::move(replayed.records);
    if (wal.ok()) opened.wal = *std::move(wal);
    return opened;
  }

  static bool IsPrefix(const std::vector<std::string>& prefix, const std::vector<std::string>& whole) {
    return prefix.size() <= whole.size() && std::equal(prefix.begin(), prefix.end(), whole.begin());
  }

  WalOptions options_;
  FakeClock clock_;
  Random random_{1};
};

TEST_F(RecoveryTest, TheSmallLogIsWhatTheseTestsTakeItFor) {
  const Files log = SmallLog();
  EXPECT_EQ(log.size(), 4u);
  for (const Position first : {1, 4, 8}) EXPECT_TRUE(log.contains(SegmentName(first))) << first;
  const Opened opened = OpenFiles(log);
  ASSERT_TRUE(opened.status.ok()) << opened.status.ToString();
  ASSERT_EQ(opened.records.size(), 10u);
  EXPECT_EQ(opened.records[4], "5:A::five");
  EXPECT_EQ(opened.records[8], "9:B:key:nine");
}

TEST_F(RecoveryTest, ToleratesEveryTruncationOfTheLastSegment) {
  Files log = SmallLog();
  const std::vector<std::string> all = OpenFiles(log).records;
  const std::string whole = log[SegmentName(8)];
  size_t most = 0;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    log[SegmentName(8)] = whole.substr(0, cut);
    Opened opened = OpenFiles(log);
    ASSERT_TRUE(opened.status.ok()) << "cut at " << cut << ": " << opened.status.ToString();
    ASSERT_TRUE(IsPrefix(opened.records, all));
    ASSERT_GE(opened.records.size(), std::max<size_t>(most, 7));
    most = opened.records.size();
    // The numbering goes on, and what was cut stays gone.
    ASSERT_EQ(opened.wal->Append({Record(opened.wal->DefineSchema("C"), "new")}).value(), most + 1);
    opened.wal.reset();
    const Opened again = OpenFiles(FilesOf(*opened.disk));
    ASSERT_TRUE(again.status.ok()) << "cut at " << cut << ": " << again.status.ToString();
    ASSERT_EQ(again.records.size(), most + 1);
    ASSERT_EQ(again.records.back(), std::to_string(most + 1) + ":C::new");
  }
  EXPECT_EQ(most, 10u);
}

TEST_F(RecoveryTest, ReportsEveryTruncationOfAnEarlierSegment) {
  Files log = SmallLog();
  const std::string whole = log[SegmentName(4)];
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    log[SegmentName(4)] = whole.substr(0, cut);
    const Status status = OpenFiles(log).status;
    ASSERT_EQ(status.code(), StatusCode::kCorruption) << "cut at " << cut;
    ASSERT_NE(status.message().find(SegmentName(4)), std::string::npos) << status.ToString();
    ASSERT_NE(status.message().find("offset"), std::string::npos) << status.ToString();
  }
}

TEST_F(RecoveryTest, NoFlippedByteIsReadAsSomethingElse) {
  const Files log = SmallLog();
  const std::vector<std::string> all = OpenFiles(log).records;
  int tolerated = 0;
  for (const auto& [name, bytes] : log) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const char flip : {'\x01', '\x80', '\xff'}) {
        Files damaged = log;
        damaged[name][at] = static_cast<char>(bytes[at] ^ flip);
        const Opened opened = OpenFiles(damaged);
        if (!opened.status.ok()) {
          ASSERT_TRUE(opened.status.Is(StatusCode::kCorruption) || opened.status.Is(StatusCode::kUnsupported))
              << opened.status.ToString();
          continue;
        }
        // Only the last append of the last segment may be taken for torn.
        ASSERT_EQ(name, SegmentName(8)) << "at " << at;
        ASSERT_TRUE(IsPrefix(opened.records, all)) << name << " at " << at;
        ASSERT_GE(opened.records.size(), all.size() - 1) << name << " at " << at;
        tolerated += opened.records.size() < all.size();
      }
    }
  }
  EXPECT_GT(tolerated, 0);
}

TEST_F(RecoveryTest, AnAppendIsReplayedWholeOrNotAtAll) {
  Files log = SmallLog();
  log.erase(SegmentName(8));
  const std::string whole = log[SegmentName(4)];
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    log[SegmentName(4)] = whole.substr(0, cut);
    const size_t records = OpenFiles(log).records.size();
    EXPECT_TRUE(records == 3 || records == 4 || records == 7) << records << " when cut at " << cut;
  }
}

TEST_F(RecoveryTest, ReportsMissingSegments) {
  const Files log = SmallLog();
  for (const Position first : {1, 4}) {
    Files missing = log;
    missing.erase(SegmentName(first));
    EXPECT_EQ(OpenFiles(missing).status.code(), StatusCode::kCorruption) << first;
  }
  Files anonymous = log;
  anonymous.erase(std::string(kIdentityName));
  EXPECT_EQ(OpenFiles(anonymous).status.code(), StatusCode::kCorruption);
  Files shuffled = log;
  std::swap(shuffled[SegmentName(1)], shuffled[SegmentName(4)]);
  EXPECT_EQ(OpenFiles(shuffled).status.code(), StatusCode::kCorruption);
  Files foreign = log;
  foreign[SegmentName(8)] = SmallLog()[SegmentName(8)];
  EXPECT_EQ(OpenFiles(foreign).status.code(), StatusCode::kCorruption);
}

TEST_F(RecoveryTest, ReportsReleasedPositionsThatAreNotThere) {
  Files log = SmallLog();
  internal::Identity identity = internal::DecodeIdentity(log[std::string(kIdentityName)]).value();
  identity.released = 20;
  log[std::string(kIdentityName)] = internal::EncodeIdentity(identity);
  EXPECT_EQ(OpenFiles(log).status.code(), StatusCode::kCorruption);
}

TEST_F(RecoveryTest, TellsATornGroupFromDamage) {
  Files log = SmallLog();
  log.erase(SegmentName(8));
  std::string& segment = log[SegmentName(4)];
  const size_t five = segment.find("five");
  const size_t four = segment.find("four");
  ASSERT_NE(five, std::string::npos);
  // Of the last group only a later sector reached the disk: nothing of it was acknowledged.
  Files torn = log;
  torn[SegmentName(4)][five] = '\0';
  EXPECT_EQ(OpenFiles(torn).records.size(), 4u);
  // What precedes the group was.
  Files damaged = log;
  damaged[SegmentName(4)][four] = '\0';
  EXPECT_EQ(OpenFiles(damaged).status.code(), StatusCode::kCorruption);
}

TEST_F(RecoveryTest, APayloadCannotPassForARecord) {
  const Files log = SmallLog();
  const std::string image = log.at(SegmentName(8));
  const auto disk = std::make_shared<SimulatedSegments>(1);
  options_.segment_bytes = 1 << 20;
  {
    const auto wal = Wal::Open(disk, options_, clock_, random_, Replayed().visitor()).value();
    const auto schema = wal->DefineSchema("S");
    ASSERT_TRUE(wal->Append({Record(schema, "one")}).ok());
    ASSERT_TRUE(wal->Append({Record(schema, image)}).ok());
  }
  Files files = FilesOf(*disk);
  // The record that carries the image is torn at its head.
  std::string& segment = files[SegmentName(1)];
  segment[segment.find(image) - 1] ^= 1;
  const Opened opened = OpenFiles(files);
  ASSERT_TRUE(opened.status.ok()) << opened.status.ToString();
  EXPECT_EQ(opened.records.size(), 1u);
}

TEST_F(RecoveryTest, RefusesNewerFormatsByName) {
  Files log = SmallLog();
  Files newer = log;
  std::string& segment = newer[SegmentName(8)];
  segment[8] = 2;
  const uint32_t crc = Crc32c(AsBytes(segment).subspan(0, 60));
  std::memcpy(segment.data() + 60, &crc, sizeof(crc));
  const Status status = OpenFiles(newer).status;
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("format 2"), std::string::npos);

  std::string identity = "{\"format\":2,\"uuid\":\"whatever\"";
  char checksum[32];
  std::snprintf(checksum, sizeof(checksum), ",\"crc32c\":\"%08x\"}\n", Crc32c(AsBytes(identity)));
  log[std::string(kIdentityName)] = identity + checksum;
  EXPECT_EQ(OpenFiles(log).status.code(), StatusCode::kUnsupported);
}

TEST_F(RecoveryTest, IgnoresFilesThatAreNoSegments) {
  Files log = SmallLog();
  for (const char* name : {"notes.txt", "1.wal", "00000000000000000000.wal", "0000000000000000000x.wal"}) {
    log[name] = "anything";
  }
  EXPECT_EQ(OpenFiles(log).records.size(), 10u);
}

TEST_F(RecoveryTest, ReadsTheGoldenLogOfEveryFormat) {
  const std::filesystem::path fixtures = SourceRoot() / "tests/fixtures/wal";
  for (const char* format : {"format-1"}) {
    Files files;
    for (const auto& entry : std::filesystem::directory_iterator(fixtures / format)) {
      files[entry.path().filename()] = FileContent(entry.path());
    }
    const Opened opened = OpenFiles(files);
    ASSERT_TRUE(opened.status.ok()) << opened.status.ToString();
    EXPECT_EQ(opened.records, testing::GoldenRecords());
  }
}

TEST_F(RecoveryTest, WritesTheGoldenLog) {
  const auto disk = std::make_shared<SimulatedSegments>(1);
  ASSERT_TRUE(testing::WriteGoldenLog(disk).ok());
  for (const auto& [name, bytes] : FilesOf(*disk)) ExpectGolden("wal/format-1/" + name, bytes);
}

}  // namespace
}  // namespace tarn::wal
