#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"

namespace tarn::delta {

/// A path of the log in the one form that compares equal for equal files: URI-decoded; a file below the table's own
/// root relative to it, any other absolute one as its path ("/p", "file:/p" and "file:///p" are all "/p") or, with
/// another scheme, as its URI. A malformed percent escape is taken as it stands.
///
/// `table_uri` is ObjectStore::uri() of the table's store.
std::string CanonicalPath(std::string_view path, std::string_view table_uri);

/// True when the canonical form of `path` is `path` itself, which is the ordinary case and costs one scan.
bool IsPlainPath(std::string_view path);

/// The store key of a canonical path; PermissionDenied naming it when it lies outside the table, Corruption when no
/// store has a file of that name.
Result<std::string> KeyOfPath(std::string_view canonical_path);

/// URI-encodes a key for `add.path` (RFC 2396 path characters stay as they are).
std::string EncodeLogPath(std::string_view key);

/// The folder of a partition in Hive's style, not URI-encoded: "a=1/b=x%2Fy/", "" without values. Null values are
/// __HIVE_DEFAULT_PARTITION__.
std::string PartitionFolder(const PartitionValues& values);

/// A text that is equal for equal values in the same order and for no others.
std::string PartitionKey(const PartitionValues& values);

}  // namespace tarn::delta
