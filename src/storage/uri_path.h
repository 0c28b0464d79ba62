#pragma once

#include <string>
#include <string_view>

namespace tarn::storage::internal {

/// Percent-encodes what cannot stand in the path of a URI; '/' stays.
std::string EncodeUriPath(std::string_view path);

/// "file:///data/lake" for an absolute path.
std::string FileUri(std::string_view absolute_path);

}  // namespace tarn::storage::internal
