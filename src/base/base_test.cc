#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error_table.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "base/random.h"
#include "base/status.h"
#include "base/uri.h"
#include "base/visible_text.h"

namespace tarn {
namespace {

TEST(ErrorTable, CoversEveryCodeOnceAndKeepsClientFaultsIn4xx) {
  std::set<std::string_view> names;
  std::set<int> exits;
  for (int i = 0; i < kStatusCodeCount; ++i) {
    const auto code = static_cast<StatusCode>(i);
    const ErrorCodes& codes = CodesOf(code);
    EXPECT_TRUE(names.insert(StatusCodeName(code)).second);
    EXPECT_TRUE(exits.insert(codes.exit_code).second) << StatusCodeName(code);
    EXPECT_EQ(codes.sqlstate.size(), 5u) << StatusCodeName(code);
    EXPECT_FALSE(codes.graphql.empty());
    EXPECT_GE(codes.http_status, 200);
  }
  const std::pair<StatusCode, int> contract[] = {
      {StatusCode::kInvalidArgument, 400},  {StatusCode::kUnauthenticated, 401},   {StatusCode::kPermissionDenied, 403},
      {StatusCode::kNotFound, 404},         {StatusCode::kAlreadyExists, 409},     {StatusCode::kConflict, 409},
      {StatusCode::kUnsupported, 422},      {StatusCode::kResourceExhausted, 429}, {StatusCode::kUnavailable, 503},
      {StatusCode::kDeadlineExceeded, 504}, {StatusCode::kInternal, 500},          {StatusCode::kCorruption, 500},
      {StatusCode::kIndeterminate, 500},    {StatusCode::kCancelled, 500}};
  for (const auto& [code, http] : contract) EXPECT_EQ(CodesOf(code).http_status, http) << StatusCodeName(code);
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Status::InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  TARN_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(Status, PropagatesThroughMacros) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Quarter(6).status().WithContext("six").message(), "six: odd");
  EXPECT_TRUE(Status::Ok().WithContext("x").ok());
}

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\0'))), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\xff'))), 0x62a8ab43U);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283U);
  EXPECT_EQ(Crc32c(AsBytes("6789"), Crc32c(AsBytes("12345"))), 0xe3069283U);
}

TEST(Uri, EncodesPathPartsAndBack) {
  EXPECT_EQ(EncodePathPart("cpu-load_1.5"), "cpu-load_1.5");
  EXPECT_EQ(EncodePathPart("_x"), "%5Fx");
  EXPECT_EQ(EncodePathPart(".."), "%2E.");
  EXPECT_EQ(EncodePathPart("a/b c\xc3\xa9"), "a%2Fb%20c%C3%A9");
  EXPECT_EQ(PercentDecode("a%2Fb%20c%C3%A9").value(), "a/b c\xc3\xa9");
  EXPECT_EQ(PercentDecode("50%").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(JoinPath("a/", "/b"), "a/b");
}

TEST(Random, SameSeedSameSequenceAndWellFormedUuids) {
  Random a(7);
  Random b(7);
  EXPECT_EQ(a.Next(), b.Next());
  const std::string uuid = a.Uuid();
  EXPECT_EQ(uuid, b.Uuid());
  ASSERT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.Below(3), 3u);
}

TEST(ThreadPool, RunsEverythingQueuedAndRefusesPastItsBound) {
  std::atomic<int> done = 0;
  Mutex gate;
  {
    ThreadPool pool({.name = "test", .threads = 1, .max_queued = 2});
    MutexLock closed(gate);
    ASSERT_TRUE(pool.Submit([&] {
                      MutexLock lock(gate);
                      ++done;
                    })
                    .ok());
    while (pool.queued() > 0) std::this_thread::yield();
    ASSERT_TRUE(pool.Submit([&] { ++done; }).ok());
    ASSERT_TRUE(pool.Submit([&] { ++done; }).ok());
    EXPECT_EQ(pool.Submit([] {}).code(), StatusCode::kResourceExhausted);
    closed.Unlock();
  }
  EXPECT_EQ(done, 3);
}

TEST(FakeClock, WaitsEndWhenTimeIsAdvanced) {
  FakeClock clock;
  Mutex mutex;
  CondVar cv;
  const int64_t deadline = clock.MonotonicMicros() + 5 * kMicrosPerSecond;
  Thread waker("waker", [&] { clock.Advance(5 * kMicrosPerSecond); });
  mutex.lock();
  while (clock.WaitUntil(cv, mutex, deadline)) {
  }
  mutex.unlock();
  EXPECT_GE(clock.MonotonicMicros(), deadline);
}

TEST(NearestName, IsSuggestedWhenItIsNear) {
  const std::vector<std::string> names = {"serve", "sql", "table", "write"};
  EXPECT_EQ(DidYouMean("sqll", names), "; did you mean sql?");
  EXPECT_EQ(DidYouMean("tabel", names), "; did you mean table?");
  EXPECT_EQ(DidYouMean("sever", names), "; did you mean serve?");
  EXPECT_EQ(DidYouMean("bogus", names), "");
  EXPECT_EQ(DidYouMean("--addr", {"--lake", "--addr-http"}), "; did you mean --addr-http?");
  EXPECT_EQ(DidYouMean("sql", {}), "");
}

TEST(VisibleText, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(VisibleText("plain \t line\n"), "plain \t line\n");
  EXPECT_EQ(VisibleText(std::string("\x1b[2J\r\0\x7f", 7)), "\\x1b[2J\\x0d\\x00\\x7f");
  EXPECT_EQ(VisibleText("a\u009b31m\u009d\u0080\u009f"), "a\\u009b31m\\u009d\\u0080\\u009f");
  EXPECT_EQ(VisibleText("\u202e\u202a\u2066\u2069\u200e\u200f\u061c"),
            "\\u202e\\u202a\\u2066\\u2069\\u200e\\u200f\\u061c");
  const std::string kept = "\u00a0\u00e4\u0660\u2028\u2030\u206a\u4e2d\U0001F600";
  EXPECT_EQ(VisibleText(kept), kept);
  // No UTF-8, or the beginning of some.
  for (const std::string bytes : {"\x9b", "\xc2", "\xc2(", "\xe2\x80", "\xe2\x80(", "\xff\xfe"}) {
    EXPECT_EQ(VisibleText(bytes), bytes);
  }
}

TEST(Log, WhatIsLoggedIsOnlyText) {
  ::testing::internal::CaptureStderr();
  Log(LogLevel::kWarning, "seen", {{"plain", "a/b\u202e"}, {"path", "a\x1b[2J\x7f\r\n\u009b.parquet"}, {"two", "a b"}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(
      line.ends_with("seen  plain=a/b\\u202e  path=\"a\\u001b[2J\\u007f\\u000d\\u000a\\u009b.parquet\"  two=\"a b\"\n"))
      << line;
}

}  // namespace
}  // namespace tarn
