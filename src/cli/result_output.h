#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/query_service.h"
#include "frontends/encoding/result_writer.h"

namespace tarn::cli {

/// Where a result goes: standard output, a file that appears only once it is whole, or a device or pipe that is there.
class ResultOutput {
 public:
  virtual ~ResultOutput() = default;
  /// An empty path is standard output.
  static Result<std::unique_ptr<ResultOutput>> Open(const std::string& path);
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Finish() = 0;
};

/// Writes a query's rows to the output as they come.
Status WriteResult(std::unique_ptr<engine::QueryStream> stream, frontends::ResultFormat format, ResultOutput& output);

}  // namespace tarn::cli
