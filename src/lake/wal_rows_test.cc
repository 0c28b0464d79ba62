#include "lake/wal_rows.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

std::shared_ptr<arrow::RecordBatch> Rows() {
  return testing::MakeRows({.ids = {1, 2, 3}, .extra_name = "host", .extra_type = arrow::utf8()});
}

std::string PayloadOf(const arrow::RecordBatch& rows) {
  const auto encoded = EncodedRows::Encode(rows);
  EXPECT_TRUE(encoded.ok());
  std::string payload;
  for (const ByteSpan piece : encoded->pieces()) payload += AsText(piece);
  EXPECT_EQ(static_cast<int64_t>(payload.size()), encoded->size_bytes());
  return payload;
}

TEST(WalRows, SchemaEntryComesBack) {
  const auto bytes = *EncodeRowsSchema({{"db", "ü x"}, Rows()->schema()});
  const auto back = DecodeRowsSchema(bytes);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->name, (TableName{"db", "ü x"}));
  EXPECT_TRUE(back->schema->Equals(*Rows()->schema()));
}

TEST(WalRows, RowsComeBackWholeOrSliced) {
  for (const auto& rows : {Rows(), Rows()->Slice(1, 1), Rows()->Slice(3)}) {
    const std::string payload = PayloadOf(*rows);
    const auto back = DecodeRows(rows->schema(), AsBytes(payload));
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE((*back)->Equals(*rows));
  }
}

TEST(WalRows, NewerVersionsAreRefusedByName) {
  auto schema = *EncodeRowsSchema({{"db", "t"}, Rows()->schema()});
  schema[0] = 2;
  EXPECT_EQ(DecodeRowsSchema(schema).status().code(), StatusCode::kUnsupported);
  auto payload = PayloadOf(*Rows());
  payload[0] = 2;
  EXPECT_EQ(DecodeRows(Rows()->schema(), AsBytes(payload)).status().code(), StatusCode::kUnsupported);
}

TEST(WalRows, TruncatedOrDamagedBytesAreNeverACrash) {
  const auto schema = Rows()->schema();
  const std::string entry = *EncodeRowsSchema({{"db", "t"}, schema});
  for (size_t length = 0; length < entry.size(); ++length) {
    EXPECT_FALSE(DecodeRowsSchema(entry.substr(0, length)).ok()) << length;
  }
  const std::string payload = PayloadOf(*Rows());
  for (size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(DecodeRows(schema, AsBytes(payload.substr(0, length))).ok()) << length;
  }
  // A flipped bit may still be a valid batch (a changed value); the log's checksum is for that. It must not crash.
  for (size_t at = 0; at < payload.size(); ++at) {
    for (const char mask : {'\x01', '\x40', '\xff'}) {
      std::string damaged = payload;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      const auto rows = DecodeRows(schema, AsBytes(damaged));
      if (rows.ok()) {
        EXPECT_TRUE((*rows)->ValidateFull().ok());
      }
    }
  }
}

}  // namespace
}  // namespace tarn::lake
