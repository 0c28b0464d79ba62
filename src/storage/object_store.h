#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace tarn::storage {

/// What a store knows of one object. `etag` is opaque and changes with the content. Times may be in whole seconds.
struct ObjectInfo {
  std::string key;
  int64_t size_bytes = 0;
  int64_t modified_micros = 0;
  std::string etag;
};

/// What must hold for a Put to take effect; checked atomically by the store.
struct Precondition {
  enum class Kind : uint8_t { kNone, kIfAbsent, kIfMatch };
  Kind kind = Kind::kNone;
  std::string etag;

  static Precondition None() { return {}; }
  static Precondition IfAbsent() { return {Kind::kIfAbsent, {}}; }
  static Precondition IfMatch(std::string etag) { return {Kind::kIfMatch, std::move(etag)}; }
};

struct ListOptions {
  /// Only keys that begin with this, byte for byte ("a/b/" lists a folder, "" everything).
  std::string prefix;
  /// Only entries, folders included, whose key is greater than this; empty for all.
  std::string start_after;
  /// True gives one entry per first '/' after the prefix instead of what lies below it.
  bool group_by_folder = false;
};

struct ListEntry {
  /// For a folder only `key` is set, and it ends with '/'.
  ObjectInfo object;
  bool is_folder = false;
};

/// What reads asked a store for: its requests, and the bytes of the answers. Thread-safe.
struct ReadCost {
  std::atomic<int64_t> requests = 0;
  std::atomic<int64_t> bytes = 0;

  void Count(int64_t answered_bytes) {
    requests += 1;
    bytes += answered_bytes;
  }
};

/// An object being read: the bytes of one version, or Conflict or NotFound once the store has it no more. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual const ObjectInfo& info() const = 0;
  /// Fills `out` from `offset` on and returns how many bytes were read: fewer only at the end of the object.
  virtual Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) = 0;
  /// The same, adding to `cost` what was asked of the store: one request, unless a cache below knows better.
  virtual Result<size_t> ReadCounted(int64_t offset, MutableByteSpan out, ReadCost& cost);
};

/// An object being written in pieces; it exists, whole and durable, only once Finish returned OK. Destroying an
/// unfinished writer leaves nothing behind. Thread-compatible.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual Status Append(ByteSpan bytes) = 0;
  virtual Result<ObjectInfo> Finish() = 0;
};

/// Whole objects under keys: '/'-separated parts, no leading '/', no empty part, no "." or ".." (InvalidArgument).
///
/// Errors: NotFound; AlreadyExists (kIfAbsent lost) and Conflict (kIfMatch lost) are certain: nothing was written;
/// Unavailable is certain too, and the call may be repeated; Indeterminate means that a write may have happened;
/// ResourceExhausted for a full disk; PermissionDenied. Thread-safe.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  virtual Result<ObjectInfo> Head(std::string_view key) = 0;
  virtual Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) = 0;
  /// Opens an object whose size is known from elsewhere (a log, a listing), where the store can without asking for it:
  /// the first read then tells what Open would have told, and `info()` has nothing but key and size. Conflict when the
  /// object turns out to have another size.
  virtual Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes);
  /// Writes a whole object. On return it is durable, name included.
  virtual Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) = 0;
  virtual Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) = 0;
  /// Visits entries in ascending byte order of their keys until the visitor returns false. A prefix without objects is
  /// no error. Temporary files of the store itself are never shown.
  virtual Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) = 0;
  /// Removes an object; removing one that does not exist is OK.
  virtual Status Delete(std::string_view key) = 0;

  /// Where the store is, as a URI without trailing '/': "file:///data/lake", "memory://".
  virtual std::string uri() const = 0;
  /// The file that holds `key`, where there is one to be opened directly by a library; nullopt otherwise.
  virtual std::optional<std::string> LocalPath(std::string_view key) const = 0;
  /// OK where Head, Open, OpenKnown and LocalPath also take `place`, an absolute path or a URI that lies elsewhere;
  /// PermissionDenied naming it otherwise, as in every store that was not made for it.
  virtual Status CheckOutside(std::string_view place) const;

  // Conveniences over the above.
  Result<std::string> Get(std::string_view key);
  Result<std::vector<ListEntry>> ListAll(const ListOptions& options);
};

/// InvalidArgument when `key` breaks the rules above.
Status CheckKey(std::string_view key);

}  // namespace tarn::storage
