#include "wal/wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

NewRecord Record(std::shared_ptr<const SchemaEntry> schema, std::string_view payload, std::string key = {}) {
  return {std::move(schema), std::move(key), {AsBytes(payload)}};
}

/// "position:schema:key:payload" of each record.
struct Replayed {
  std::vector<std::string> records;
  std::function<Status(const ReplayedRecord&)> visitor = [this](const ReplayedRecord& record) {
    records.push_back(std::to_string(record.position) + ":" + record.schema.bytes + ":" +
                      std::string(record.idempotency_key) + ":" + std::string(AsText(record.payload)));
    return Status::Ok();
  };
};

class WalTest : public ::testing::Test {
 protected:
  WalTest() : segments_(storage::OpenLocalSegments(folder_.path()).value()) {}

  std::unique_ptr<Wal> Open(Replayed& replayed) {
    return Wal::Open(segments_, options_, SystemClock(), random_, replayed.visitor).value();
  }

  storage::testing::TempFolder folder_;
  std::shared_ptr<storage::SegmentStore> segments_;
  WalOptions options_;
  Random random_{1};
};

TEST_F(WalTest, ReplaysWhatWasAppended) {
  std::string uuid;
  {
    Replayed replayed;
    const auto wal = Open(replayed);
    uuid = wal->uuid();
    const auto a = wal->DefineSchema("A");
    const auto b = wal->DefineSchema("B");
    EXPECT_NE(a->id, b->id);
    EXPECT_EQ(wal->end(), 0u);
    EXPECT_EQ(wal->Append({Record(a, "one", "key")}).value(), 1u);
    EXPECT_EQ(wal->Append({Record(b, "two"), Record(a, "")}).value(), 3u);
    EXPECT_EQ(wal->end(), 3u);
    EXPECT_EQ(wal->stats().records_appended, 3);
  }
  Replayed replayed;
  const auto wal = Open(replayed);
  EXPECT_EQ(wal->uuid(), uuid);
  EXPECT_THAT(replayed.records, ElementsAre("1:A:key:one", "2:B::two", "3:A::"));
  EXPECT_EQ(wal->end(), 3u);
  const auto c = wal->DefineSchema("C");
  EXPECT_EQ(c->id, 3u);
  EXPECT_EQ(wal->Append({Record(c, "four")}).value(), 4u);
  Replayed seen;
  std::string seen_uuid;
  ASSERT_TRUE(Wal::ReadOnly(*segments_, &seen_uuid, seen.visitor).ok());
  EXPECT_EQ(seen_uuid, uuid);
  EXPECT_THAT(seen.records, ElementsAre("1:A:key:one", "2:B::two", "3:A::", "4:C::four"));
}

TEST_F(WalTest, NumberingSurvivesTheReleaseOfEverything) {
  options_.segment_bytes = 256;
  std::string uuid;
  {
    Replayed replayed;
    const auto wal = Open(replayed);
    uuid = wal->uuid();
    const auto a = wal->DefineSchema("A");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(wal->Append({Record(a, "payload")}).ok());
    EXPECT_GT(wal->stats().segments, 2);
    ASSERT_TRUE(wal->Release(10).ok());
    EXPECT_GT(wal->stats().segments, 0);
    ASSERT_TRUE(wal->Release(20).ok());
    EXPECT_EQ(wal->stats().segments, 0);
    EXPECT_EQ(wal->stats().bytes, 0);
  }
  Replayed replayed;
  const auto wal = Open(replayed);
  EXPECT_THAT(replayed.records, IsEmpty());
  EXPECT_EQ(wal->uuid(), uuid);
  EXPECT_EQ(wal->Append({Record(wal->DefineSchema("A"), "x")}).value(), 21u);
}

}  // namespace
}  // namespace tarn::wal
