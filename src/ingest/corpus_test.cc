// The decode corpus of InfluxData's Go library for line protocol, and vectors of our own over the same ground.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/testing/source_tree.h"
#include "ingest/line_protocol.h"
#include "ingest/testing/points.h"
#include "ingest/testing/reference_parser.h"
#include "ingest/testing/vectors.h"

namespace tarn::ingest {
namespace {

namespace fs = std::filesystem;
using testing::DecodeVector;
using testing::Point;

std::string Describe(const DecodeVector& vector, const ParsedLines& parsed) {
  std::string out = vector.name + "\ntext: " + ::testing::PrintToString(vector.text) + "\ntheirs: " + vector.error;
  for (const Point& point : vector.points) out += "\n  " + ToString(point);
  out += "\nours:";
  for (const Point& point : testing::PointsOf(parsed)) out += "\n  " + ToString(point);
  for (const LineError& error : parsed.errors)
    out += "\n  line " + std::to_string(error.line_number) + ": " + error.reason;
  return out;
}

bool FailsOnlyWith(const DecodeVector& theirs, const ParsedLines& ours, std::string_view reason) {
  return !theirs.fails && !ours.errors.empty() &&
         std::all_of(ours.errors.begin(), ours.errors.end(),
                     [&](const LineError& error) { return error.reason.find(reason) != std::string::npos; });
}

/// Where we differ from the Go library on purpose (docs/formats/line_protocol.md says why), and in how many vectors.
struct Difference {
  const char* what;
  int count;
  bool (*explains)(const DecodeVector& theirs, const ParsedLines& ours);
};
constexpr std::array<Difference, 4> kDifferences = {{
    {"the key 'time' is reserved", 2,
     [](const DecodeVector& theirs, const ParsedLines& ours) { return FailsOnlyWith(theirs, ours, "is reserved"); }},
    {"keys that differ only in case are refused", 2,
     [](const DecodeVector& theirs, const ParsedLines& ours) {
       return FailsOnlyWith(theirs, ours, "differs only in case");
     }},
    {"a tab may stand before a line", 1,
     [](const DecodeVector& theirs, const ParsedLines& ours) {
       return theirs.fails && ours.error_count == 0 && theirs.text.starts_with('\t');
     }},
    {"anything may stand in a comment", 1,
     [](const DecodeVector& theirs, const ParsedLines& ours) {
       return theirs.fails && ours.error_count == 0 && theirs.error.find("in comment line") != std::string::npos;
     }},
}};

TEST(Corpus, MatchesTheGoLibraryButForTheDocumentedDifferences) {
  const std::optional<fs::path> path = SharedFixture("line-protocol/corpus-sample.json");
  if (!path) GTEST_SKIP() << "the line-protocol corpus is not beside this checkout: 1051 vectors were not read";
  std::array<int, kDifferences.size()> counts = {};
  int same = 0;
  for (const DecodeVector& vector : testing::LoadGoCorpus(*path)) {
    const ParsedLines parsed = ParseLineProtocol(vector.text, vector.options);
    // The Go library gives up at the first bad line; we keep the others.
    if (vector.fails ? parsed.error_count > 0 : parsed.error_count == 0 && testing::PointsOf(parsed) == vector.points) {
      ++same;
      continue;
    }
    size_t i = 0;
    while (i < kDifferences.size() && !kDifferences[i].explains(vector, parsed)) ++i;
    ASSERT_LT(i, kDifferences.size()) << Describe(vector, parsed);
    ++counts[i];
  }
  std::printf("%d vectors agree\n", same);
  EXPECT_EQ(same, 1045);
  for (size_t i = 0; i < kDifferences.size(); ++i) {
    std::printf("%d differ: %s\n", counts[i], kDifferences[i].what);
    EXPECT_EQ(counts[i], kDifferences[i].count) << kDifferences[i].what;
  }
}

TEST(Corpus, OurOwnVectorsHold) {
  int vectors = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(SourceRoot() / "tests/fixtures/line_protocol")) {
    if (file.path().extension() != ".json") continue;
    for (const DecodeVector& vector : testing::LoadVectors(file.path())) {
      SCOPED_TRACE(file.path().filename().string() + ": " + vector.name);
      ++vectors;
      const ParsedLines parsed = ParseLineProtocol(vector.text, vector.options);
      EXPECT_EQ(testing::PointsOf(parsed), vector.points) << Describe(vector, parsed);
      ASSERT_EQ(parsed.errors.size(), vector.faults.size()) << Describe(vector, parsed);
      for (size_t i = 0; i < vector.faults.size(); ++i) {
        EXPECT_EQ(parsed.errors[i].line_number, vector.faults[i].line_number);
        EXPECT_EQ(parsed.errors[i].reason, vector.faults[i].reason);
      }
      // The reference knows no limits, and the vectors need none.
      const testing::ReferenceResult reference = testing::ParseByReference(vector.text, vector.options);
      EXPECT_EQ(reference.points, vector.points);
      EXPECT_EQ(reference.bad_lines.size(), vector.faults.size());
    }
  }
  EXPECT_GE(vectors, 100);
}

}  // namespace
}  // namespace tarn::ingest
