#include "storage/disk_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "storage/stores.h"
#include "storage/testing/fake_s3.h"
#include "storage/testing/temp_folder.h"

namespace tarn::storage {
namespace {

namespace fs = std::filesystem;

using testing::FakeReply;
using testing::FakeRequest;
using testing::FakeS3;
using ::testing::HasSubstr;

constexpr int64_t kBlock = 1000;
/// What each takes of a disk.
constexpr int64_t kFile = 4096;
constexpr char kUuid[] = "0d8f1c3e-5b7a-4c21-9e6f-8a7b6c5d4e3f";

std::string FileName(int number) { return "t/part-" + std::to_string(number) + "-" + kUuid + ".parquet"; }

class DiskCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { cache_ = Open().value(); }

  Result<std::shared_ptr<DiskCache>> Open(int64_t max_bytes = 1 << 20) {
    return DiskCache::Open({.folder = folder_.path() + "/cache", .max_bytes = max_bytes, .block_bytes = kBlock},
                           clock_);
  }
  std::shared_ptr<ObjectStore> Over() { return cache_->Over(s3_.MakeStore()); }

  std::string PutObject(const std::string& key, size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i / 7 + key.size()) % 26);
    EXPECT_TRUE(s3_.MakeStore()->Put(key, AsBytes(bytes), Precondition::None()).ok());
    return bytes;
  }
  static Result<std::string> Read(ObjectReader& reader, int64_t offset, size_t size, ReadCost* cost = nullptr) {
    std::string bytes(size, '\0');
    const MutableByteSpan out = std::as_writable_bytes(std::span(bytes));
    TARN_ASSIGN_OR_RETURN(const size_t got,
                          cost == nullptr ? reader.ReadAt(offset, out) : reader.ReadCounted(offset, out, *cost));
    bytes.resize(got);
    return bytes;
  }
  static Result<std::string> Read(ObjectStore& store, const std::string& key, int64_t size, ReadCost* cost = nullptr) {
    TARN_ASSIGN_OR_RETURN(const auto reader, store.OpenKnown(key, size));
    return Read(*reader, 0, static_cast<size_t>(size), cost);
  }
  size_t Gets() const {
    size_t gets = 0;
    for (const FakeRequest& request : s3_.requests()) {
      gets += request.method == "GET" && request.query.find("list-type") == std::string::npos ? 1 : 0;
    }
    return gets;
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path() + "/cache")) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }
  FakeClock clock_;
  testing::TempFolder folder_;
  FakeS3 s3_;
  std::shared_ptr<DiskCache> cache_;
};

TEST_F(DiskCacheTest, WhatWasReadIsReadAgainWithoutARequest) {
  const std::string bytes = PutObject(FileName(1), 4500);
  ReadCost first;
  EXPECT_EQ(Read(*Over(), FileName(1), 4500, &first).value(), bytes);
  EXPECT_EQ(Gets(), 1u) << "all blocks of one read by one request";
  EXPECT_EQ(first.requests, 1);
  EXPECT_EQ(first.bytes, 4500);
  // Another process, later.
  cache_ = Open().value();
  ReadCost second;
  EXPECT_EQ(Read(*Over(), FileName(1), 4500, &second).value(), bytes);
  EXPECT_EQ(Gets(), 1u);
  EXPECT_EQ(second.requests, 0);
  EXPECT_EQ(second.bytes, 0);
  EXPECT_EQ(cache_->stats().hits, 5);
  EXPECT_EQ(cache_->stats().hit_bytes, 4500);
  EXPECT_EQ(cache_->stats().misses, 0);
}

TEST_F(DiskCacheTest, EveryRangeIsWhatTheObjectHas) {
  const std::string bytes = PutObject(FileName(1), 3210);
  const auto store = Over();
  for (int64_t offset = 0; offset < 3300; offset += 270) {
    for (const size_t size : {0, 1, 730, 1000, 2500, 4000}) {
      const auto reader = store->OpenKnown(FileName(1), 3210).value();
      const auto from = std::min(static_cast<size_t>(offset), bytes.size());
      EXPECT_EQ(Read(*reader, offset, size).value(), bytes.substr(from, size)) << offset << " " << size;
    }
  }
  EXPECT_LE(Gets(), 4u) << "no block is asked for twice";
}

TEST_F(DiskCacheTest, OneRequestSpansWhatIsMissing) {
  const std::string bytes = PutObject(FileName(1), 9000);
  const auto reader = Over()->OpenKnown(FileName(1), 9000).value();
  EXPECT_EQ(Read(*reader, 4100, 10).value(), bytes.substr(4100, 10));
  EXPECT_EQ(Read(*reader, 1500, 6000).value(), bytes.substr(1500, 6000));
  EXPECT_EQ(Gets(), 2u);
}

TEST_F(DiskCacheTest, IsBoundedAndLosesWhatWasUsedLongestAgo) {
  cache_ = Open(20 * kFile).value();
  const auto store = Over();
  for (int i = 0; i < 60; ++i) {
    PutObject(FileName(i), 1000);
    clock_.Advance(100 * kMicrosPerSecond);
    ASSERT_TRUE(Read(*store, FileName(i), 1000).ok());
    // The first stays in use.
    ASSERT_TRUE(Read(*store, FileName(0), 1000).ok());
    EXPECT_LE(Files().size(), 20u);
  }
  EXPECT_GT(Files().size(), 15u);
  EXPECT_GT(cache_->stats().evicted_bytes, 0);
  const size_t gets = Gets();
  EXPECT_EQ(gets, 60u);
  ASSERT_TRUE(Read(*store, FileName(0), 1000).ok());
  ASSERT_TRUE(Read(*store, FileName(59), 1000).ok());
  EXPECT_EQ(Gets(), gets);
  ASSERT_TRUE(Read(*store, FileName(1), 1000).ok());
  EXPECT_EQ(Gets(), gets + 1);
}

TEST_F(DiskCacheTest, AFolderThatShrankIsSweptWhenItIsOpened) {
  for (int i = 0; i < 20; ++i) {
    PutObject(FileName(i), 1000);
    ASSERT_TRUE(Read(*Over(), FileName(i), 1000).ok());
  }
  const fs::path other = folder_.path() + "/cache/notes";
  std::ofstream(other) << std::string(100'000, 'x');
  const fs::path deep = folder_.path() + "/cache/deep/ab/01234567890123";
  fs::create_directories(deep.parent_path());
  std::ofstream(deep) << std::string(100'000, 'x');
  cache_ = Open(10 * kFile).value();
  EXPECT_TRUE(fs::exists(other)) << "not ours to remove";
  EXPECT_TRUE(fs::exists(deep)) << "blocks are not so deep";
  EXPECT_LE(Files().size(), 10u + 2) << "with the others";
}

TEST_F(DiskCacheTest, TornAndForeignFilesAreNeverServed) {
  const std::string bytes = PutObject(FileName(1), 1000);
  const std::string others = PutObject(FileName(2) + "x", 1000);
  ASSERT_TRUE(Read(*Over(), FileName(2) + "x", 1000).ok());
  const fs::path other = Files().front();
  ASSERT_TRUE(Read(*Over(), FileName(1), 1000).ok());
  fs::path file;
  for (const fs::path& path : Files()) file = path == other ? file : path;
  const auto size = fs::file_size(file);
  const std::vector<std::function<void()>> damages = {
      [&] { fs::resize_file(file, size - 1); },
      [&] { fs::resize_file(file, 0); },
      [&] {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(static_cast<std::streamoff>(size) - 10);
        stream.put('#');
      },
      [&] {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(13);
        stream.put('#');
      },
      [&] { fs::copy_file(other, file, fs::copy_options::overwrite_existing); },
      [&] {
        fs::remove(file);
        fs::create_symlink(other, file);
      },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    damages[i]();
    EXPECT_EQ(Read(*Over(), FileName(1), 1000).value(), bytes) << i;
    EXPECT_EQ(Gets(), 3 + i) << "fetched again";
    EXPECT_EQ(Read(*Over(), FileName(1), 1000).value(), bytes) << i;
    EXPECT_EQ(Gets(), 3 + i) << "and kept again";
  }
  EXPECT_EQ(cache_->stats().damaged, 5);
  EXPECT_EQ(Read(*Over(), FileName(2) + "x", 1000).value(), others);
}

TEST_F(DiskCacheTest, WhatIsNoFileIsRemovedFromABlocksPlace) {
  const std::string bytes = PutObject(FileName(1), 1000);
  ASSERT_TRUE(Read(*Over(), FileName(1), 1000).ok());
  const fs::path file = Files().front();
  const std::vector<std::function<void()>> things = {
      [&] { ASSERT_EQ(mkfifo(file.c_str(), 0600), 0); },
      [&] { ASSERT_TRUE(fs::create_directory(file)); },
  };
  for (size_t i = 0; i < things.size(); ++i) {
    fs::remove(file);
    things[i]();
    EXPECT_EQ(Read(*Over(), FileName(1), 1000).value(), bytes) << i;
    EXPECT_EQ(cache_->stats().damaged, static_cast<int64_t>(i) + 1);
    EXPECT_TRUE(fs::is_regular_file(file)) << i << ": kept again";
  }
  // What others put there stays.
  fs::remove(file);
  ASSERT_TRUE(fs::create_directories(file / "others"));
  EXPECT_EQ(Read(*Over(), FileName(1), 1000).value(), bytes);
  EXPECT_TRUE(fs::exists(file / "others"));
}

TEST_F(DiskCacheTest, NothingIsDoneBehindASymbolicLink) {
  const std::string bytes = PutObject(FileName(1), 1000);
  ASSERT_TRUE(Read(*Over(), FileName(1), 1000).ok());
  const fs::path file = Files().front();
  const fs::path part = file.parent_path();
  const fs::path outside = folder_.path() + "/outside";
  fs::rename(part, outside);
  fs::create_directory_symlink(outside, part);
  const auto is_alone = [&] { return std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1; };
  std::ofstream(outside / file.filename()) << "torn";
  EXPECT_EQ(Read(*Over(), FileName(1), 1000).value(), bytes);
  EXPECT_EQ(Gets(), 2u) << "not served from there";
  EXPECT_EQ(fs::file_size(outside / file.filename()), 4u) << "neither replaced nor removed";
  cache_ = Open(1).value();
  EXPECT_TRUE(is_alone()) << "nor swept";
}

TEST_F(DiskCacheTest, ReadersOfOneBlockShareARequest) {
  constexpr int kReaders = 6;
  const std::string bytes = PutObject(FileName(1), 2500);
  std::latch asked(1);
  std::atomic<bool> was_asked = false;
  std::latch all_wait(kReaders);
  s3_.AnswerInstead([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (!was_asked.exchange(true)) asked.count_down();
    all_wait.wait();
    return std::nullopt;
  });
  const auto store = Over();
  std::vector<std::unique_ptr<ObjectReader>> readers;
  for (int i = 0; i < kReaders; ++i) readers.push_back(store->OpenKnown(FileName(1), 2500).value());
  {
    std::vector<Thread> threads;
    for (int i = 0; i < kReaders; ++i) {
      threads.emplace_back("reader", [&, i] {
        // The others come while the first waits for its answer.
        if (i > 0) asked.wait();
        all_wait.count_down();
        EXPECT_EQ(Read(*readers[static_cast<size_t>(i)], 0, 2500).value(), bytes);
      });
    }
  }
  EXPECT_EQ(Gets(), 1u);
  EXPECT_EQ(cache_->stats().hits + cache_->stats().shared, 3 * (kReaders - 1));
}

TEST_F(DiskCacheTest, AFailedFetchIsItsReadersErrorAndKeptNowhere) {
  const std::string bytes = PutObject(FileName(1), 1500);
  s3_.AnswerInstead([](const FakeRequest&) -> std::optional<FakeReply> { return FakeS3::Error(403, "AccessDenied"); });
  EXPECT_EQ(Read(*Over(), FileName(1), 1500).status().code(), StatusCode::kPermissionDenied);
  s3_.AnswerInstead(nullptr);
  EXPECT_EQ(Read(*Over(), FileName(1), 1500).value(), bytes);
  EXPECT_EQ(Read(*Over(), FileName(2), 1500).status().code(), StatusCode::kNotFound);
  for (const int64_t wrong : {1400, 1600}) {
    EXPECT_EQ(Read(*Over(), FileName(1), wrong).status().code(), StatusCode::kConflict) << wrong;
  }
}

TEST_F(DiskCacheTest, NamesThatMayBeGivenTwiceAreNotKept) {
  PutObject("t/data.parquet", 1500);
  const auto store = Over();
  ASSERT_TRUE(Read(*store, "t/data.parquet", 1500).ok());
  const std::string newer = std::string(1500, '!');
  ASSERT_TRUE(s3_.MakeStore()->Put("t/data.parquet", AsBytes(newer), Precondition::None()).ok());
  EXPECT_EQ(Read(*store, "t/data.parquet", 1500).value(), newer);
  EXPECT_TRUE(Files().empty());
}

TEST_F(DiskCacheTest, LogFilesAreKeptUnderTheTagOfTheLastListing) {
  const std::string commit = "t/_delta_log/00000000000000000001.json";
  const std::string hint = "t/_delta_log/_last_checkpoint";
  const std::string old_bytes = PutObject(commit, 1500);
  PutObject(hint, 100);
  const auto store = Over();
  const auto list = [&](ObjectStore& of) { return of.ListAll({.prefix = "t/_delta_log/"}).value().size(); };
  EXPECT_EQ(store->Get(commit).value(), old_bytes);
  EXPECT_TRUE(Files().empty()) << "no listing told of it";
  EXPECT_EQ(list(*store), 2u);
  EXPECT_EQ(store->Get(commit).value(), old_bytes);
  const size_t gets = Gets();
  EXPECT_EQ(store->Get(commit).value(), old_bytes);
  EXPECT_EQ(Gets(), gets);
  EXPECT_TRUE(store->Get(hint).ok());
  EXPECT_EQ(Gets(), gets + 1) << "it changes";

  // A table made anew in its place, as the listing tells.
  const std::string new_bytes(1500, '!');
  ASSERT_TRUE(s3_.MakeStore()->Put(commit, AsBytes(new_bytes), Precondition::None()).ok());
  EXPECT_EQ(list(*store), 2u);
  EXPECT_EQ(store->Get(commit).value(), new_bytes);
  // And one that is gone is not listed.
  ASSERT_TRUE(s3_.MakeStore()->Delete(commit).ok());
  EXPECT_EQ(list(*store), 1u);
  ASSERT_TRUE(store->Delete(commit).ok());
  EXPECT_EQ(store->Get(commit).status().code(), StatusCode::kNotFound);
}

TEST_F(DiskCacheTest, ALogFileOverwrittenBehindAListingIsAConflictOnce) {
  const std::string checkpoint = "t/_delta_log/00000000000000000001.checkpoint.parquet";
  PutObject(checkpoint, 1500);
  const auto store = Over();
  ASSERT_EQ(store->ListAll({}).value().size(), 1u);
  const std::string newer(1500, '!');
  ASSERT_TRUE(s3_.MakeStore()->Put(checkpoint, AsBytes(newer), Precondition::None()).ok());
  const Status overwritten = store->Get(checkpoint).status();
  EXPECT_EQ(overwritten.code(), StatusCode::kConflict);
  EXPECT_THAT(overwritten.message(), HasSubstr("overwritten after it was listed"));
  EXPECT_EQ(store->Get(checkpoint).value(), newer);
}

TEST_F(DiskCacheTest, TheFolderIsItsOwnersAlone) {
  struct stat info;
  const std::string path = folder_.path() + "/cache";
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  const Status refused = Open().status();
  EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr(path));
  std::ofstream(folder_.path() + "/file") << "x";
  EXPECT_EQ(DiskCache::Open({.folder = folder_.path() + "/file"}, clock_).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(DiskCacheTest, ADiskThatTakesNothingIsNoError) {
  const std::string bytes = PutObject(FileName(1), 1500);
  // A file is where each of its folders would be.
  for (int i = 0; i < 256; ++i) {
    std::string name(2, '0');
    name[0] = "0123456789abcdef"[i / 16];
    name[1] = "0123456789abcdef"[i % 16];
    std::ofstream(folder_.path() + "/cache/" + name) << "";
  }
  EXPECT_EQ(Read(*Over(), FileName(1), 1500).value(), bytes);
  EXPECT_EQ(Read(*Over(), FileName(1), 1500).value(), bytes);
  EXPECT_EQ(cache_->stats().store_failures, 4);
}

// Both write the same blocks and room is short, so that each removes what the other reads.
TEST_F(DiskCacheTest, ProcessesShareAFolder) {
  std::vector<std::string> contents;
  for (int i = 0; i < 12; ++i) contents.push_back(PutObject(FileName(i), 2500));
  const auto read_all = [&](DiskCache& cache) {
    const auto store = cache.Over(s3_.MakeStore());
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 12; ++i) {
        const auto read = Read(*store, FileName(i), 2500);
        if (!read.ok() || *read != contents[static_cast<size_t>(i)]) return false;
      }
    }
    return true;
  };
  const auto first = Open(20 * kFile).value();
  const auto second = Open(20 * kFile).value();
  Thread other("other", [&] { EXPECT_TRUE(read_all(*first)); });
  EXPECT_TRUE(read_all(*second));
  other.Join();
  EXPECT_LE(Files().size(), 20u + 2 * (20 / 16 + 1));
}

}  // namespace
}  // namespace tarn::storage
