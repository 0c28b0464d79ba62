#include "delta/files/deletion_vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <set>

#include "delta/files/deletion_vector_writer.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

using testing::HasSubstr;

std::string BigEndian(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift & 0xFF));
  return bytes;
}

/// A file of the protocol with one vector in it.
std::string FileOf(const std::string& bitmap) {
  const auto checksum =
      static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()), static_cast<uInt>(bitmap.size())));
  return "\x01" + BigEndian(static_cast<uint32_t>(bitmap.size())) + bitmap + BigEndian(checksum);
}

class DeletionVectors : public testing::Test {
 protected:
  void Put(const std::string& key, const std::string& bytes) {
    ASSERT_TRUE(store_->Put(key, std::as_bytes(std::span(bytes)), storage::Precondition::None()).ok());
  }
  Result<std::vector<int64_t>> Read(const DeletionVector& vector) {
    TARN_ASSIGN_OR_RETURN(const auto bitmap, ReadDeletionVector(*store_, vector));
    std::vector<int64_t> rows;
    bitmap->AppendRange(0, INT64_MAX, rows);
    return rows;
  }

  storage::testing::TempFolder folder_;
  const std::shared_ptr<storage::ObjectStore> store_ = *storage::OpenLocalStore(folder_.path());
  const std::vector<int64_t> rows_ = {3, 4, 7, 11, 18, 29};
  const std::string bitmap_ = RowBitmap::Of(rows_).Serialize();
};

TEST_F(DeletionVectors, TheProtocolsInlineExample) {
  // PROTOCOL.md, "JSON Example 2 — Inline", whose rows are {3, 4, 7, 11, 18, 29}.
  const DeletionVector vector = {'i', "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", std::nullopt, 44, 6};
  const auto rows = Read(vector);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(*rows, rows_);
}

TEST_F(DeletionVectors, TheProtocolsPathExample) {
  // PROTOCOL.md, "JSON Example 1 — On Disk with Relative Path (with Random Prefix)".
  const DeletionVector vector = {'u', "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  EXPECT_EQ(*DeletionVectorPath(vector, "memory://"), "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
  const DeletionVector bare = {'u', "^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  EXPECT_EQ(*DeletionVectorPath(bare, "memory://"), "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
}

TEST_F(DeletionVectors, OfFilesByUuidAndByPath) {
  const auto size = static_cast<int32_t>(bitmap_.size());
  Put("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", FileOf(bitmap_));
  EXPECT_EQ(*Read({'u', "ab^-aqEH.-t@S}K{vb[*k^", 1, size, 6}), rows_);
  // The second vector of a file.
  Put("two.bin", FileOf(RowBitmap::Of({1}).Serialize()) + FileOf(bitmap_).substr(1));
  const auto offset = static_cast<int32_t>(FileOf(RowBitmap::Of({1}).Serialize()).size());
  EXPECT_EQ(*Read({'p', store_->uri() + "/two.bin", offset, size, 6}), rows_);
}

TEST_F(DeletionVectors, WhatIsDamagedIsCorruptionByName) {
  const auto size = static_cast<int32_t>(bitmap_.size());
  const std::string path = store_->uri() + "/dv.bin";
  const auto expect = [&](const std::string& file, const DeletionVector& vector, const std::string& message) {
    Put("dv.bin", file);
    const Status status = Read(vector).status();
    EXPECT_TRUE(status.Is(StatusCode::kCorruption)) << message << ": " << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(message));
    EXPECT_THAT(status.message(), HasSubstr("deletion vector " + vector.UniqueId()));
  };
  const std::string good = FileOf(bitmap_);
  expect(good, {'p', path, 1, size, 5}, "it deletes 6 rows, the log says 5");
  expect(good, {'p', path, 1, size - 4, 6}, "different sizes");
  expect(good.substr(0, good.size() - 1), {'p', path, 1, size, 6}, "ends within");
  expect(good, {'p', path, 1, 1 << 30, 6}, "ends within");
  expect(good, {'p', path, INT32_MAX, size, 6}, "ends within");
  expect(good, {'p', path, -5, size, 6}, "out of range");
  expect(good, {'x', path, 1, size, 6}, "storage type x");
  std::string flipped = good;
  flipped[10] ^= 1;
  expect(flipped, {'p', path, 1, size, 6}, "checksum");
  expect(good, {'i', "not base85 \n", std::nullopt, size, 6}, "inline text");
  expect(good, {'u', "short", 1, size, 6}, "no encoded UUID");
}

TEST_F(DeletionVectors, OutsideOfTheTableNothingIsRead) {
  for (const char* path : {"/etc/passwd", "file:///etc/passwd", "../other/dv.bin"}) {
    EXPECT_TRUE(Read({'p', path, 1, 10, 1}).status().Is(StatusCode::kPermissionDenied)) << path;
  }
  EXPECT_TRUE(Read({'u', "../../x^-aqEH.-t@S}K{vb[*k^", 1, 10, 1}).status().Is(StatusCode::kPermissionDenied));
  EXPECT_TRUE(Read({'p', store_->uri() + "/gone.bin", 1, 10, 1}).status().Is(StatusCode::kNotFound));
}

TEST(Base85, IsThatOfTheProtocol) {
  EXPECT_EQ(DecodeBase85("HelloWorld"), std::string("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B"));
  EXPECT_EQ(DecodeBase85("four"), std::nullopt);
  EXPECT_EQ(DecodeBase85("#####"), std::nullopt);
  EXPECT_EQ(DecodeBase85("ab\"cd"), std::nullopt);
}

TEST_F(DeletionVectors, WrittenOnesAreReadBack) {
  Random random(3);
  DeletionVectorWriter writer(*store_, random);
  const std::vector<std::vector<int64_t>> sets = {{0}, {1, 5, 70000}, {int64_t{1} << 33}, {}};
  std::vector<DeletionVector> vectors;
  for (const auto& rows : sets) {
    const auto written = writer.Write(RowBitmap::Of(rows));
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    vectors.push_back(*written);
  }
  EXPECT_EQ(Read(vectors[0]).status().code(), StatusCode::kNotFound) << "there before it is finished";
  ASSERT_TRUE(writer.Finish().ok());
  ASSERT_EQ(writer.keys().size(), 1U);
  EXPECT_EQ(writer.keys()[0], **DeletionVectorKey(vectors[0], *store_));
  for (size_t i = 0; i < sets.size(); ++i) {
    const auto rows = Read(vectors[i]);
    ASSERT_TRUE(rows.ok()) << rows.status().ToString();
    EXPECT_EQ(*rows, sets[i]);
    EXPECT_EQ(vectors[i].path_or_inline, vectors[0].path_or_inline);
    EXPECT_EQ(vectors[i].cardinality, static_cast<int64_t>(sets[i].size()));
  }
  EXPECT_EQ(vectors[0].offset, 1);
  EXPECT_EQ(store_->Get(writer.keys()[0])->substr(0, 5), FileOf(RowBitmap::Of({0}).Serialize()).substr(0, 5));
}

TEST_F(DeletionVectors, AFileIsClosedWhenItIsLarge) {
  Random random(3);
  DeletionVectorWriter writer(*store_, random);
  std::vector<int64_t> every_second(4'000'000);
  for (size_t i = 0; i < every_second.size(); ++i) every_second[i] = static_cast<int64_t>(2 * i);
  const RowBitmap large = RowBitmap::Of(every_second);
  std::set<std::string> files;
  for (int i = 0; i < 5; ++i) files.insert(writer.Write(large)->path_or_inline);
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(files.size(), writer.keys().size());
  EXPECT_GT(files.size(), 1U);
  EXPECT_LT(files.size(), 5U);
}

TEST(Base85, IsItsOwnInverse) {
  // The example of ZeroMQ RFC 32.
  EXPECT_EQ(EncodeBase85("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B"), "HelloWorld");
  const std::string zeros(4, '\0');
  EXPECT_EQ(DecodeBase85(EncodeBase85(zeros)), zeros);
  EXPECT_EQ(DecodeBase85(EncodeBase85("\xFF\xFF\xFF\xFF")), "\xFF\xFF\xFF\xFF");
}

}  // namespace
}  // namespace tarn::delta
