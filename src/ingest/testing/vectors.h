#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ingest/testing/points.h"

namespace tarn::ingest::testing {

/// One case of a decode corpus.
struct DecodeVector {
  std::string name;
  std::string text;
  LineProtocolOptions options;
  /// Grouped by measurement.
  std::vector<Point> points;
  /// In the Go library's corpus: the body is refused as a whole. Its message is in `error`.
  bool fails = false;
  std::string error;
  struct LineFault {
    int64_t line_number = 0;
    std::string reason;
  };
  /// In our own vectors: the lines that are not kept.
  std::vector<LineFault> faults;
};

/// Reads the `decode` section of the Go line-protocol library's corpus.
std::vector<DecodeVector> LoadGoCorpus(const std::string& path);

/// Reads one of tests/fixtures/line_protocol/*.json; the README beside them describes the form.
std::vector<DecodeVector> LoadVectors(const std::string& path);

}  // namespace tarn::ingest::testing
