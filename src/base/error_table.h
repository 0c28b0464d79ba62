#pragma once

#include <string_view>

#include "base/status.h"

namespace tarn {

/// What one status code is called at each edge of the program: the only place where these are decided.
struct ErrorCodes {
  int http_status;
  /// PostgreSQL's five characters (PostgreSQL 15, appendix A).
  std::string_view sqlstate;
  /// gRPC status code number, which Arrow Flight uses on the wire.
  int grpc;
  /// `extensions.code` of a GraphQL error.
  std::string_view graphql;
  /// Exit status of the command line: 0 is success, 2 a usage error.
  int exit_code;
  /// Class in the Python package.
  std::string_view python;
};

const ErrorCodes& CodesOf(StatusCode code);

}  // namespace tarn
