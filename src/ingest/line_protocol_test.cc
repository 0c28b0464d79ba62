#include "ingest/line_protocol.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

namespace tarn::ingest {
namespace {

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

}  // namespace
}  // namespace tarn::ingest
