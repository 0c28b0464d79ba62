#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tarn::engine {

/// The answer to the statements between BEGIN and COMMIT: a row for each, with its place among them, what it is, and
/// how many rows it told of. Thread-compatible.
class BlockReport {
 public:
  static const std::shared_ptr<arrow::Schema>& Schema();

  void Add(std::string kind, int64_t rows) {
    kinds_.push_back(std::move(kind));
    rows_.push_back(rows);
  }
  /// Null when there was no statement.
  Result<std::shared_ptr<arrow::RecordBatch>> Finish() const;

 private:
  std::vector<std::string> kinds_;
  std::vector<int64_t> rows_;
};

}  // namespace tarn::engine
