#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/uri.h"
#include "storage/stores.h"
#include "storage/uri_path.h"

namespace tarn::storage {

namespace internal {

std::string EncodeUriPath(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kReserved = "%?#[]\"<>\\^`{|}";
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && kReserved.find(c) == std::string_view::npos) {
      out += c;
      continue;
    }
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string FileUri(std::string_view absolute_path) {
  return "file://" + EncodeUriPath(absolute_path == "/" ? "" : absolute_path);
}

}  // namespace internal

Result<std::shared_ptr<ObjectStore>> OpenStore(std::string_view uri) {
  const size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return OpenLocalStore(std::string(uri));
  const std::string_view scheme = uri.substr(0, colon);
  std::string_view rest = uri.substr(colon + 3);
  if (scheme == "memory") {
    if (!rest.empty() && rest != "/")
      return Status::InvalidArgument("memory:// takes no path, got " + std::string(uri));
    return MakeMemoryStore(SystemClock());
  }
  if (scheme == "file") {
    constexpr std::string_view kLocalhost = "localhost/";
    if (rest.starts_with(kLocalhost)) rest.remove_prefix(kLocalhost.size() - 1);
    if (!rest.starts_with('/')) {
      return Status::InvalidArgument(std::string(uri) + " names a host; write file:///path");
    }
    TARN_ASSIGN_OR_RETURN(const std::string path, PercentDecode(rest));
    return OpenLocalStore(path);
  }
  return Status::Unsupported("stores of the scheme '" + std::string(scheme) +
                             "' are not supported: " + std::string(uri));
}

}  // namespace tarn::storage
