#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/result_output.h"

namespace tarn::cli {

struct RemoteRequest {
  /// "http://host:port", with or without a path below which the server is.
  std::string server;
  /// "/api/sql"
  std::string path;
  std::string_view body;
  std::vector<std::string> headers;
};

/// Posts and streams a successful answer to `output`, which is not finished. A failure becomes the status that the
/// server's error code names; Unavailable when there is no server, or when the answer broke off.
Status Post(const RemoteRequest& request, ResultOutput* output);

/// Percent-encodes a query parameter.
std::string EncodeParameter(std::string_view text);

}  // namespace tarn::cli
