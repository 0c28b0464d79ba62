#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// A path of the log in the one form that compares equal for equal files: URI-decoded; a file below the table's own
/// root relative to it, any other, also one that ".." leads to, as its absolute path ("/p", "file:/p" and "file:///p"
/// are all "/p") or, with another scheme, as its URI. A malformed percent escape is taken as it stands.
///
/// `table_uri` is ObjectStore::uri() of the table's store.
std::string CanonicalPath(std::string_view path, std::string_view table_uri);

/// True when the canonical form of `path` is `path` itself, which is the ordinary case and costs one scan.
bool IsPlainPath(std::string_view path);

/// The URI of a store in the form that canonical paths of files below it begin with.
std::string CanonicalRoot(std::string_view uri);

/// Whether a canonical path leads out of the table's folder.
bool IsOutside(std::string_view canonical_path);

/// A key of the table's store for people to read: a file outside of the table's folder that lies in the same lake by
/// its way from there ("../other/x"), so that it does not tell where the lake is.
std::string ShownKey(std::string_view key, std::string_view table_uri);

/// What the table's store knows the file of a canonical path by: its key or, for one outside of the folder, the path
/// itself where the store reads there (readable_roots.h), else PermissionDenied naming it. Corruption when no store has
/// a file of that name.
Result<std::string> KeyOfCanonical(std::string_view canonical_path, const storage::ObjectStore& table_store);

/// The same of a path as the log has it.
Result<std::string> KeyOfPath(std::string_view path, const storage::ObjectStore& table_store);

/// URI-encodes a key for `add.path` (RFC 2396 path characters stay as they are).
std::string EncodeLogPath(std::string_view key);

/// The folder of a partition in Hive's style, not URI-encoded: "a=1/b=x%2Fy/", "" without values. Null values are
/// __HIVE_DEFAULT_PARTITION__.
std::string PartitionFolder(const PartitionValues& values);

/// A text that is equal for equal values in the same order and for no others.
std::string PartitionKey(const PartitionValues& values);

}  // namespace tarn::delta
