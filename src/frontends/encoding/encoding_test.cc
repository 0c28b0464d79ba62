#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include <limits>

#include "frontends/encoding/cell_formatter.h"
#include "frontends/encoding/result_encoder.h"
#include "frontends/encoding/result_writer.h"
#include "frontends/encoding/value_text.h"
#include "frontends/testing/fake_query_service.h"

namespace tarn::frontends {
namespace {

using arrow::field;

template <typename Call>
std::string Text(Call&& call) {
  ByteBuffer out;
  call(out);
  return std::string(out.view());
}

std::string Timestamp(int64_t value, int64_t units = 1'000'000, bool utc = true) {
  return Text([&](ByteBuffer& out) { AppendTimestamp(value, units, utc, out); });
}

std::string JsonString(std::string_view text) {
  return Text([&](ByteBuffer& out) { AppendJsonString(text, out); });
}

std::string Encode(ResultFormat format, const std::shared_ptr<arrow::RecordBatch>& batch) {
  auto writer = ResultWriter::Make(format, batch->schema());
  EXPECT_TRUE(writer.ok()) << writer.status().ToString();
  ByteBuffer out;
  EXPECT_TRUE((*writer)->Begin(out).ok());
  EXPECT_TRUE((*writer)->Write(batch, out).ok());
  while ((*writer)->Resume(out)) {
  }
  EXPECT_TRUE((*writer)->Finish(out).ok());
  return std::string(out.view());
}

std::string OneCell(const std::shared_ptr<arrow::DataType>& type, const std::string& json_value,
                    ResultFormat format = ResultFormat::kNdjson) {
  const auto batch = BatchFromJson(arrow::schema({field("v", type)}), "[[" + json_value + "]]");
  std::string text = Encode(format, batch);
  if (format == ResultFormat::kNdjson) return text.substr(5, text.size() - 7);  // {"v":…}\n
  return text;
}

TEST(ValueText, TimestampsAreRfc3339) {
  EXPECT_EQ(Timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(Timestamp(1'700'000'000'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(Timestamp(1'700'000'000'500'000), "2023-11-14T22:13:20.500Z");
  EXPECT_EQ(Timestamp(1'700'000'000'500'001), "2023-11-14T22:13:20.500001Z");
  EXPECT_EQ(Timestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(Timestamp(5, 1'000'000'000), "1970-01-01T00:00:00.000000005Z");
  EXPECT_EQ(Timestamp(951'782'400, 1, false), "2000-02-29T00:00:00");
  EXPECT_EQ(Timestamp(-62'198'755'200, 1), "-0001-01-01T00:00:00Z");
  EXPECT_EQ(Timestamp(253'402'300'800, 1), "+10000-01-01T00:00:00Z");
  EXPECT_EQ(Timestamp(std::numeric_limits<int64_t>::max()), "infinity");
  EXPECT_EQ(Timestamp(std::numeric_limits<int64_t>::min() + 1), "-infinity");
}

TEST(ValueText, NumbersReadBackAsTheyWere) {
  const auto real = [](double value) { return Text([&](ByteBuffer& out) { AppendDouble(value, out); }); };
  EXPECT_EQ(real(0.1), "0.1");
  EXPECT_EQ(real(1e300), "1e+300");
  EXPECT_EQ(real(-0.0), "-0");
  const auto decimal = [](__int128 value, int scale) {
    return Text([&](ByteBuffer& out) { AppendDecimal(value, scale, out); });
  };
  EXPECT_EQ(decimal(12345, 2), "123.45");
  EXPECT_EQ(decimal(-5, 3), "-0.005");
  EXPECT_EQ(decimal(0, 0), "0");
  EXPECT_EQ(decimal(0, 2), "0.00");
  EXPECT_EQ(decimal(7, -2), "7e2");
  __int128 big = 1;
  for (int i = 0; i < 38; ++i) big *= 10;
  EXPECT_EQ(decimal(big - 1, 0), std::string(38, '9'));
  EXPECT_EQ(decimal(1 - big, 38), "-0." + std::string(38, '9'));
}

TEST(ValueText, JsonStringsEscapeWhatTheyMustAndStayUtf8) {
  EXPECT_EQ(JsonString("plain text of some length"), "\"plain text of some length\"");
  EXPECT_EQ(JsonString("a\"b\\c\nd\x01"), "\"a\\\"b\\\\c\\nd\\u0001\"");
  EXPECT_EQ(JsonString("Zürich ist schön, 湖 🏔 ok"), "\"Zürich ist schön, 湖 🏔 ok\"");
  EXPECT_EQ(JsonString("bad \xff\xc3 here"), "\"bad \xEF\xBF\xBD\xEF\xBF\xBD here\"");
  EXPECT_EQ(JsonString("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  // A special byte at every place of a word, behind every length.
  for (size_t length = 0; length < 20; ++length) {
    for (size_t at = 0; at < length; ++at) {
      std::string text(length, 'x');
      text[at] = '"';
      std::string expected = "\"" + text + "\"";
      expected.insert(at + 1, "\\");
      EXPECT_EQ(JsonString(text), expected);
    }
  }
}

TEST(ValueText, IntervalsAndBase64) {
  const auto interval = [](int64_t months, int64_t days, int64_t nanos) {
    return Text([&](ByteBuffer& out) { AppendInterval(months, days, nanos, out); });
  };
  EXPECT_EQ(interval(0, 0, 0), "PT0S");
  EXPECT_EQ(interval(14, 3, 3'723'500'000'000), "P1Y2M3DT1H2M3.500S");
  EXPECT_EQ(interval(0, 0, -1'500'000'000), "PT-1.500S");
  const auto base64 = [](std::string_view bytes) { return Text([&](ByteBuffer& out) { AppendBase64(bytes, out); }); };
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(JsonCells, EveryTypeHasItsForm) {
  EXPECT_EQ(OneCell(arrow::boolean(), "true"), "true");
  EXPECT_EQ(OneCell(arrow::int8(), "-7"), "-7");
  EXPECT_EQ(OneCell(arrow::int64(), "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(OneCell(arrow::uint64(), "18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(OneCell(arrow::float32(), "0.1"), "0.1");
  EXPECT_EQ(OneCell(arrow::float64(), "NaN"), "null");
  EXPECT_EQ(OneCell(arrow::float64(), "Inf"), "null");
  EXPECT_EQ(OneCell(arrow::float64(), "null"), "null");
  EXPECT_EQ(OneCell(arrow::decimal128(10, 2), "\"-1.50\""), "-1.50");
  EXPECT_EQ(OneCell(arrow::utf8(), "\"a\\\"b\""), "\"a\\\"b\"");
  EXPECT_EQ(OneCell(arrow::large_utf8(), "\"x\""), "\"x\"");
  EXPECT_EQ(OneCell(arrow::utf8_view(), "\"a string too long to be inlined\""), "\"a string too long to be inlined\"");
  EXPECT_EQ(OneCell(arrow::binary(), "\"foo\""), "\"Zm9v\"");
  EXPECT_EQ(OneCell(arrow::date32(), "0"), "\"1970-01-01\"");
  EXPECT_EQ(OneCell(arrow::time64(arrow::TimeUnit::MICRO), "3723000001"), "\"01:02:03.000001\"");
  EXPECT_EQ(OneCell(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "0"), "\"1970-01-01T00:00:00Z\"");
  EXPECT_EQ(OneCell(arrow::timestamp(arrow::TimeUnit::MICRO), "0"), "\"1970-01-01T00:00:00\"");
  EXPECT_EQ(OneCell(arrow::null(), "null"), "null");
  EXPECT_EQ(OneCell(arrow::month_day_nano_interval(), "[1, 2, 0]"), "\"P1M2D\"");
}

TEST(JsonCells, NestedTypes) {
  EXPECT_EQ(OneCell(arrow::list(arrow::int32()), "[1, null, 3]"), "[1,null,3]");
  EXPECT_EQ(OneCell(arrow::list(arrow::utf8()), "[]"), "[]");
  EXPECT_EQ(OneCell(arrow::fixed_size_list(arrow::int8(), 2), "[1, 2]"), "[1,2]");
  EXPECT_EQ(OneCell(arrow::struct_({field("a", arrow::int32()), field("b", arrow::utf8())}), "[1, \"x\"]"),
            "{\"a\":1,\"b\":\"x\"}");
  EXPECT_EQ(OneCell(arrow::map(arrow::utf8(), arrow::int32()), "[[\"k\", 1], [\"l\", null]]"), "{\"k\":1,\"l\":null}");
  EXPECT_EQ(OneCell(arrow::map(arrow::int32(), arrow::int32()), "[[5, 1]]"), "{\"5\":1}");
  EXPECT_EQ(OneCell(arrow::list(arrow::list(arrow::float64())), "[[1.5], null, []]"), "[[1.5],null,[]]");
  EXPECT_EQ(OneCell(arrow::dictionary(arrow::int8(), arrow::utf8()), "\"red\""), "\"red\"");
}

TEST(JsonCells, ASliceShowsItsOwnRows) {
  const auto type = arrow::struct_({field("l", arrow::list(arrow::int32())), field("s", arrow::utf8())});
  const auto batch = BatchFromJson(arrow::schema({field("v", type), field("n", arrow::int64())}),
                                   R"([[[[1], "a"], 1], [[[2, 3], "b"], 2], [null, null], [[null, "d"], 4]])");
  EXPECT_EQ(
      Encode(ResultFormat::kNdjson, batch->Slice(1, 3)),
      "{\"v\":{\"l\":[2,3],\"s\":\"b\"},\"n\":2}\n{\"v\":null,\"n\":null}\n{\"v\":{\"l\":null,\"s\":\"d\"},\"n\":4}\n");
}

std::shared_ptr<arrow::RecordBatch> Sample() {
  return BatchFromJson(arrow::schema({field("name", arrow::utf8()), field("n", arrow::int64())}),
                       R"([["plain", 1], ["a,b\"c\nd|e", null], ["", 3], [null, -4]])");
}

TEST(TextWriters, JsonIsOneArrayOfObjects) {
  EXPECT_EQ(Encode(ResultFormat::kJson, Sample()->Slice(0, 2)),
            "[{\"name\":\"plain\",\"n\":1},\n{\"name\":\"a,b\\\"c\\nd|e\",\"n\":null}]\n");
  EXPECT_EQ(Encode(ResultFormat::kJson, Sample()->Slice(0, 0)), "[]\n");
}

TEST(TextWriters, ColumnsOfOneNameStayApartInJson) {
  const auto batch = BatchFromJson(
      arrow::schema({field("a", arrow::int32()), field("a", arrow::int32()), field("a_1", arrow::int32())}),
      "[[1, 2, 3]]");
  EXPECT_EQ(Encode(ResultFormat::kNdjson, batch), "{\"a\":1,\"a_1\":2,\"a_1_1\":3}\n");
  // As list_zip makes them.
  const auto unnamed = arrow::struct_({field("", arrow::int32()), field("", arrow::int32())});
  const auto nested = BatchFromJson(arrow::schema({field("x", unnamed)}), "[[[1, 2]]]");
  EXPECT_EQ(Encode(ResultFormat::kNdjson, nested), "{\"x\":{\"\":1,\"_1\":2}}\n");
}

TEST(TextWriters, OnlyATimeWithAZoneHasAnOffset) {
  const auto batch = BatchFromJson(arrow::schema({field("zoned", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                                                  field("zoneless", arrow::timestamp(arrow::TimeUnit::MICRO))}),
                                   R"([["2024-01-02 03:04:05", "2024-01-02 03:04:05"]])");
  EXPECT_EQ(Encode(ResultFormat::kNdjson, batch),
            "{\"zoned\":\"2024-01-02T03:04:05Z\",\"zoneless\":\"2024-01-02T03:04:05\"}\n");
}

TEST(TextWriters, CsvQuotesByRfc4180AndTellsNullFromEmpty) {
  EXPECT_EQ(Encode(ResultFormat::kCsv, Sample()), "name,n\r\nplain,1\r\n\"a,b\"\"c\nd|e\",\r\n\"\",3\r\n,-4\r\n");
}

TEST(TextWriters, NoRowOfCsvIsAnEmptyLine) {
  const auto one = [](const std::shared_ptr<arrow::DataType>& type, const std::string& rows) {
    return Encode(ResultFormat::kCsv, BatchFromJson(arrow::schema({field("v", type)}), rows));
  };
  EXPECT_EQ(one(arrow::int64(), "[[1],[null],[3]]"), "v\r\n1\r\n\"\"\r\n3\r\n");
  EXPECT_EQ(one(arrow::utf8(), R"([["a"],[null],[""]])"), "v\r\na\r\n\"\"\r\n\"\"\r\n");
}

TEST(TextWriters, TablesForPeople) {
  EXPECT_EQ(Encode(ResultFormat::kTable, Sample()),
            " name       │    n\n"
            "────────────┼──────\n"
            " plain      │    1\n"
            " a,b\"c\\nd|e │ NULL\n"
            "            │    3\n"
            " NULL       │   -4\n"
            "(4 rows)\n");
  EXPECT_EQ(Encode(ResultFormat::kMarkdown, Sample()->Slice(1, 1)),
            "| name | n |\n|---|---:|\n| a,b\"c\\nd\\|e | NULL |\n");
}

TEST(TextWriters, ATableCannotDriveTheTerminal) {
  const auto batch = BatchFromJson(arrow::schema({field("v", arrow::utf8())}), R"([["\u001b[31mred\u009b"]])");
  EXPECT_EQ(Encode(ResultFormat::kTable, batch).find('\x1b'), std::string::npos);
  EXPECT_NE(Encode(ResultFormat::kTable, batch).find("\\x1b[31mred\\x9b"), std::string::npos);
}

TEST(ColumnarWriters, ArrowStreamReadsBack) {
  const std::string bytes = Encode(ResultFormat::kArrow, Sample());
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(
                    std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)))
                    .ValueOrDie();
  const auto table = reader->ToTable().ValueOrDie();
  EXPECT_TRUE(table->Equals(*arrow::Table::FromRecordBatches({Sample()}).ValueOrDie()));
}

TEST(ColumnarWriters, ParquetReadsBackWhateverIsTakenAwayBetweenCalls) {
  auto writer = ResultWriter::Make(ResultFormat::kParquet, Sample()->schema());
  ASSERT_TRUE(writer.ok());
  std::string bytes;
  ByteBuffer out;
  const auto take = [&] {
    bytes += out.view();
    out.Clear();
  };
  ASSERT_TRUE((*writer)->Begin(out).ok());
  take();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*writer)->Write(Sample(), out).ok());
    take();
  }
  ASSERT_TRUE((*writer)->Finish(out).ok());
  take();
  auto reader = parquet::arrow::OpenFile(std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)),
                                         arrow::default_memory_pool())
                    .ValueOrDie();
  EXPECT_EQ(reader->ReadTable().ValueOrDie()->num_rows(), 12);
}

TEST(ColumnarWriters, WhatParquetCannotHoldIsRefusedBeforeAnythingIsWritten) {
  const auto refused = [](std::shared_ptr<arrow::DataType> type) {
    const auto schema = arrow::schema({field("n", arrow::int64()), field("v", std::move(type))});
    return ResultWriter::Make(ResultFormat::kParquet, schema).status().ToString();
  };
  const std::string lacks = ", which Parquet lacks; cast it, to VARCHAR for instance, or ask for another format";
  const auto interval = arrow::month_day_nano_interval();
  EXPECT_EQ(refused(interval), "Unsupported: column \"v\" is of the type INTERVAL" + lacks);
  EXPECT_EQ(refused(arrow::list(interval)), "Unsupported: column \"v\" holds the type INTERVAL" + lacks);
  const auto either = arrow::sparse_union({field("a", arrow::int64()), field("b", arrow::utf8())}, {0, 1});
  EXPECT_EQ(refused(either), "Unsupported: column \"v\" is of the type UNION" + lacks);
  EXPECT_EQ(refused(arrow::struct_({field("u", either)})), "Unsupported: column \"v\" holds the type UNION" + lacks);
}

TEST(ColumnarWriters, AnAbandonedParquetFileIsHarmless) {
  auto writer = ResultWriter::Make(ResultFormat::kParquet, Sample()->schema());
  ASSERT_TRUE(writer.ok());
  {
    ByteBuffer out;
    ASSERT_TRUE((*writer)->Begin(out).ok());
    ASSERT_TRUE((*writer)->Write(Sample(), out).ok());
  }
  writer->reset();
}

TEST(ResultEncoder, FillsInBoundedPieces) {
  FakeStream::Script script = OneBatch(Sample());
  script.repeat = 1000;
  auto encoder = ResultEncoder::Make(std::make_unique<FakeStream>(std::move(script), "q"), ResultFormat::kNdjson);
  ASSERT_TRUE(encoder.ok());
  size_t lines = 0;
  bool more = true;
  while (more) {
    ByteBuffer out;
    auto filled = (*encoder)->Fill(4096, out);
    ASSERT_TRUE(filled.ok());
    more = *filled;
    EXPECT_LT(out.size(), 4096U + 1024 * 64);
    for (const char c : out.view()) lines += c == '\n' ? 1 : 0;
  }
  EXPECT_EQ(lines, 4000U);
  EXPECT_EQ((*encoder)->rows(), 4000);
}

// Six bytes of JSON for each of the values': as one piece a batch of them would be a hundred times the target.
TEST(ResultEncoder, LargeValuesAreWrittenOneAtATime) {
  arrow::StringBuilder values;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(values.Append(std::string(8 << 20, '\x01')).ok());
  const auto column = *values.Finish();
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("v", arrow::utf8())}), 10, {column});
  auto encoder = ResultEncoder::Make(std::make_unique<FakeStream>(OneBatch(batch), "q"), ResultFormat::kJson);
  size_t total = 0;
  for (bool more = true; more;) {
    ByteBuffer out;
    auto filled = (*encoder)->Fill(256 << 10, out);
    ASSERT_TRUE(filled.ok());
    more = *filled;
    EXPECT_LT(out.size(), size_t{8} << 20);
    EXPECT_LT(out.capacity(), size_t{17} << 20);
    total += out.size();
  }
  EXPECT_GT(total, size_t{480} << 20);
  EXPECT_EQ((*encoder)->rows(), 10);
}

TEST(ResultEncoder, ALargeTextIsWrittenInPieces) {
  arrow::StringBuilder first;
  arrow::StringBuilder second;
  std::string expected = "[";
  const std::vector<std::pair<std::string, std::string>> characters = {{"\x01", "\\u0001"}, {"ä", "ä"}, {"€", "€"}};
  for (const auto& [text, escaped] : characters) {
    std::string value = "x";
    std::string in_json = "x";
    for (int i = 0; i < 3'000'000; ++i) {
      value += text;
      in_json += escaped;
    }
    ASSERT_TRUE(first.Append(value).ok());
    ASSERT_TRUE(second.Append(value).ok());
    expected += (expected.size() > 1 ? ",\n" : "") + ("{\"a\":\"" + in_json) + "\",\"b\":\"" + in_json + "\"}";
  }
  expected += "]\n";
  const auto batch = arrow::RecordBatch::Make(arrow::schema({field("a", arrow::utf8()), field("b", arrow::utf8())}), 3,
                                              {first.Finish().ValueOrDie(), second.Finish().ValueOrDie()});
  auto encoder = ResultEncoder::Make(std::make_unique<FakeStream>(OneBatch(batch), "q"), ResultFormat::kJson);
  ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
  std::string written;
  ByteBuffer out;
  size_t largest = 0;
  for (bool more = true; more;) {
    out.Clear();
    auto filled = (*encoder)->Fill(256 << 10, out);
    ASSERT_TRUE(filled.ok()) << filled.status().ToString();
    more = *filled;
    largest = std::max(largest, out.capacity());
    written += out.view();
  }
  EXPECT_TRUE(written == expected) << written.size() << " bytes instead of " << expected.size();
  EXPECT_LT(largest, 17U << 20);
}

TEST(ByteBuffer, GivesBackWhatOneLargeValueTook) {
  ByteBuffer out;
  out.Append("small");
  out.Clear();
  EXPECT_GT(out.capacity(), 0U);
  out.Append(std::string(32 << 20, 'x'));
  out.Clear();
  EXPECT_EQ(out.capacity(), 0U);
  out.Append("again");
  EXPECT_EQ(out.view(), "again");
}

TEST(ResultEncoder, AFailureIsTheLastLineOfNdjson) {
  FakeStream::Script script = OneBatch(Sample()->Slice(0, 1));
  script.failure = Status::ResourceExhausted("out of \"memory\"");
  auto encoder = ResultEncoder::Make(std::make_unique<FakeStream>(std::move(script), "q"), ResultFormat::kNdjson);
  ByteBuffer out;
  EXPECT_EQ((*encoder)->Fill(1 << 20, out).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(out.view(),
            "{\"name\":\"plain\",\"n\":1}\n"
            "{\"error\":{\"code\":\"ResourceExhausted\",\"message\":\"out of \\\"memory\\\"\"}}\n");
}

}  // namespace
}  // namespace tarn::frontends
