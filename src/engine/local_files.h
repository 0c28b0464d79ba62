#pragma once

#include <string>

#include "base/status.h"

namespace duckdb {
class Connection;
}  // namespace duckdb

namespace tarn::engine {

/// Makes the view `<schema>.<name>` over a local file, or files by a pattern, with the reader that its extension asks
/// for. InvalidArgument for an unknown extension or a file that is not what its name says, NotFound when there is none;
/// the message names the file. May throw; `connection` may read files.
Status AddFileView(duckdb::Connection& connection, const std::string& schema, const std::string& name,
                   const std::string& path);

}  // namespace tarn::engine
