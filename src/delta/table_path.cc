#include "delta/table_path.h"

#include <algorithm>
#include <cctype>

namespace tarn::delta {

namespace {

constexpr std::string_view kNullPartition = "__HIVE_DEFAULT_PARTITION__";
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendEscaped(std::string& out, char c) {
  out += '%';
  out += kHexDigits[static_cast<unsigned char>(c) >> 4];
  out += kHexDigits[static_cast<unsigned char>(c) & 15];
}

/// Writers have left raw '%' in paths, so a malformed escape stands for itself.
std::string DecodeLeniently(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = HexValue(text[i + 1]);
      const int low = HexValue(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

/// Length of "scheme:" at the front, 0 without one.
size_t SchemeLength(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == ':') return i >= 2 ? i + 1 : 0;
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

/// "file:///a", "file:/a" and "/a" give "/a"; "s3a://b" gives "s3://b", as Hadoop has several clients for one store;
/// other URIs give themselves; all without a trailing '/', but for the one that begins a path.
std::string WithUsualScheme(std::string_view uri) {
  if (uri.starts_with("s3a://") || uri.starts_with("s3n://")) return "s3" + WithUsualScheme(uri.substr(3));
  if (uri.starts_with("file:")) {
    uri.remove_prefix(5);
    if (uri.starts_with("///")) {
      uri.remove_prefix(2);
    } else if (uri.starts_with("//localhost/")) {
      uri.remove_prefix(11);
    }
  }
  while (uri.size() > 1 && uri.back() == '/' && !uri.ends_with("://")) uri.remove_suffix(1);
  return std::string(uri);
}

bool HasDotPart(std::string_view path) {
  size_t begin = 0;
  while (begin <= path.size()) {
    size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "." || part == "..") return true;
    begin = end + 1;
  }
  return false;
}

/// Resolves "." and ".." and doubled slashes; ".." that climb above a relative path's start are kept in front, those
/// above an absolute one's are dropped.
std::string Normalized(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (begin <= path.size()) {
    size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string out = absolute ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += '/';
    out += parts[i];
  }
  return out;
}

bool Climbs(std::string_view path) { return path == ".." || path.starts_with("../"); }

/// The absolute path or URI that a relative path, which climbs, means from `root` on; itself where the root is a store
/// without a place.
std::string Joined(std::string_view root, const std::string& relative) {
  const size_t authority = root.find("://");
  if (root.ends_with("://")) return relative;
  const size_t begin = authority == std::string_view::npos ? 0 : std::min(root.find('/', authority + 3), root.size());
  return std::string(root.substr(0, begin)) + Normalized(std::string(root.substr(begin)) + "/" + relative);
}

}  // namespace

bool IsPlainPath(std::string_view path) {
  if (path.empty() || path[0] == '/') return false;
  char previous = '/';
  for (const char c : path) {
    if (c == '%' || c == ':') return false;
    if (previous == '/' && (c == '.' || c == '/')) return false;
    previous = c;
  }
  return true;
}

std::string CanonicalPath(std::string_view path, std::string_view table_uri) {
  if (IsPlainPath(path)) return std::string(path);
  std::string decoded = DecodeLeniently(path);
  const size_t scheme = SchemeLength(path);
  const bool is_relative = scheme == 0 && !decoded.starts_with('/');
  if (is_relative) {
    if (HasDotPart(decoded) || decoded.find("//") != std::string::npos) decoded = Normalized(decoded);
    if (!Climbs(decoded)) return decoded;
  }
  const std::string root = CanonicalRoot(table_uri);
  std::string absolute = is_relative ? Joined(root, decoded) : WithUsualScheme(decoded);
  if (absolute.starts_with('/')) absolute = Normalized(absolute);
  if (absolute.size() > root.size() + 1 && absolute.starts_with(root) && absolute[root.size()] == '/' &&
      !HasDotPart(absolute)) {
    return absolute.substr(root.size() + 1);
  }
  return absolute;
}

std::string CanonicalRoot(std::string_view uri) { return WithUsualScheme(DecodeLeniently(uri)); }

bool IsOutside(std::string_view canonical_path) {
  // A relative path may hold ':' anywhere; only "scheme:/" marks what CanonicalPath left as a URI.
  const size_t scheme = SchemeLength(canonical_path);
  const bool is_uri = scheme > 0 && scheme < canonical_path.size() && canonical_path[scheme] == '/';
  return is_uri || canonical_path.starts_with('/') || Climbs(canonical_path);
}

std::string ShownKey(std::string_view key, std::string_view table_uri) {
  if (!IsOutside(key)) return std::string(key);
  // A table's folder is that of its name, in that of its database, in the lake.
  std::string folder = CanonicalRoot(table_uri);
  std::string way;
  for (int level = 0; level < 2; ++level) {
    folder.resize(std::min(folder.rfind('/'), folder.size()));
    way += "../";
    if (folder.empty() || folder.ends_with('/')) break;
    if (key.starts_with(folder + "/")) return way + std::string(key.substr(folder.size() + 1));
  }
  return std::string(key);
}

Result<std::string> KeyOfCanonical(std::string_view canonical_path, const storage::ObjectStore& table_store) {
  if (canonical_path.empty()) return Status::Corruption("a file action has an empty path");
  if (IsOutside(canonical_path)) {
    TARN_RETURN_NOT_OK(table_store.CheckOutside(canonical_path));
    return std::string(canonical_path);
  }
  // It is the table that is wrong, not whoever asked for it.
  if (const Status named = storage::CheckKey(canonical_path); !named.ok()) return Status::Corruption(named.message());
  return std::string(canonical_path);
}

Result<std::string> KeyOfPath(std::string_view path, const storage::ObjectStore& table_store) {
  if (IsPlainPath(path)) return KeyOfCanonical(path, table_store);
  auto key = KeyOfCanonical(CanonicalPath(path, table_store.uri()), table_store);
  if (!key.status().Is(StatusCode::kPermissionDenied)) return key;
  // By the name that the log has for it: what that climbs to tells where the table is.
  return Status::PermissionDenied(std::string(path) +
                                  " lies outside of the table, and below no root whose files may be read");
}

std::string EncodeLogPath(std::string_view key) {
  std::string out;
  out.reserve(key.size());
  for (const char c : key) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) ||
                       std::string_view("/-_.~!$&'()*+,;=@").find(c) != std::string_view::npos;
    if (plain && static_cast<unsigned char>(c) < 0x80) {
      out += c;
    } else {
      AppendEscaped(out, c);
    }
  }
  return out;
}

std::string PartitionFolder(const PartitionValues& values) {
  const auto escape = [](std::string& out, std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f || std::string_view("\"#%'*/:=?\\{[]^").find(c) != std::string_view::npos) {
        AppendEscaped(out, c);
      } else {
        out += c;
      }
    }
  };
  std::string folder;
  for (const auto& [column, value] : values) {
    escape(folder, column);
    folder += '=';
    if (!value.has_value() || value->empty()) {
      folder += kNullPartition;
    } else {
      escape(folder, *value);
    }
    folder += '/';
  }
  return folder;
}

std::string PartitionKey(const PartitionValues& values) {
  std::string key;
  for (const auto& [column, text] : values) {
    key.append(text.has_value() ? std::to_string(text->size()) + ":" + *text : "-");
    key.push_back(',');
  }
  return key;
}

}  // namespace tarn::delta
