#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delta/actions.h"

namespace tarn::delta {

/// Files that a log names, data and deletion vectors, for asking which of a folder's files it does not: eight bytes for
/// each. What is in doubt is held to be named: files are told apart by hashes, and a path that can be read in more than
/// one way stands for every file that it may mean. Thread-compatible.
class ReferencedFiles {
 public:
  /// `table_uri` is ObjectStore::uri() of the table's store.
  explicit ReferencedFiles(std::string table_uri) : table_uri_(std::move(table_uri)) {}

  /// Takes the file of an action, its path as in the log.
  void Add(std::string_view path, const std::optional<DeletionVector>& deletion_vector);
  /// Whether a key of the table's store may be among them.
  bool Contains(std::string_view key);
  size_t size() const { return hashes_.size(); }

 private:
  void AddPath(std::string_view path);
  void AddKey(std::string_view key);

  const std::string table_uri_;
  std::vector<uint64_t> hashes_;
  /// How many of them, from the front, are in order.
  size_t sorted_ = 0;
};

}  // namespace tarn::delta
