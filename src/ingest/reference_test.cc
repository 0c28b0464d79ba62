// The fast parser against the slow one of testing/reference_parser.h on bodies made from a seed.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "ingest/line_protocol.h"
#include "ingest/testing/points.h"
#include "ingest/testing/random_body.h"
#include "ingest/testing/reference_parser.h"

namespace tarn::ingest {
namespace {

void ExpectSameAsReference(const std::string& body, const LineProtocolOptions& options) {
  const ParsedLines fast = ParseLineProtocol(body, options);
  const testing::ReferenceResult slow = testing::ParseByReference(body, options);
  ASSERT_EQ(testing::PointsOf(fast), slow.points) << ::testing::PrintToString(body);
  std::vector<int64_t> bad_lines;
  for (const LineError& error : fast.errors) bad_lines.push_back(error.line_number);
  ASSERT_EQ(bad_lines, slow.bad_lines) << ::testing::PrintToString(body);
  ASSERT_EQ(fast.lines_kept, static_cast<int64_t>(slow.points.size()));
}

TEST(Reference, AgreesOnRandomBodies) {
  Random random(20'261'121);
  int64_t kept = 0;
  int64_t bad = 0;
  for (int i = 0; i < 3000; ++i) {
    LineProtocolOptions options;
    options.precision = static_cast<Precision>(random.Below(5));
    options.now_nanos = static_cast<int64_t>(random.Next() >> 1) - (int64_t{1} << 62);
    options.expand_string_controls = random.Below(2) == 0;
    const std::string body = testing::RandomBody(random);
    ExpectSameAsReference(body, options);
    if (HasFatalFailure()) return;
    const ParsedLines parsed = ParseLineProtocol(body, options);
    kept += parsed.lines_kept;
    bad += parsed.error_count;
  }
  // The generator must exercise both.
  EXPECT_GT(kept, 5000);
  EXPECT_GT(bad, 5000);
}

TEST(Reference, AgreesOnShortBodiesOfTheBytesThatMatter) {
  constexpr std::string_view kBytes = "m,t= \"\\\n1.e-iu#\r\tf\xc3";
  Random random(7);
  for (int i = 0; i < 60'000; ++i) {
    std::string body = random.Below(2) == 0 ? "m f=1" : "";
    const uint64_t length = random.Below(24);
    for (uint64_t k = 0; k < length; ++k) body += kBytes[random.Below(kBytes.size())];
    ExpectSameAsReference(body, {});
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tarn::ingest
