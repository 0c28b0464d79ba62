#include "lake/wal_rows.h"

#include <arrow/array/builder_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/testing/source_tree.h"
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

// One column of each type that lines give, with a null in every one but the time.
std::shared_ptr<arrow::RecordBatch> RowsOfEveryType() {
  const auto schema = arrow::schema(
      {arrow::field("time", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")), arrow::field("host", arrow::utf8()),
       arrow::field("load", arrow::float64()), arrow::field("count", arrow::int64()),
       arrow::field("big", arrow::decimal128(20, 0)), arrow::field("up", arrow::boolean())});
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    const auto builder = *arrow::MakeBuilder(field->type());
    EXPECT_TRUE(builder->AppendEmptyValues(3).ok());
    EXPECT_TRUE((field->name() == "time" ? builder->AppendEmptyValue() : builder->AppendNull()).ok());
    columns.push_back(*builder->Finish());
  }
  return arrow::RecordBatch::Make(schema, 4, columns);
}

// The two length bytes make the file a beginning for the fuzzer too.
TEST(WalRows, ReadsAndWritesTheGoldenRows) {
  const auto rows = RowsOfEveryType();
  const std::string schema = *EncodeRowsSchema({{"db", "cpu"}, rows->schema()});
  std::string bytes(2, '\0');
  bytes[0] = static_cast<char>(schema.size() & 0xff);
  bytes[1] = static_cast<char>(schema.size() >> 8);
  ExpectGolden("wal_rows/format-1", bytes + schema + PayloadOf(*rows));

  const std::string golden = FileContent(SourceRoot() / "tests/fixtures/wal_rows/format-1");
  const auto schema_back = DecodeRowsSchema(golden.substr(2, schema.size()));
  ASSERT_TRUE(schema_back.ok()) << schema_back.status().ToString();
  const auto rows_back = DecodeRows(schema_back->schema, AsBytes(golden.substr(2 + schema.size())));
  ASSERT_TRUE(rows_back.ok()) << rows_back.status().ToString();
  EXPECT_TRUE((*rows_back)->Equals(*rows));
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
