#include "storage/read_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"

namespace tarn::storage {
namespace {

using testing::FakeReply;
using testing::FakeRequest;
using testing::FakeS3;
using ::testing::SizeIs;

class ReadAheadTest : public ::testing::Test {
 protected:
  KnownObject PutObject(const std::string& key, size_t size, char fill = 'x') {
    const std::string bytes(size, fill);
    EXPECT_TRUE(store_->Put(key, AsBytes(bytes), Precondition::None()).ok());
    return {key, static_cast<int64_t>(size), "1"};
  }
  size_t Gets() const {
    size_t gets = 0;
    for (const FakeRequest& request : s3_.requests()) gets += request.method == "GET" ? 1 : 0;
    return gets;
  }
  static Result<std::string> Read(ObjectReader& reader, int64_t offset, size_t size) {
    std::string bytes(size, '\0');
    TARN_ASSIGN_OR_RETURN(const size_t got, reader.ReadAt(offset, std::as_writable_bytes(std::span(bytes))));
    bytes.resize(got);
    return bytes;
  }
  Result<std::string> Read(ReadAhead& ahead, const KnownObject& object, int64_t offset, size_t size) {
    TARN_ASSIGN_OR_RETURN(const auto reader, ahead.Open(store_, object));
    return Read(*reader, offset, size);
  }

  FakeS3 s3_;
  std::shared_ptr<ObjectStore> store_ = s3_.MakeStore();
};

TEST_F(ReadAheadTest, ASmallObjectIsOneRequestHoweverItIsRead) {
  ReadAhead ahead({});
  const KnownObject object = PutObject("a", 200'000);
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 199'000, 5000).value(), std::string(1000, 'x'));
  EXPECT_EQ(Read(ahead, object, 0, 100'000).value(), std::string(100'000, 'x'));
  EXPECT_EQ(Read(ahead, object, 200'000, 10).value(), "");
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 5, 5).value(), "xxxxx");
  EXPECT_EQ(Gets(), 1U);
}

TEST_F(ReadAheadTest, OfALargeObjectTheEndComesAhead) {
  ReadAhead ahead({.whole_bytes = 1000, .end_bytes = 100});
  const KnownObject object = PutObject("a", 50'000);
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 49'950, 50).value(), std::string(50, 'x'));
  EXPECT_EQ(Gets(), 1U);
  // What lies before it is asked for, and what reaches into it too.
  EXPECT_EQ(Read(ahead, object, 0, 50).value(), std::string(50, 'x'));
  EXPECT_EQ(Read(ahead, object, 49'890, 50).value(), std::string(50, 'x'));
  EXPECT_EQ(Gets(), 3U);
  EXPECT_EQ(ahead.held_bytes(), 100);
}

TEST_F(ReadAheadTest, WhatNobodyWantedIsReadFromTheStore) {
  ReadAhead ahead({});
  const KnownObject object = PutObject("a", 1000);
  EXPECT_EQ(Read(ahead, object, 0, 10).value(), "xxxxxxxxxx");
  EXPECT_EQ(ahead.held_bytes(), 0);
}

TEST_F(ReadAheadTest, AnotherVersionOfAKeyIsAnotherObject) {
  ReadAhead ahead({});
  KnownObject object = PutObject("a", 1000, 'x');
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 0, 3).value(), "xxx");
  object = PutObject("a", 1000, 'y');
  object.version = "2";
  EXPECT_EQ(Read(ahead, object, 0, 3).value(), "yyy");
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 0, 3).value(), "yyy");
}

TEST_F(ReadAheadTest, WhatCouldNotBeFetchedFailsAsItsReaderSeesIt) {
  ReadAhead ahead({});
  const KnownObject missing{"none", 1000, "1"};
  ahead.Want(store_, {missing});
  EXPECT_EQ(Read(ahead, missing, 0, 3).status().code(), StatusCode::kNotFound);
  const KnownObject longer{PutObject("a", 999).key, 1000, "1"};
  ahead.Want(store_, {longer});
  EXPECT_EQ(Read(ahead, longer, 0, 3).status().code(), StatusCode::kConflict);
}

TEST_F(ReadAheadTest, AFetchThatFailedIsTriedAgain) {
  ReadAhead ahead({});
  const KnownObject object = PutObject("a", 1000);
  s3_.AnswerInstead([](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.method != "GET") return std::nullopt;
    return FakeS3::Error(403, "AccessDenied");
  });
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 0, 3).status().code(), StatusCode::kPermissionDenied);
  s3_.AnswerInstead(nullptr);
  ahead.Want(store_, {object});
  EXPECT_EQ(Read(ahead, object, 0, 3).value(), "xxx");
  const size_t gets = Gets();
  EXPECT_EQ(Read(ahead, object, 3, 3).value(), "xxx");
  EXPECT_EQ(Gets(), gets);
}

TEST_F(ReadAheadTest, TheNewestStayWithinTheBound) {
  ReadAhead ahead({.max_bytes = 2500});
  std::vector<KnownObject> objects;
  for (const char* key : {"a", "b", "c"}) {
    objects.push_back(PutObject(key, 1000));
    ahead.Want(store_, {objects.back()});
    ASSERT_TRUE(Read(ahead, objects.back(), 0, 1).ok());
    EXPECT_LE(ahead.held_bytes(), 2500);
  }
  const size_t gets = Gets();
  EXPECT_TRUE(Read(ahead, objects[2], 0, 1).ok());
  EXPECT_TRUE(Read(ahead, objects[1], 0, 1).ok());
  EXPECT_EQ(Gets(), gets);
  EXPECT_TRUE(Read(ahead, objects[0], 0, 1).ok());
  EXPECT_EQ(Gets(), gets + 1);
  // More at once than there is room for: the first ones.
  ReadAhead small({.max_bytes = 1500});
  small.Want(store_, objects);
  EXPECT_EQ(small.held_bytes(), 1000);
}

TEST_F(ReadAheadTest, CountsWhatIsAskedForOnce) {
  ReadAhead ahead({.whole_bytes = 1000, .end_bytes = 100});
  const auto cost = std::make_shared<ReadCost>();
  const KnownObject small = PutObject("a", 1000);
  const KnownObject large = PutObject("b", 5000);
  ahead.Want(store_, {small, large}, cost);
  ahead.Want(store_, {small, large}, cost);
  EXPECT_EQ(Read(*ahead.Open(store_, small, cost).value(), 0, 1000).value().size(), 1000U);
  const auto reader = ahead.Open(store_, large, cost).value();
  EXPECT_EQ(Read(*reader, 4950, 50).value().size(), 50U);
  EXPECT_EQ(cost->requests, 2);
  EXPECT_EQ(Read(*reader, 10, 300).value().size(), 300U);
  EXPECT_EQ(cost->requests, 3);
  EXPECT_EQ(cost->bytes, 1400);
  EXPECT_EQ(Read(*ahead.Open(store_, PutObject("c", 10), cost).value(), 0, 10).value().size(), 10U);
  EXPECT_EQ(cost->requests, 4);
  EXPECT_EQ(Gets(), 4U);
}

TEST_F(ReadAheadTest, ReadersMayOutliveIt) {
  const KnownObject object = PutObject("a", 1000);
  std::unique_ptr<ObjectReader> reader;
  {
    ReadAhead ahead({});
    ahead.Want(store_, {object});
    reader = ahead.Open(store_, object).value();
  }
  EXPECT_EQ(Read(*reader, 0, 3).value(), "xxx");
}

TEST_F(ReadAheadTest, ManyAtOnce) {
  ReadAhead ahead({.threads = 4});
  std::vector<KnownObject> objects;
  for (int i = 0; i < 50; ++i) objects.push_back(PutObject("k" + std::to_string(i), 100));
  std::vector<Thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back("reader", [&] {
      ahead.Want(store_, objects);
      for (const KnownObject& object : objects) EXPECT_EQ(Read(ahead, object, 0, 100).value(), std::string(100, 'x'));
    });
  }
  for (Thread& thread : threads) thread.Join();
  EXPECT_EQ(Gets(), objects.size());
}

}  // namespace
}  // namespace tarn::storage
