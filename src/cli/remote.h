#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/result_output.h"
#include "ingest/line_protocol.h"

namespace tarn::cli {

struct RemoteRequest {
  /// "http://host:port", with or without a path below which the server is.
  std::string server;
  /// "/api/sql"
  std::string path;
  std::string_view body;
  std::vector<std::string> headers;
};

struct RemoteAnswer {
  long http_status = 0;
  /// Of an answer that is no success, bounded.
  std::string error_body;
  /// Names the query at the server; empty where there is none.
  std::string query_id;
  /// Of a write; nullopt where the server does not say.
  std::optional<int64_t> lines_kept;
  std::optional<int64_t> lines_refused;
  /// The connection ended before the answer did, and how.
  std::optional<Status> broken_off;
};

/// Posts and streams a successful answer to `output`, which may be null and is not finished. Unavailable when there is
/// no server, InvalidArgument when its URL is none; the output's own status when that fails.
Result<RemoteAnswer> Post(const RemoteRequest& request, ResultOutput* output);

/// OK for a success, else what the server's error says, by its code and, for SQL, its position.
Status StatusOf(const RemoteAnswer& answer);

/// The lines that a version 3 write did not keep; nullopt when the answer is about something else.
std::optional<std::vector<ingest::LineError>> LineErrorsOf(const RemoteAnswer& answer);

/// Runs SQL at a server. A result that breaks off has the error that the server's query log has for it.
Status PostSql(const std::string& server, const std::string& sql, std::string_view media_type, ResultOutput& output);

/// Percent-encodes a query parameter.
std::string EncodeParameter(std::string_view text);

}  // namespace tarn::cli
