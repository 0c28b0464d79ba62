#include "ingest/line_protocol.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ingest/testing/points.h"
#include "ingest/testing/random_body.h"

namespace tarn::ingest {
namespace {

std::string Repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Options under which every measurement has this table.
LineProtocolOptions WithTable(std::vector<std::shared_ptr<arrow::Field>> fields) {
  LineProtocolOptions options;
  options.schema_of = [schema = arrow::schema(std::move(fields))](std::string_view) { return schema; };
  return options;
}

std::string OnlyReason(const ParsedLines& parsed) {
  EXPECT_EQ(parsed.errors.size(), 1u);
  return parsed.errors.empty() ? "" : parsed.errors[0].reason;
}

std::shared_ptr<arrow::DataType> Timestamp() { return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"); }

TEST(LineProtocol, KeepsGoodLinesAndReportsBadOnes) {
  const ParsedLines parsed = ParseLineProtocol(
      "cpu,host=a,region=eu usage=1.5,n=3i 1000\n"
      "cpu,host=b usage=x 2000\n"
      "cpu,host=b usage=2,up=true 3001\n",
      {});
  ASSERT_EQ(parsed.measurements.size(), 1u);
  const auto& rows = parsed.measurements[0].rows;
  ASSERT_TRUE(rows->ValidateFull().ok());
  EXPECT_EQ(rows->num_rows(), 2);
  EXPECT_EQ(rows->schema()->ToString(),
            "time: timestamp[us, tz=UTC]\ntime_ns: int16\nhost: string\nregion: string\nusage: double\nn: int64\nup: "
            "bool");
  EXPECT_EQ(parsed.lines_kept, 2);
  EXPECT_EQ(parsed.values_kept, 4);
  ASSERT_EQ(parsed.errors.size(), 1u);
  EXPECT_EQ(parsed.errors[0].line_number, 2);
  EXPECT_EQ(parsed.errors[0].original_line, "cpu,host=b usage=x 2000");
}

TEST(LineProtocol, AByteOrderMarkIsNoPartOfTheFirstMeasurement) {
  const ParsedLines parsed = ParseLineProtocol("\xef\xbb\xbfm v=1 1\n", {});
  ASSERT_EQ(parsed.measurements.size(), 1U);
  EXPECT_EQ(parsed.measurements[0].measurement, "m");
}

TEST(LineProtocol, TheTableDecidesTypes) {
  const LineProtocolOptions options =
      WithTable({arrow::field("time", Timestamp()), arrow::field("i", arrow::int64()),
                 arrow::field("u", arrow::decimal128(20, 0)), arrow::field("s", arrow::utf8()),
                 arrow::field("b", arrow::boolean()), arrow::field("f", arrow::float64())});
  EXPECT_EQ(ParseLineProtocol("m f=1,i=2i,u=3u,s=\"x\",b=t", options).lines_kept, 1);
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m i=1", options)), "field 'i' is double here and integer in the table");
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m u=1i", options)),
            "field 'u' is integer here and unsigned integer in the table");
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m,i=x f=1", options)), "tag 'i' is also a field");
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m I=1i", options)), "field 'I' differs only in case from 'i'");
}

TEST(LineProtocol, ATextColumnOfTheTableIsATagOrAFieldAsFirstUsed) {
  const LineProtocolOptions options = WithTable({arrow::field("s", arrow::utf8())});
  EXPECT_EQ(ParseLineProtocol("m,s=x v=1", options).lines_kept, 1);
  EXPECT_EQ(ParseLineProtocol("m s=\"x\"", options).lines_kept, 1);
  const ParsedLines both = ParseLineProtocol("m,s=x v=y\nm s=\"x\"\nm,s=x v=1", options);
  EXPECT_EQ(both.lines_kept, 1);
  EXPECT_EQ(both.error_count, 2);
  EXPECT_EQ(both.errors.back().reason, "tag 's' is also a field") << "the first line was dropped and decides nothing";
}

TEST(LineProtocol, ColumnsThatLineProtocolCannotWriteAreRefused) {
  const LineProtocolOptions options =
      WithTable({arrow::field("d", arrow::date32()), arrow::field("n", arrow::int32())});
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m d=\"2024-01-01\"", options)),
            "field 'd' is date32[day] in the table, which line protocol cannot write");
  EXPECT_EQ(OnlyReason(ParseLineProtocol("m n=1i", options)),
            "field 'n' is int32 in the table, which line protocol cannot write");
  EXPECT_EQ(ParseLineProtocol("m other=1i", options).lines_kept, 1);
}

TEST(LineProtocol, ATableWhoseTimeIsNoTimestampIsRefused) {
  for (const auto& field : {arrow::field("time", arrow::int64()), arrow::field("Time", Timestamp()),
                            arrow::field("time_ns", arrow::int64())}) {
    const ParsedLines parsed = ParseLineProtocol("m v=1", WithTable({field}));
    EXPECT_EQ(parsed.lines_kept, 0);
    EXPECT_EQ(parsed.error_count, 1);
  }
}

TEST(LineProtocol, RemaindersFollowTheTable) {
  const auto has_remainders = [](const ParsedLines& parsed) {
    return parsed.measurements.at(0).rows->schema()->GetFieldIndex("time_ns") == 1;
  };
  EXPECT_FALSE(has_remainders(ParseLineProtocol("m v=1 1000", {})));
  EXPECT_TRUE(has_remainders(ParseLineProtocol("m v=1 1000\nm v=1 1001", {})));
  EXPECT_TRUE(has_remainders(ParseLineProtocol("m v=1 1000", WithTable({arrow::field("time_ns", arrow::int16())}))));
}

TEST(LineProtocol, NamesCanBeRefused) {
  LineProtocolOptions options;
  options.check_measurement = [](std::string_view name) {
    return name == "_bad" ? Status::InvalidArgument("no such name") : Status::Ok();
  };
  const ParsedLines parsed = ParseLineProtocol("_bad v=1\nm v=1\n_bad v=2", options);
  EXPECT_EQ(parsed.lines_kept, 1);
  ASSERT_EQ(parsed.error_count, 2);
  EXPECT_EQ(parsed.errors[1].reason, "no such name");
}

TEST(LineProtocolLimits, NamesAndStringsEndAt64KiB) {
  const std::string longest(64 << 10, 'x');
  for (const std::string& fits : {longest + " v=1", "m," + longest + "=x v=1", "m,t=" + longest + " v=1",
                                  "m " + longest + "=1", "m v=\"" + longest + "\""}) {
    EXPECT_EQ(ParseLineProtocol(fits, {}).lines_kept, 1) << fits.substr(0, 10);
  }
  for (const std::string& too_long : {longest + "x v=1", "m," + longest + "x=x v=1", "m,t=" + longest + "x v=1",
                                      "m " + longest + "x=1", "m v=\"" + longest + "x\""}) {
    const ParsedLines parsed = ParseLineProtocol(too_long + "\nm w=1", {});
    EXPECT_EQ(parsed.lines_kept, 1);
    EXPECT_NE(OnlyReason(parsed).find("longer than 64 KiB"), std::string::npos);
    EXPECT_LE(parsed.errors[0].original_line.size(), 512u);
  }
}

TEST(LineProtocolLimits, LinesHaveALongestLength) {
  LineProtocolOptions options;
  options.max_line_bytes = 10;
  const ParsedLines parsed = ParseLineProtocol("m v=123456\nm v=1234567\nm v=1\n", options);
  EXPECT_EQ(parsed.lines_kept, 2);
  EXPECT_EQ(OnlyReason(parsed), "the line is longer than 10 bytes");
}

TEST(LineProtocolLimits, AMeasurementHasSoManyColumns) {
  std::string line = "m ";
  for (int i = 0; i < 10'000; ++i) line += (i == 0 ? "f" : ",f") + std::to_string(i) + "=1";
  const ParsedLines parsed = ParseLineProtocol(line + "\n" + line + ",g=1\nm g=1\nm f0=1", {});
  EXPECT_EQ(parsed.lines_kept, 2);
  ASSERT_EQ(parsed.error_count, 2);
  EXPECT_EQ(parsed.errors[1].reason, "field 'g' would be column number 10001 of 'm'; the limit is 10000");
}

TEST(LineProtocolLimits, ABodyHasSoManyMeasurements) {
  std::string body;
  for (int i = 0; i <= 10'000; ++i) body += "m" + std::to_string(i) + " v=1\n";
  const ParsedLines parsed = ParseLineProtocol(body + "m0 v=2", {});
  EXPECT_EQ(parsed.lines_kept, 10'001);
  EXPECT_EQ(OnlyReason(parsed), "there are more than 10000 measurements in one body");
}

TEST(LineProtocolLimits, SparseLinesCannotMakeAHugeBatch) {
  std::string body = "m ";
  for (int i = 0; i < 9'000; ++i) body += (i == 0 ? "f" : ",f") + std::to_string(i) + "=1";
  body += "\n" + Repeat("m a=1\n", 20'000);
  const ParsedLines parsed = ParseLineProtocol(body, {});
  int64_t cells = 0;
  for (const auto& rows : parsed.measurements) cells += rows.rows->num_rows() * rows.rows->num_columns();
  EXPECT_LT(cells, 2 << 20);
  EXPECT_EQ(parsed.lines_kept + parsed.error_count, 20'001);
  EXPECT_NE(parsed.errors.at(0).reason.find("too sparse"), std::string::npos);
}

TEST(LineProtocolLimits, ErrorsBeyondTheBoundAreCounted) {
  LineProtocolOptions options;
  options.max_errors = 3;
  const ParsedLines parsed = ParseLineProtocol(Repeat("bad\n", 10), options);
  EXPECT_EQ(parsed.errors.size(), 3u);
  EXPECT_EQ(parsed.error_count, 10);
}

TEST(LineProtocolLimits, TheOriginalLineIsCutAtACharacter) {
  const ParsedLines parsed = ParseLineProtocol("m" + Repeat("\u20ac", 300) + "\n\xff v=1", {});
  ASSERT_EQ(parsed.errors.size(), 2u);
  EXPECT_EQ(parsed.errors[0].original_line, "m" + Repeat("\u20ac", 170));
  EXPECT_EQ(parsed.errors[1].original_line, "\ufffd v=1");
}

TEST(LineProtocolLimits, ManyBadLinesTakeLinearTime) {
  // Each opens a string that only the next line's quote ends; each is cut at its own end.
  const std::string body = Repeat("m v=\"x\n", 200'000);
  const ParsedLines parsed = ParseLineProtocol(body, {});
  EXPECT_EQ(parsed.error_count, 200'000);
}

TEST(LineProtocol, ProducersBodiesAreKeptWhole) {
  const ParsedLines tsbs = ParseLineProtocol(testing::TsbsCpuBody(5000, 700, false), {});
  EXPECT_EQ(tsbs.lines_kept, 5000);
  EXPECT_EQ(tsbs.values_kept, 50'000);
  EXPECT_EQ(tsbs.measurements.at(0).rows->num_columns(), 21);
  for (const auto& column : tsbs.measurements.at(0).rows->columns()) EXPECT_EQ(column->null_count(), 0);
  const ParsedLines telegraf = ParseLineProtocol(testing::TelegrafBody(4000, 30), {});
  EXPECT_EQ(telegraf.lines_kept, 4000);
  EXPECT_EQ(telegraf.measurements.size(), 4u);
}

}  // namespace
}  // namespace tarn::ingest
