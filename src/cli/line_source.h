#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::cli {

/// The lines of a file, or of standard input as "-", in pieces of a few megabytes that end with a line. What begins as
/// gzip does, is inflated. Thread-compatible.
class LineSource {
 public:
  virtual ~LineSource() = default;
  /// NotFound, PermissionDenied or InvalidArgument when the file cannot be read, without reading it.
  static Status Check(const std::string& path);
  /// Fails as Check does.
  static Result<std::unique_ptr<LineSource>> Open(const std::string& path);

  struct Piece {
    std::string_view text;
    /// From 1.
    int64_t first_line = 0;
  };
  /// Valid until the next call; nullopt at the end. InvalidArgument for broken gzip.
  virtual Result<std::optional<Piece>> Next() = 0;
};

}  // namespace tarn::cli
