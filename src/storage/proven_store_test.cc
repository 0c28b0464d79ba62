#include "storage/proven_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/executor.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"
#include "storage/testing/fault_injection.h"

namespace tarn::storage {
namespace {

using testing::FakeS3;
using ::testing::HasSubstr;

class ProvenStoreTest : public ::testing::Test {
 protected:
  static Status Commit(ObjectStore& store, std::string_view key = "_delta_log/0.json") {
    return store.Put(key, AsBytes("x"), Precondition::IfAbsent()).status();
  }
  Random random_{1};
};

TEST_F(ProvenStoreTest, AsksOnceAndLeavesNothingBehind) {
  const FakeS3 server;
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  ASSERT_TRUE(store->Put("plain", AsBytes("x"), Precondition::None()).ok());
  EXPECT_EQ(server.requests().size(), 1u);
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back("writer", [&, i] { EXPECT_TRUE(Commit(*store, std::to_string(i)).ok()); });
    }
  }
  const size_t asked = server.requests().size();
  EXPECT_EQ(Commit(*store, "0").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(server.requests().size(), asked + 1);
  EXPECT_EQ(store->ListAll({}).value().size(), 5u);
}

TEST_F(ProvenStoreTest, RefusesCommitsWhereConditionsAreIgnored) {
  const FakeS3 server({.ignores_preconditions = true});
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  for (int i = 0; i < 2; ++i) {
    const Status refused = Commit(*store);
    EXPECT_EQ(refused.code(), StatusCode::kUnsupported) << refused.ToString();
    EXPECT_THAT(refused.message(), HasSubstr("s3://bucket cannot be committed to"));
    EXPECT_EQ(store->OpenWriter("w", Precondition::IfAbsent()).status().code(), StatusCode::kUnsupported);
  }
  EXPECT_TRUE(store->Put("data.parquet", AsBytes("x"), Precondition::None()).ok());
  EXPECT_EQ(store->ListAll({}).value().size(), 1u);
}

TEST_F(ProvenStoreTest, RefusesCommitsWhereSeveralWin) {
  const FakeS3 server({.races = true});
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  EXPECT_THAT(Commit(*store).message(), HasSubstr("more than one won"));
}

TEST_F(ProvenStoreTest, RefusesCommitsWhereTwoKeysAreOne) {
  const FakeS3 server({.decodes_keys = true});
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  for (int i = 0; i < 2; ++i) {
    const Status refused = Commit(*store);
    EXPECT_EQ(refused.code(), StatusCode::kUnsupported) << refused.ToString();
    EXPECT_THAT(refused.message(), HasSubstr("takes two keys for one"));
  }
  EXPECT_TRUE(store->ListAll({}).value().empty());
}

// A winner whose answer says so and whose object another one overwrote afterwards.
TEST_F(ProvenStoreTest, RefusesCommitsWhereTheWinnerIsOverwritten) {
  FakeS3 server({.ignores_preconditions = true});
  std::atomic<int> puts = 0;
  server.AnswerAfter([&](const testing::FakeRequest& request) -> std::optional<testing::FakeReply> {
    if (!request.headers.contains("if-none-match") || puts++ == 0) return std::nullopt;
    return FakeS3::Error(412, "PreconditionFailed");
  });
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  EXPECT_THAT(Commit(*store).message(), HasSubstr("the winner's object was overwritten"));
}

TEST_F(ProvenStoreTest, RefusesCommitsWhereConditionsAreUnknown) {
  FakeS3 server;
  server.AnswerInstead([](const testing::FakeRequest& request) -> std::optional<testing::FakeReply> {
    if (request.headers.contains("if-none-match")) return FakeS3::Error(501, "NotImplemented");
    return std::nullopt;
  });
  const auto store = MakeProvenStore(server.MakeStore(), random_);
  EXPECT_EQ(Commit(*store).code(), StatusCode::kUnsupported);
}

TEST_F(ProvenStoreTest, DoesNotHoldAnOutageAgainstAStore) {
  const auto injector = std::make_shared<testing::FaultInjector>();
  const auto store = MakeProvenStore(testing::MakeFaultyStore(MakeMemoryStore(SystemClock()), injector), random_);
  injector->Arm({.nth = 1});
  EXPECT_EQ(Commit(*store).code(), StatusCode::kUnavailable);
  injector->Disarm();
  EXPECT_TRUE(Commit(*store).ok());
}

}  // namespace
}  // namespace tarn::storage
