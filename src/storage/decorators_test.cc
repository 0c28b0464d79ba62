#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "storage/forwarding_store.h"
#include "storage/metering_store.h"
#include "storage/retrying_store.h"
#include "storage/served_store.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"

namespace tarn::storage {
namespace {

using testing::FaultInjector;
using testing::FaultMode;

/// A clock on which waiting takes no time but is remembered.
class WaitingClock final : public Clock {
 public:
  int64_t WallNanos() override { return now_micros_ * 1000; }
  int64_t MonotonicMicros() override { return now_micros_; }
  bool WaitUntil(CondVar&, Mutex&, int64_t deadline) override {
    waits_micros.push_back(deadline - now_micros_);
    now_micros_ = deadline;
    return false;
  }
  std::vector<int64_t> waits_micros;

 private:
  int64_t now_micros_ = 1'000'000;
};

class DecoratorsTest : public ::testing::Test {
 protected:
  WaitingClock clock_;
  Random random_{1};
  std::shared_ptr<ObjectStore> memory_ = MakeMemoryStore(clock_);
  std::shared_ptr<FaultInjector> injector_ = std::make_shared<FaultInjector>();
  std::shared_ptr<ObjectStore> faulty_ = testing::MakeFaultyStore(memory_, injector_);
};

TEST_F(DecoratorsTest, MeteringCountsCallsBytesAndFailures) {
  const auto store = MakeMeteringStore(faulty_, clock_);
  const auto of = [&](StoreOperation operation) { return store->stats()[static_cast<size_t>(operation)]; };
  ASSERT_TRUE(store->Put("a", AsBytes("12345"), Precondition::IfAbsent()).ok());
  EXPECT_FALSE(store->Put("a", AsBytes("1"), Precondition::IfAbsent()).ok());
  EXPECT_EQ(of(StoreOperation::kPut).calls, 2);
  EXPECT_EQ(of(StoreOperation::kPut).bytes, 5);
  EXPECT_EQ(of(StoreOperation::kPut).failures, 0);
  injector_->Arm({.nth = 1});
  EXPECT_FALSE(store->Head("a").ok());
  EXPECT_EQ(store->Head("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(of(StoreOperation::kHead).calls, 2);
  EXPECT_EQ(of(StoreOperation::kHead).failures, 1);
  EXPECT_EQ(store->Get("a").value(), "12345");
  EXPECT_EQ(of(StoreOperation::kOpen).calls, 1);
  EXPECT_EQ(of(StoreOperation::kRead).bytes, 5);
  const auto writer = store->OpenWriter("b", Precondition::None()).value();
  ASSERT_TRUE(writer->Append(AsBytes("123")).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(of(StoreOperation::kWrite).bytes, 3);
  ASSERT_TRUE(store->List({}, [](const ListEntry&) { return true; }).ok());
  ASSERT_TRUE(store->Delete("b").ok());
  EXPECT_EQ(of(StoreOperation::kList).calls, 1);
  EXPECT_EQ(of(StoreOperation::kDelete).calls, 1);
  std::set<std::string_view> names;
  for (int i = 0; i < kStoreOperationCount; ++i) names.insert(StoreOperationName(static_cast<StoreOperation>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kStoreOperationCount));
}

TEST_F(DecoratorsTest, RetryingRepeatsWhatIsCertainToHaveFailed) {
  const auto store = MakeRetryingStore(faulty_, {}, clock_, random_);
  for (const char* operation : {"put", "head", "open", "read", "list", "delete", "open_writer"}) {
    injector_->Arm({.nth = 1, .operation = operation});
    EXPECT_TRUE(store->Put("k", AsBytes("v"), Precondition::None()).ok());
    EXPECT_TRUE(store->Head("k").ok());
    EXPECT_EQ(store->Get("k").value(), "v");
    EXPECT_EQ(store->ListAll({}).value().size(), 1u);
    EXPECT_TRUE(store->OpenWriter("w", Precondition::None()).ok());
    EXPECT_TRUE(store->Delete("k").ok());
    EXPECT_TRUE(injector_->fired()) << operation;
  }
}

TEST_F(DecoratorsTest, RetryingNeverRepeatsAnUncertainWrite) {
  const auto store = MakeRetryingStore(faulty_, {}, clock_, random_);
  injector_->Arm({.nth = 1, .mode = FaultMode::kReplyLost});
  EXPECT_EQ(store->Put("k", AsBytes("v"), Precondition::IfAbsent()).status().code(), StatusCode::kIndeterminate);
  EXPECT_EQ(injector_->counts().at("put"), 1);
  EXPECT_EQ(memory_->Get("k").value(), "v");
  EXPECT_TRUE(clock_.waits_micros.empty());
}

TEST_F(DecoratorsTest, RetryingGivesUpAfterGrowingJitteredWaits) {
  const RetryPolicy policy{.max_attempts = 6, .first_wait_micros = 100, .max_wait_micros = 500};
  const auto store = MakeRetryingStore(faulty_, policy, clock_, random_);
  injector_->Arm({.nth = 1, .mode = FaultMode::kForever});
  EXPECT_EQ(store->Head("k").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(injector_->counts().at("head"), 6);
  const std::vector<int64_t> full = {100, 200, 400, 500, 500};
  ASSERT_EQ(clock_.waits_micros.size(), full.size());
  for (size_t i = 0; i < full.size(); ++i) {
    EXPECT_GE(clock_.waits_micros[i], full[i] / 2);
    EXPECT_LE(clock_.waits_micros[i], full[i]);
  }
}

TEST_F(DecoratorsTest, ServedCallsAStoreThatLetsNobodyInUnavailable) {
  const auto store = MakeServedStore(faulty_);
  ASSERT_TRUE(store->Put("k", AsBytes("v"), Precondition::None()).ok());
  const auto outcomes = [&] {
    const std::vector<StatusCode> codes = {store->Head("k").status().code(),
                                           store->Get("k").status().code(),
                                           store->Put("p", AsBytes("v"), Precondition::IfAbsent()).status().code(),
                                           store->OpenWriter("w", Precondition::None()).status().code(),
                                           store->ListAll({}).status().code(),
                                           store->Delete("k").code()};
    return std::set<StatusCode>(codes.begin(), codes.end());
  };
  for (const StatusCode refused : {StatusCode::kPermissionDenied, StatusCode::kUnauthenticated}) {
    injector_->Arm({.nth = 1, .mode = FaultMode::kForever, .code = refused});
    EXPECT_EQ(outcomes(), std::set{StatusCode::kUnavailable});
    injector_->Disarm();
    const auto reader = store->Open("k").value();
    const auto writer = store->OpenWriter("w", Precondition::None()).value();
    injector_->Arm({.nth = 1, .mode = FaultMode::kForever, .code = refused});
    std::byte byte{};
    EXPECT_EQ(reader->ReadAt(0, {&byte, 1}).status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(writer->Append(AsBytes("v")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(writer->Finish().status().code(), StatusCode::kUnavailable);
    injector_->Disarm();
  }
  // Anything else is what it is.
  injector_->Arm({.nth = 1, .mode = FaultMode::kForever, .code = StatusCode::kResourceExhausted});
  EXPECT_EQ(outcomes(), std::set{StatusCode::kResourceExhausted});
  EXPECT_TRUE(memory_->Get("k").ok());
}

std::vector<std::string> Keys(ObjectStore& store, bool group_by_folder) {
  const std::vector<ListEntry> entries = store.ListAll({.group_by_folder = group_by_folder}).value();
  std::vector<std::string> keys;
  for (const ListEntry& entry : entries) keys.push_back(entry.object.key);
  return keys;
}

/// Fails each listing after two entries.
class InterruptedListing final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    int left = 2;
    bool interrupted = false;
    TARN_RETURN_NOT_OK(inner().List(options, [&](const ListEntry& entry) {
      if (left-- == 0) {
        interrupted = true;
        return false;
      }
      return visit(entry);
    }));
    return interrupted ? Status::Unavailable("interrupted") : Status::Ok();
  }
};

TEST_F(DecoratorsTest, ARetriedListingVisitsEachEntryOnce) {
  for (const char* key : {"a/1", "a/2", "b", "c/1", "c/2", "d"}) {
    ASSERT_TRUE(memory_->Put(key, {}, Precondition::None()).ok());
  }
  const auto store = MakeRetryingStore(std::make_shared<InterruptedListing>(memory_), {}, clock_, random_);
  for (const bool group : {false, true}) {
    EXPECT_EQ(Keys(*store, group), Keys(*memory_, group));
    EXPECT_EQ(Keys(*store, group).size(), group ? 4u : 6u);
  }
}

TEST_F(DecoratorsTest, ASweepReachesEveryOperationOnceInEachMode) {
  for (const FaultMode mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
    std::vector<std::string> outcomes;
    const int64_t swept = testing::SweepFaults({.mode = mode}, [&](auto injector, const auto& arm) {
      const auto memory = MakeMemoryStore(clock_);
      const auto store = testing::MakeFaultyStore(memory, injector);
      ASSERT_TRUE(store->Put("before", {}, Precondition::None()).ok());
      arm();
      const bool first = store->Put("a", {}, Precondition::None()).ok();
      const bool second = store->Put("b", {}, Precondition::None()).ok();
      outcomes.push_back(std::string(first ? "+" : "-") + (second ? "+" : "-") + (memory->Head("a").ok() ? "a" : "") +
                         (memory->Head("b").ok() ? "b" : ""));
    });
    EXPECT_EQ(swept, 2);
    const auto expected = mode == FaultMode::kOnce      ? ::testing::ElementsAre("-+b", "+-a", "++ab")
                          : mode == FaultMode::kForever ? ::testing::ElementsAre("--", "+-a", "++ab")
                                                        : ::testing::ElementsAre("-+ab", "+-ab", "++ab");
    EXPECT_THAT(outcomes, expected);
  }
}

}  // namespace
}  // namespace tarn::storage
