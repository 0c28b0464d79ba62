#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "storage/disk_cache.h"
#include "storage/local_store.h"
#include "storage/metering_store.h"
#include "storage/proven_store.h"
#include "storage/retrying_store.h"
#include "storage/served_store.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"
#include "storage/testing/fault_injection.h"
#include "storage/testing/temp_folder.h"

namespace tarn::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A fresh, empty store of one kind, with what must outlive it.
struct StoreUnderTest {
  std::unique_ptr<testing::TempFolder> folder;
  std::shared_ptr<ObjectStore> store;
  std::shared_ptr<testing::FakeS3> server = nullptr;
};

struct StoreKind {
  std::string name;
  std::function<StoreUnderTest()> make;
  /// Tags say what an object holds, times are in seconds, and old versions are not kept.
  bool is_s3 = false;
};

/// A service that runs while the tests do, in a bucket for them: what OpenStore takes. tests/test_object_stores.py.
constexpr char kS3Variable[] = "TARN_TEST_S3_URI";

StoreUnderTest OnService() {
  static Random random = Random::FromSystem();
  return {nullptr, OpenStore(std::string(std::getenv(kS3Variable)) + "/" + random.Uuid()).value()};
}

StoreUnderTest OnFakeS3() {
  auto server = std::make_shared<testing::FakeS3>(testing::FakeS3::Habits{.page_size = 3});
  auto store = server->MakeStore();
  return {nullptr, std::move(store), std::move(server)};
}

StoreUnderTest OnDisk(const std::function<std::shared_ptr<ObjectStore>(const std::string&)>& make) {
  StoreUnderTest under_test{std::make_unique<testing::TempFolder>(), nullptr};
  under_test.store = make(under_test.folder->path());
  return under_test;
}

/// What every store promises (object_store.h).
class ObjectStoreConformance : public ::testing::TestWithParam<StoreKind> {
 protected:
  ObjectStoreConformance() : under_test_(GetParam().make()), store_(*under_test_.store) {}

  Result<ObjectInfo> Put(std::string_view key, std::string_view bytes, const Precondition& p = Precondition::None()) {
    return store_.Put(key, AsBytes(bytes), p);
  }
  std::vector<std::string> Keys(const ListOptions& options) {
    std::vector<std::string> keys;
    EXPECT_TRUE(store_
                    .List(options,
                          [&](const ListEntry& entry) {
                            EXPECT_EQ(entry.is_folder, entry.object.key.ends_with('/'));
                            keys.push_back(entry.object.key);
                            return true;
                          })
                    .ok());
    return keys;
  }

  StoreUnderTest under_test_;
  ObjectStore& store_;
};

TEST_P(ObjectStoreConformance, ReadsBackWhatWasPut) {
  const std::string bytes = std::string("a\0b", 3) + std::string(100'000, 'x');
  const ObjectInfo put = Put("f/o/o", bytes).value();
  EXPECT_EQ(put.key, "f/o/o");
  EXPECT_EQ(put.size_bytes, static_cast<int64_t>(bytes.size()));
  EXPECT_FALSE(put.etag.empty());
  EXPECT_GT(put.modified_micros, 0);
  const ObjectInfo head = store_.Head("f/o/o").value();
  EXPECT_EQ(head.key, put.key);
  EXPECT_EQ(head.etag, put.etag);
  EXPECT_EQ(head.size_bytes, put.size_bytes);
  EXPECT_NEAR(head.modified_micros, put.modified_micros, GetParam().is_s3 ? 5.0 * kMicrosPerSecond : 0.0);
  EXPECT_EQ(store_.Get("f/o/o").value(), bytes);
  ASSERT_TRUE(Put("empty", "").ok());
  EXPECT_EQ(store_.Get("empty").value(), "");
}

// A distant store asks nothing when it is told the size, so that what is wrong shows with the first read.
TEST_P(ObjectStoreConformance, ReadsWhatIsKnownToHaveASize) {
  std::string bytes(300'000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 23);
  ASSERT_TRUE(Put("f/known", bytes).ok());
  const auto size = static_cast<int64_t>(bytes.size());
  const auto reader = store_.OpenKnown("f/known", size).value();
  EXPECT_EQ(reader->info().key, "f/known");
  EXPECT_EQ(reader->info().size_bytes, size);
  std::string part(1000, '\0');
  for (const int64_t offset : {size - 1000, int64_t{0}, int64_t{123'456}}) {
    ASSERT_EQ(reader->ReadAt(offset, std::as_writable_bytes(std::span(part))).value(), part.size());
    EXPECT_EQ(part, bytes.substr(static_cast<size_t>(offset), part.size()));
  }
  EXPECT_EQ(reader->ReadAt(size - 10, std::as_writable_bytes(std::span(part))).value(), 10U);
  EXPECT_EQ(reader->ReadAt(size, std::as_writable_bytes(std::span(part))).value(), 0U);

  const auto first_read = [&](std::string_view key, int64_t known) -> Status {
    TARN_ASSIGN_OR_RETURN(const auto opened, store_.OpenKnown(key, known));
    return opened->ReadAt(0, std::as_writable_bytes(std::span(part))).status();
  };
  EXPECT_EQ(first_read("none", 10).code(), StatusCode::kNotFound);
  EXPECT_EQ(first_read("f/known", size - 1).code(), StatusCode::kConflict);
  EXPECT_EQ(first_read("f/known", size + 1).code(), StatusCode::kConflict);
}

TEST_P(ObjectStoreConformance, TellsWhatDoesNotExist) {
  EXPECT_EQ(store_.Head("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.Open("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.Get("no/ne").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_.Delete("no/ne").ok());
  EXPECT_THAT(Keys({}), IsEmpty());
  EXPECT_THAT(Keys({.prefix = "no/"}), IsEmpty());
  ASSERT_TRUE(Put("a/b", "x").ok());
  EXPECT_EQ(store_.Head("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.Open("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_.Head("a/b/c").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_.Delete("a").ok());
  EXPECT_TRUE(store_.Head("a/b").ok());
}

TEST_P(ObjectStoreConformance, RefusesWhatIsNoKey) {
  const std::string with_zero("a\0b", 3);
  for (const std::string_view key :
       {std::string_view(""), std::string_view("/a"), std::string_view("a/"), std::string_view("a//b"),
        std::string_view("."), std::string_view("a/../b"), std::string_view(".."), std::string_view(with_zero)}) {
    EXPECT_EQ(Put(key, "x").status().code(), StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_.Head(key).status().code(), StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_.Open(key).status().code(), StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_.OpenWriter(key, Precondition::None()).status().code(), StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_.Delete(key).code(), StatusCode::kInvalidArgument) << key;
  }
  EXPECT_THAT(Keys({.prefix = "../"}), IsEmpty());
  EXPECT_THAT(Keys({.prefix = "/"}), IsEmpty());
}

TEST_P(ObjectStoreConformance, KeepsAnyOtherKeyApart) {
  const std::vector<std::string> keys = {"%41",         "A",           "a",       "a b", "a?b=c#d",
                                         "b=1/c=%2F/x", "caf\xc3\xa9", ".hidden", "_x"};
  for (const std::string& key : keys) ASSERT_TRUE(Put(key, key).ok()) << key;
  for (const std::string& key : keys) EXPECT_EQ(store_.Get(key).value(), key);
  std::vector<std::string> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(Keys({}), sorted);
}

TEST_P(ObjectStoreConformance, PutIfAbsentTakesEffectOnce) {
  EXPECT_TRUE(Put("k", "one", Precondition::IfAbsent()).ok());
  EXPECT_EQ(Put("k", "two", Precondition::IfAbsent()).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(store_.Get("k").value(), "one");
  ASSERT_TRUE(store_.Delete("k").ok());
  EXPECT_TRUE(Put("k", "three", Precondition::IfAbsent()).ok());
  EXPECT_EQ(store_.Get("k").value(), "three");
}

TEST_P(ObjectStoreConformance, PutIfMatchReplacesOnlyThatVersion) {
  EXPECT_EQ(Put("k", "one", Precondition::IfMatch("x")).status().code(), StatusCode::kConflict);
  EXPECT_EQ(store_.Head("k").status().code(), StatusCode::kNotFound);
  std::string etag = Put("k", "0").value().etag;
  for (int i = 1; i < 20; ++i) {
    const std::string old = etag;
    etag = Put("k", std::to_string(i % 10), Precondition::IfMatch(etag)).value().etag;
    EXPECT_NE(etag, old);
    EXPECT_EQ(Put("k", "lost", Precondition::IfMatch(old)).status().code(), StatusCode::kConflict);
    EXPECT_EQ(store_.Get("k").value(), std::to_string(i % 10));
  }
}

TEST_P(ObjectStoreConformance, EveryOverwriteHasANewTag) {
  std::vector<std::string> etags;
  for (int i = 0; i < 50; ++i) {
    etags.push_back(Put("k", GetParam().is_s3 ? std::to_string(i) : "same").value().etag);
  }
  std::sort(etags.begin(), etags.end());
  EXPECT_EQ(std::unique(etags.begin(), etags.end()), etags.end());
}

TEST_P(ObjectStoreConformance, RacesOfPutIfAbsentHaveOneWinner) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 25;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "race/" + std::to_string(round);
    std::atomic<int> winners = 0;
    std::atomic<int> ready = 0;
    {
      std::vector<Thread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back("racer", [&, i] {
          ++ready;
          while (ready < kThreads) std::this_thread::yield();
          const Status status = Put(key, std::to_string(i), Precondition::IfAbsent()).status();
          if (status.ok()) {
            winners += 100 + i;
          } else {
            EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
          }
        });
      }
    }
    ASSERT_EQ(winners / 100, 1);
    EXPECT_EQ(store_.Get(key).value(), std::to_string(winners % 100));
  }
}

TEST_P(ObjectStoreConformance, RacesOfPutIfMatchLoseNoUpdate) {
  constexpr int kThreads = 4;
  constexpr int kIncrements = 10;
  ASSERT_TRUE(Put("counter", "0").ok());
  {
    std::vector<Thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back("adder", [&] {
        for (int done = 0; done < kIncrements;) {
          const auto reader = store_.Open("counter").value();
          std::string text(static_cast<size_t>(reader->info().size_bytes), ' ');
          ASSERT_TRUE(reader->ReadAt(0, std::as_writable_bytes(std::span(text))).ok());
          const Status status =
              Put("counter", std::to_string(std::stoi(text) + 1), Precondition::IfMatch(reader->info().etag)).status();
          if (status.ok()) ++done;
          ASSERT_TRUE(status.ok() || status.Is(StatusCode::kConflict)) << status.ToString();
        }
      });
    }
  }
  EXPECT_EQ(store_.Get("counter").value(), std::to_string(kThreads * kIncrements));
}

TEST_P(ObjectStoreConformance, ListsInByteOrderOfWholeKeys) {
  // '-' and '.' sort before '/', '0' behind it.
  const std::vector<std::string> keys = {"a-/x", "a.b", "a/b/c",          "a/b/d",   "a/b0",
                                         "a/c",  "a0",  "b/_delta_log/0", "b/x=1/p", "c"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    ASSERT_TRUE(Put(*key, *key).ok());
  }
  EXPECT_EQ(Keys({}), keys);
  EXPECT_THAT(Keys({.prefix = "a/"}), ElementsAre("a/b/c", "a/b/d", "a/b0", "a/c"));
  EXPECT_THAT(Keys({.prefix = "a/b"}), ElementsAre("a/b/c", "a/b/d", "a/b0"));
  EXPECT_THAT(Keys({.prefix = "a"}), ElementsAre("a-/x", "a.b", "a/b/c", "a/b/d", "a/b0", "a/c", "a0"));
  EXPECT_THAT(Keys({.prefix = "a/c"}), ElementsAre("a/c"));
  EXPECT_THAT(Keys({.prefix = "a/c/"}), IsEmpty());
  EXPECT_THAT(Keys({.prefix = "a//"}), IsEmpty());
  EXPECT_THAT(Keys({.group_by_folder = true}), ElementsAre("a-/", "a.b", "a/", "a0", "b/", "c"));
  EXPECT_THAT(Keys({.prefix = "a", .group_by_folder = true}), ElementsAre("a-/", "a.b", "a/", "a0"));
  EXPECT_THAT(Keys({.prefix = "a/", .group_by_folder = true}), ElementsAre("a/b/", "a/b0", "a/c"));
  EXPECT_THAT(Keys({.prefix = "b/", .group_by_folder = true}), ElementsAre("b/_delta_log/", "b/x=1/"));
}

TEST_P(ObjectStoreConformance, ListsBehindAKeyAlikeForEveryStart) {
  const std::vector<std::string> keys = {"a-/x", "a.b", "a/b/c", "a/b/d", "a/b0", "a/c", "a0"};
  for (const std::string& key : keys) ASSERT_TRUE(Put(key, key).ok());
  for (const bool group : {false, true}) {
    for (const std::string prefix : {"", "a", "a/", "a/b"}) {
      const std::vector<std::string> all = Keys({.prefix = prefix, .group_by_folder = group});
      for (const std::string start :
           {"A", "a", "a-", "a-/", "a-/x", "a/", "a/b", "a/b/", "a/b/c", "a/b/cc", "a/b0", "a/z", "a0", "b"}) {
        std::vector<std::string> expected;
        for (const std::string& key : all) {
          if (key > start) expected.push_back(key);
        }
        EXPECT_EQ(Keys({.prefix = prefix, .start_after = start, .group_by_folder = group}), expected)
            << "prefix '" << prefix << "' start '" << start << "'";
      }
    }
  }
}

TEST_P(ObjectStoreConformance, ListStopsWhenToldAndShowsWhatHeadShows) {
  for (int i = 0; i < 270; ++i) ASSERT_TRUE(Put("n/" + std::to_string(1000 + i), "x").ok());
  int seen = 0;
  ASSERT_TRUE(store_.List({}, [&](const ListEntry&) { return ++seen < 260; }).ok());
  EXPECT_EQ(seen, 260);
  const std::vector<ListEntry> all = store_.ListAll({}).value();
  ASSERT_EQ(all.size(), 270u);
  const ObjectInfo head = store_.Head("n/1269").value();
  EXPECT_EQ(all.back().object.key, head.key);
  EXPECT_EQ(all.back().object.etag, head.etag);
  EXPECT_EQ(all.back().object.size_bytes, head.size_bytes);
  EXPECT_EQ(all.back().object.modified_micros, head.modified_micros);
}

TEST_P(ObjectStoreConformance, AFolderIsGoneWithItsLastObject) {
  ASSERT_TRUE(Put("d/e/f", "x").ok());
  ASSERT_TRUE(Put("g", "x").ok());
  EXPECT_THAT(Keys({.group_by_folder = true}), ElementsAre("d/", "g"));
  ASSERT_TRUE(store_.Delete("d/e/f").ok());
  EXPECT_EQ(store_.Head("d/e/f").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(Keys({.group_by_folder = true}), ElementsAre("g"));
}

TEST_P(ObjectStoreConformance, ReadersKeepTheirVersion) {
  ASSERT_TRUE(Put("k", "old bytes").ok());
  const std::unique_ptr<ObjectReader> reader = store_.Open("k").value();
  ASSERT_TRUE(Put("k", "new").ok());
  std::string bytes(32, '#');
  EXPECT_EQ(reader->ReadAt(0, std::as_writable_bytes(std::span(bytes))).value(), 9u);
  EXPECT_EQ(bytes.substr(0, 9), "old bytes");
  ASSERT_TRUE(store_.Delete("k").ok());
  EXPECT_EQ(reader->ReadAt(4, std::as_writable_bytes(std::span(bytes)).subspan(0, 3)).value(), 3u);
  EXPECT_EQ(bytes.substr(0, 3), "byt");
  EXPECT_EQ(reader->ReadAt(9, std::as_writable_bytes(std::span(bytes))).value(), 0u);
  EXPECT_EQ(reader->ReadAt(100, std::as_writable_bytes(std::span(bytes))).value(), 0u);
  EXPECT_EQ(reader->ReadAt(-1, std::as_writable_bytes(std::span(bytes))).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(ObjectStoreConformance, LargeObjectsAreReadInPartsOfOneVersion) {
  std::string bytes(200'000, 'a');
  for (size_t i = 0; i < bytes.size(); i += 1000) bytes[i] = static_cast<char>('b' + i / 1000 % 20);
  ASSERT_TRUE(Put("large", bytes).ok());
  EXPECT_EQ(store_.Get("large").value(), bytes);
  const std::unique_ptr<ObjectReader> reader = store_.Open("large").value();
  const auto part = [&](int64_t offset, size_t length) -> Result<std::string> {
    std::string out(length, '#');
    TARN_ASSIGN_OR_RETURN(const size_t got, reader->ReadAt(offset, std::as_writable_bytes(std::span(out))));
    return out.substr(0, got);
  };
  for (const size_t offset : {0u, 65'000u, 65'535u, 65'536u, 150'000u, 199'000u}) {
    EXPECT_EQ(part(static_cast<int64_t>(offset), 3'000).value(), bytes.substr(offset, 3'000)) << offset;
  }
  ASSERT_TRUE(Put("large", std::string(200'000, 'z')).ok());
  const auto after = part(150'000, 3'000);
  if (GetParam().is_s3) {
    EXPECT_EQ(after.status().code(), StatusCode::kConflict);
  } else {
    EXPECT_EQ(after.value(), bytes.substr(150'000, 3'000));
  }
}

TEST_P(ObjectStoreConformance, LargeObjectsAreWrittenInPieces) {
  const std::string piece(3 << 20, 'p');
  {
    const std::unique_ptr<ObjectWriter> abandoned = store_.OpenWriter("a", Precondition::None()).value();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(abandoned->Append(AsBytes(piece)).ok());
    EXPECT_THAT(Keys({}), IsEmpty());
  }
  EXPECT_THAT(Keys({}), IsEmpty());
  const std::unique_ptr<ObjectWriter> first = store_.OpenWriter("w", Precondition::IfAbsent()).value();
  const std::unique_ptr<ObjectWriter> second = store_.OpenWriter("w", Precondition::IfAbsent()).value();
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(first->Append(AsBytes(piece)).ok());
    ASSERT_TRUE(second->Append(AsBytes(piece)).ok());
  }
  ASSERT_TRUE(first->Append(AsBytes("end")).ok());
  const ObjectInfo info = first->Finish().value();
  EXPECT_EQ(info.size_bytes, static_cast<int64_t>(6 * piece.size() + 3));
  EXPECT_EQ(info.etag, store_.Head("w").value().etag);
  EXPECT_EQ(second->Finish().status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(store_.Get("w").value() == piece + piece + piece + piece + piece + piece + "end");
}

TEST_P(ObjectStoreConformance, WritersShowNothingUntilFinished) {
  std::string expected;
  {
    const std::unique_ptr<ObjectWriter> writer = store_.OpenWriter("w/k", Precondition::IfAbsent()).value();
    for (int i = 0; i < 100; ++i) {
      const std::string piece(static_cast<size_t>(i) * 100, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(writer->Append(AsBytes(piece)).ok());
      expected += piece;
    }
    EXPECT_EQ(store_.Head("w/k").status().code(), StatusCode::kNotFound);
    EXPECT_THAT(Keys({}), IsEmpty());
    EXPECT_THAT(Keys({.group_by_folder = true}), IsEmpty());
    const ObjectInfo info = writer->Finish().value();
    EXPECT_EQ(info.key, "w/k");
    EXPECT_EQ(info.size_bytes, static_cast<int64_t>(expected.size()));
    EXPECT_EQ(info.etag, store_.Head("w/k").value().etag);
    EXPECT_EQ(writer->Append(AsBytes("x")).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(writer->Finish().status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(store_.Get("w/k").value(), expected);
  const std::unique_ptr<ObjectWriter> loser = store_.OpenWriter("w/k", Precondition::IfAbsent()).value();
  ASSERT_TRUE(loser->Append(AsBytes("x")).ok());
  EXPECT_EQ(loser->Finish().status().code(), StatusCode::kAlreadyExists);
  {
    auto abandoned = store_.OpenWriter("w/abandoned", Precondition::None()).value();
  }
  EXPECT_THAT(Keys({}), ElementsAre("w/k"));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ObjectStoreConformance);

INSTANTIATE_TEST_SUITE_P(Service, ObjectStoreConformance,
                         ::testing::ValuesIn(std::getenv(kS3Variable) == nullptr
                                                 ? std::vector<StoreKind>()
                                                 : std::vector<StoreKind>{{"S3", OnService, true}}),
                         [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Stores, ObjectStoreConformance,
    ::testing::Values(
        StoreKind{"Memory", [] { return StoreUnderTest{nullptr, MakeMemoryStore(SystemClock())}; }},
        StoreKind{"Local", [] { return OnDisk([](const auto& path) { return OpenLocalStore(path).value(); }); }},
        StoreKind{"LocalNamedTemporaries",
                  [] {
                    return OnDisk(
                        [](const auto& path) { return internal::MakeLocalStore(path + "/x y", false).value(); });
                  }},
        StoreKind{"PrefixOfLocal",
                  [] {
                    return OnDisk(
                        [](const auto& path) { return MakePrefixStore(OpenLocalStore(path).value(), "p/q/"); });
                  }},
        StoreKind{
            "Metering",
            [] { return StoreUnderTest{nullptr, MakeMeteringStore(MakeMemoryStore(SystemClock()), SystemClock())}; }},
        StoreKind{"Retrying",
                  [] {
                    static Random random(1);
                    return StoreUnderTest{nullptr,
                                          MakeRetryingStore(MakeMemoryStore(SystemClock()), {}, SystemClock(), random)};
                  }},
        StoreKind{"Faulty",
                  [] {
                    return StoreUnderTest{nullptr,
                                          testing::MakeFaultyStore(MakeMemoryStore(SystemClock()),
                                                                   std::make_shared<testing::FaultInjector>())};
                  }},
        StoreKind{"Served", [] { return StoreUnderTest{nullptr, MakeServedStore(MakeMemoryStore(SystemClock()))}; }},
        StoreKind{"FakeS3", OnFakeS3, true},
        StoreKind{"CachedOnDisk",
                  [] {
                    StoreUnderTest under_test = OnFakeS3();
                    under_test.folder = std::make_unique<testing::TempFolder>();
                    const DiskCacheOptions options{.folder = under_test.folder->path() + "/cache", .block_bytes = 4096};
                    under_test.store = DiskCache::Open(options, SystemClock()).value()->Over(under_test.store);
                    return under_test;
                  },
                  true},
        StoreKind{"Proven",
                  [] {
                    static Random random(2);
                    return StoreUnderTest{nullptr, MakeProvenStore(MakeMemoryStore(SystemClock()), random)};
                  }},
        StoreKind{"PrefixOfMemory",
                  [] {
                    auto inner = MakeMemoryStore(SystemClock());
                    EXPECT_TRUE(inner->Put("o", AsBytes("outside"), Precondition::None()).ok());
                    EXPECT_TRUE(inner->Put("pp", AsBytes("outside"), Precondition::None()).ok());
                    return StoreUnderTest{nullptr, MakePrefixStore(std::move(inner), "p")};
                  }}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tarn::storage
