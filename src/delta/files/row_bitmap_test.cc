#include "delta/files/row_bitmap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <roaring/roaring.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <set>

#include "base/random.h"

namespace tarn::delta {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<int64_t> Members(const RowBitmap& bitmap, int64_t begin = 0, int64_t end = INT64_MAX) {
  std::vector<int64_t> rows;
  bitmap.AppendRange(begin, end, rows);
  return rows;
}

/// As other writers make it: CRoaring's bytes per upper half.
std::string WrittenByRoaring(const std::vector<int64_t>& rows) {
  std::string out("\xD1\xD3\x39\x64", 4);
  std::set<uint32_t> upper_halves;
  for (const int64_t row : rows) upper_halves.insert(static_cast<uint32_t>(row >> 32));
  const uint64_t bitmaps = upper_halves.size();
  out.append(reinterpret_cast<const char*>(&bitmaps), sizeof(bitmaps));
  for (const uint32_t upper_half : upper_halves) {
    const std::unique_ptr<roaring_bitmap_t, decltype(&roaring_bitmap_free)> bitmap(roaring_bitmap_create(),
                                                                                   roaring_bitmap_free);
    for (const int64_t row : rows) {
      if (row >> 32 == upper_half) roaring_bitmap_add(bitmap.get(), static_cast<uint32_t>(row));
    }
    roaring_bitmap_run_optimize(bitmap.get());
    out.append(reinterpret_cast<const char*>(&upper_half), sizeof(upper_half));
    std::string bytes(roaring_bitmap_portable_size_in_bytes(bitmap.get()), '\0');
    roaring_bitmap_portable_serialize(bitmap.get(), bytes.data());
    out += bytes;
  }
  return out;
}

std::vector<int64_t> Sparse() { return {0, 3, 65535, 65536, 1'000'000, 5'000'000'000, 9'000'000'000'000}; }

std::vector<int64_t> Dense() {
  std::vector<int64_t> rows;
  for (int64_t row = 100; row < 300'000; row += 1 + (row % 7 == 0) + (row % 11 == 0)) rows.push_back(row);
  return rows;
}

std::vector<int64_t> InRuns() {
  std::vector<int64_t> rows(70'000);
  std::iota(rows.begin(), rows.end(), 1000);
  for (int64_t row = 200'000; row < 200'050; ++row) rows.push_back(row);
  return rows;
}

TEST(RowBitmap, ReadsWhatRoaringWrites) {
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>(), Sparse(), Dense(), InRuns()}) {
    const auto bitmap = RowBitmap::Parse(WrittenByRoaring(rows));
    ASSERT_TRUE(bitmap.ok()) << bitmap.status().ToString();
    EXPECT_EQ(bitmap->count(), static_cast<int64_t>(rows.size()));
    EXPECT_THAT(Members(*bitmap), ElementsAreArray(rows));
    EXPECT_EQ(bitmap->Serialize(), WrittenByRoaring(rows));
  }
}

TEST(RowBitmap, RoaringReadsWhatItWrites) {
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{7}, Dense(), InRuns()}) {
    const std::string bytes = RowBitmap::Of(rows).Serialize();
    const std::string_view bitmap = std::string_view(bytes).substr(16);
    const std::unique_ptr<roaring_bitmap_t, decltype(&roaring_bitmap_free)> read(
        roaring_bitmap_portable_deserialize_safe(bitmap.data(), bitmap.size()), roaring_bitmap_free);
    ASSERT_NE(read, nullptr);
    std::vector<uint32_t> values(roaring_bitmap_get_cardinality(read.get()));
    roaring_bitmap_to_uint32_array(read.get(), values.data());
    EXPECT_THAT(values, ElementsAreArray(rows));
  }
}

TEST(RowBitmap, AnswersForRanges) {
  for (const bool runs : {false, true}) {
    for (const std::vector<int64_t>& rows : {Sparse(), Dense(), InRuns()}) {
      const RowBitmap bitmap = runs ? *RowBitmap::Parse(WrittenByRoaring(rows)) : RowBitmap::Of(rows);
      Random random(7);
      for (int i = 0; i < 300; ++i) {
        const auto begin = static_cast<int64_t>(random.Below(310'000));
        const auto end = begin + static_cast<int64_t>(random.Below(70'000));
        const auto first = std::lower_bound(rows.begin(), rows.end(), begin);
        const std::vector<int64_t> want(first, std::lower_bound(first, rows.end(), end));
        ASSERT_EQ(Members(bitmap, begin, end), want) << begin << " to " << end;
      }
      EXPECT_EQ(Members(bitmap, -5, 0), std::vector<int64_t>());
    }
  }
}

TEST(RowBitmap, RefusesEveryShorterText) {
  for (const std::vector<int64_t>& rows : {Sparse(), Dense(), InRuns()}) {
    const std::string bytes = WrittenByRoaring(rows);
    for (size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
      EXPECT_TRUE(RowBitmap::Parse(bytes.substr(0, size)).status().Is(StatusCode::kCorruption)) << size;
    }
    EXPECT_THAT(RowBitmap::Parse(bytes + "xx").status().message(), HasSubstr("2 bytes behind its end"));
    EXPECT_TRUE(RowBitmap::Parse(bytes + "xx", 3).ok());
  }
}

TEST(RowBitmap, RefusesWhatContradictsItself) {
  std::string bytes = WrittenByRoaring({1, 2, 5});
  std::string wrong_magic = bytes;
  wrong_magic[0] = 'x';
  EXPECT_THAT(RowBitmap::Parse(wrong_magic).status().message(), HasSubstr("magic"));
  std::string unordered = bytes;
  std::swap(unordered[unordered.size() - 2], unordered[unordered.size() - 6]);
  EXPECT_THAT(RowBitmap::Parse(unordered).status().message(), HasSubstr("out of order"));
  std::string dense = WrittenByRoaring(Dense());
  dense.back() ^= 1;
  EXPECT_TRUE(RowBitmap::Parse(dense).status().Is(StatusCode::kCorruption));
  // A negative upper half.
  std::string negative = bytes;
  negative[15] = '\x80';
  EXPECT_TRUE(RowBitmap::Parse(negative).status().Is(StatusCode::kCorruption));
  // Runs: how many there are is behind the container's key and size.
  std::string no_runs = WrittenByRoaring({1, 2, 3, 4, 5, 6, 7, 8, 9});
  ASSERT_EQ(no_runs.substr(no_runs.size() - 6, 2), std::string("\1\0", 2));
  no_runs[no_runs.size() - 6] = 0;
  EXPECT_THAT(RowBitmap::Parse(no_runs, 4).status().message(), HasSubstr("without runs"));
}

}  // namespace
}  // namespace tarn::delta
